#include "core/gc/cycle.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

class CycleTest : public HeapTest {
 protected:
  void begin() {
    retire();
    while (!heap.prepare_marking()) {
    }
    collector.begin_cycle();
  }
  void read_all() {
    while (!collector.cycle().advance(16)) {
    }
  }
  bool try_end() {
    retire();
    const bool ended = collector.try_end_cycle(report, [] { return true; });
    expect_sound();
    return ended;
  }
  void end() {
    read_all();
    ASSERT_TRUE(try_end());
  }

  CollectionReport report;
};

TEST_F(CycleTest, FreesWhatWasDeadWhenItBegan) {
  const Root kept(*this, make_old(1));
  make_old(0);
  make_old(0, 3000);
  const Bytes before = heap.used();

  begin();
  end();
  heap.settle_cells();

  EXPECT_EQ(count(), 1u);
  EXPECT_EQ(report.objects_marked, 1u);
  EXPECT_LT(heap.used(), before);
}

TEST_F(CycleTest, LetsGoOfWhatWasLeftToReadWhenItIsGivenUp) {
  const Root kept(*this, make_old(1));
  ResumableMarker marking;
  Cycle given_up(heap, marking);
  retire();
  while (!heap.prepare_marking()) {
  }
  const ObjectIndex root = kept.get();
  given_up.begin({&root, 1});
  ASSERT_FALSE(marking.advance(0)) << "the root waits to be read";

  given_up.abandon();

  EXPECT_TRUE(marking.advance(0)) << "a table of 1/128 of the heap waits with it";
  EXPECT_FALSE(given_up.is_under_way());
}

TEST_F(CycleTest, FindsWhatAStoreHidInAnObjectThatWasReadBefore) {
  const Root holder(*this, make_old(1));
  const ObjectIndex hidden = make_old(1);
  slots_of(hidden)[0] = make_old(0);
  begin();
  read_all();

  store(holder.get(), 0, hidden);

  end();
  EXPECT_EQ(count(), 3u);
  EXPECT_EQ(collector.cycle().cards_read(), 1u);
}

TEST_F(CycleTest, FindsAStoreInTheMiddleOfALongArray) {
  const Root small_run(*this, make_old(4000, 2001));
  const Root large_run(*this, make_old(100'000, 50'001));
  begin();
  read_all();

  store(small_run.get(), 2500, make_old(0));
  store(large_run.get(), 77'777, make_old(0));

  end();
  EXPECT_EQ(count(), 4u);
}

TEST_F(CycleTest, KeepsWhatOnlyAnObjectPromotedMeanwhileRefersTo) {
  const ObjectIndex old = make_old(0);
  const Root young(*this, make(1));
  slots_of(young.get())[0] = old;
  begin();

  collect_young(1);
  collect_young(1);
  ASSERT_EQ(heap.generation_of(young.get()), heap.oldest());

  end();
  EXPECT_EQ(count(), 2u);
}

TEST_F(CycleTest, KeepsWhatAYoungObjectThatWasMadeMeanwhileRefersTo) {
  const ObjectIndex old = make_old(0);
  begin();
  read_all();
  const Root young(*this, make(1));
  slots_of(young.get())[0] = old;

  collect_young();
  ASSERT_TRUE(try_end());

  EXPECT_EQ(count(), 2u);
}

TEST_F(CycleTest, KeepsWhatWasBornOldMeanwhileAndWhatThatRefersTo) {
  const ObjectIndex before = make_old(0);
  begin();
  read_all();
  const Root born(*this, make_old(1));
  slots_of(born.get())[0] = before;  // a constructor's store, without a barrier
  const Root large(*this, make_old(0, 3000));

  end();

  EXPECT_EQ(count(), 3u);
}

TEST_F(CycleTest, LeavesToTheNextWhatDiesMeanwhile) {
  const Root holder(*this, make_old(1));
  slots_of(holder.get())[0] = make_old(0);
  begin();
  read_all();
  store(holder.get(), 0, ObjectIndex::kNull);
  end();
  ASSERT_EQ(count(), 2u);
  heap.settle_cells();

  begin();
  end();

  EXPECT_EQ(count(), 1u);
}

TEST_F(CycleTest, GoesOnWhereTheStopHasNoTimeToEndIt) {
  std::vector<ObjectIndex> list{make_old(1)};
  for (int k = 0; k < 2000; ++k) {
    list.push_back(make_old(1));
    slots_of(list[list.size() - 2])[0] = list.back();
  }
  const Root root(*this, list.front());
  begin();

  EXPECT_FALSE(try_end());
  EXPECT_TRUE(collector.cycle().is_under_way());

  end();
  EXPECT_EQ(count(), list.size());
}

TEST_F(CycleTest, IsDroppedByAFullCollection) {
  const Root root(*this, make_old(1));
  make_old(0);
  begin();

  collect_full();

  EXPECT_FALSE(collector.cycle().is_under_way());
  EXPECT_EQ(count(), 1u);
}

TEST_F(CycleTest, GivesNoCellOfALiveObjectToAnotherBeforeItsRegionIsSettled) {
  std::vector<std::unique_ptr<Root>> kept;
  for (std::uint32_t k = 0; k < 50'000; ++k) {
    const ObjectIndex object = make_old(0, 4);
    detail::data_of(object)[0] = static_cast<std::byte>(k);
    if (k % 3 == 0) {
      kept.push_back(std::make_unique<Root>(*this, object));
      detail::data_of(object)[8] = static_cast<std::byte>(kept.size());
    }
  }
  begin();
  end();
  ASSERT_FALSE(heap.old().is_settled());

  for (std::uint32_t k = 0; k < 20'000; ++k) {
    const ObjectIndex fresh = make_old(0, 4);
    detail::data_of(fresh)[8] = std::byte{0xFF};
  }
  heap.settle_cells();

  while (!kept.empty()) {
    ASSERT_EQ(detail::data_of(kept.back()->get())[8], static_cast<std::byte>(kept.size()));
    kept.pop_back();
  }
  EXPECT_EQ(count(), 50'000 / 3 + 1 + 20'000u);
}

}  // namespace
}  // namespace tenure::testing
