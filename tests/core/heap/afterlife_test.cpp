// The order of what follows a death, in one heap: what a young collection costs, what a marking over
// time does, and what the verifier sees.
#include "core/heap/afterlife.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tenure/weak.hpp"
#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

class AfterlifeTest : public HeapTest {
 protected:
  ~AfterlifeTest() override {
    for (detail::WeakCell* cell : watching_) {
      detail::drop_weak_cell(cell);
    }
  }

  detail::WeakCell* watch(ObjectIndex object) {
    return watching_.emplace_back(heap.afterlife().weak().take(object, {}));
  }
  static ObjectIndex seen(const detail::WeakCell* cell) { return detail::weak_object(cell); }
  bool finalize(ObjectIndex object) {
    return heap.afterlife().finalizers().set(object, [](Mutator&, ObjectIndex) {});
  }
  std::uint64_t waiting() { return heap.afterlife().finalizers().statistics().waiting; }

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
  bool try_end(std::uint64_t times_in_time = 0) {
    retire();
    report = {};
    const bool ended =
        collector.try_end_cycle(report, [&times_in_time] { return times_in_time-- == 0; });
    expect_sound();
    return ended;
  }

  CollectionReport report;

 private:
  std::vector<detail::WeakCell*> watching_;
};

// Counts what it is asked, and lets everything live.
struct CountingReach {
  std::uint64_t& asked;
  [[nodiscard]] bool covers(ObjectIndex) const {
    ++asked;
    return true;
  }
  [[nodiscard]] bool reached(ObjectIndex&) const { return true; }
  void keep(ObjectIndex&) const {}
  [[nodiscard]] bool read() const { return true; }
};

TEST_F(AfterlifeTest, CostsAYoungCollectionWhatItCondemned) {
  EphemeronMap map(heap.afterlife().ephemerons());
  for (int k = 0; k < 1'000; ++k) {
    const ObjectIndex old = make_old(0);
    watch(old);
    finalize(old);
    map.set(old, old);
  }
  const ObjectIndex young = make(0);
  watch(young);
  finalize(young);
  map.set(young, young);
  std::uint64_t asked = 0;

  heap.afterlife().settle(0, 0, CountingReach{asked});

  EXPECT_LE(asked, 10u) << "for one object of each kind";
  EXPECT_EQ(map.size(), 1'001u);
}

TEST_F(AfterlifeTest, FilesWhatWasPromotedWithItsNewGeneration) {
  EphemeronMap map(heap.afterlife().ephemerons());
  const Root root(*this, make(1));
  const detail::WeakCell* const cell = watch(root.get());
  finalize(root.get());
  map.set(root.get(), root.get());

  collect_young(0);
  collect_young(1);

  ASSERT_EQ(heap.generation_of(root.get()), heap.oldest());
  EXPECT_EQ(seen(cell), root.get());
  std::uint64_t asked = 0;
  heap.afterlife().settle(0, heap.oldest() - 1, CountingReach{asked});
  EXPECT_EQ(asked, 0u);
}

TEST_F(AfterlifeTest, KeepsWhatAValueRefersToAcrossGenerations) {
  EphemeronMap map(heap.afterlife().ephemerons());
  const Root key(*this, make_old(1));
  const ObjectIndex value = make(1);
  slots_of(value)[0] = make(0);
  map.set(key.get(), value);

  collect_young(0);
  collect_young(1);
  collect_full();

  EXPECT_EQ(count(), 3u);
  EXPECT_EQ(heap.generation_of(map.find(key.get())), heap.oldest());
}

TEST_F(AfterlifeTest, SettlesInTheStopThatEndsAMarking) {
  EphemeronMap map(heap.afterlife().ephemerons());
  const Root kept(*this, make_old(0));
  const ObjectIndex dead = make_old(1);
  const ObjectIndex inner = make_old(0);
  slots_of(dead)[0] = inner;
  const detail::WeakCell* const to_kept = watch(kept.get());
  const detail::WeakCell* const to_dead = watch(dead);
  const detail::WeakCell* const to_inner = watch(inner);
  finalize(dead);
  map.set(kept.get(), make_old(0));
  map.set(dead, make_old(0));

  begin();
  read_all();
  ASSERT_TRUE(try_end());

  EXPECT_EQ(seen(to_kept), kept.get());
  EXPECT_EQ(seen(to_dead), ObjectIndex::kNull);
  EXPECT_EQ(seen(to_inner), ObjectIndex::kNull) << "only a dead object leads to it";
  EXPECT_EQ(waiting(), 1u);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(report.weak_cleared, 2u);
  heap.settle_cells();
  EXPECT_EQ(count(), 4u) << "kept, its value, the dead one, and what it leads to";
}

TEST_F(AfterlifeTest, GoesOnWhereTheStopHadNoTimeForWhatTheDeadLeadTo) {
  // A finalizable object with far more behind it than is read between two looks at the clock.
  ObjectIndex chain = make_old(1);
  for (int k = 0; k < 2'000; ++k) {
    const ObjectIndex next = make_old(1);
    slots_of(next)[0] = chain;
    chain = next;
  }
  const detail::WeakCell* const cell = watch(chain);
  finalize(chain);
  begin();
  read_all();

  EXPECT_FALSE(try_end());
  EXPECT_EQ(seen(cell), ObjectIndex::kNull);
  EXPECT_EQ(waiting(), 1u);
  read_all();
  ASSERT_TRUE(try_end());

  EXPECT_EQ(waiting(), 1u) << "queued once";
  heap.settle_cells();
  EXPECT_EQ(count(), 2'001u);
}

TEST_F(AfterlifeTest, GivesUpEntriesThatItHasNoTimeForAndFindsThemAgain) {
  EphemeronMap map(heap.afterlife().ephemerons());
  const Root key(*this, make_old(0));
  ObjectIndex chain = make_old(1);
  for (int k = 0; k < 2'000; ++k) {
    const ObjectIndex next = make_old(1);
    slots_of(next)[0] = chain;
    chain = next;
  }
  map.set(key.get(), chain);
  begin();
  read_all();

  EXPECT_FALSE(try_end());
  read_all();
  ASSERT_TRUE(try_end());

  heap.settle_cells();
  EXPECT_EQ(count(), 2'002u);
  EXPECT_EQ(map.find(key.get()), chain);
}

TEST_F(AfterlifeTest, IsVerifiedCellByCell) {
  const Root root(*this, make_old(0));
  watch(object_on(granule_of(root.get()) + 1));

  EXPECT_NE(fault().find("a weak cell names no object"), std::string::npos) << fault();
}

TEST_F(AfterlifeTest, IsVerifiedForFinalizersThatTheirHeaderDoesNotTell) {
  const Root root(*this, make_old(0));
  finalize(root.get());
  EXPECT_EQ(fault(), "");

  detail::header_of(root.get()).meta &= ~static_cast<std::uint32_t>(ObjectFlag::kFinalizable);

  EXPECT_NE(fault().find("its header says no"), std::string::npos) << fault();
}

TEST_F(AfterlifeTest, IsVerifiedForHeadersWhoseFinalizerIsLost) {
  const Root root(*this, make_old(0));
  detail::header_of(root.get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kFinalizable);

  EXPECT_NE(fault().find("1 headers say finalizable, 0 finalizers"), std::string::npos) << fault();
}

}  // namespace
}  // namespace tenure::testing
