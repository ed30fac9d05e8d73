// A marker that keeps a copy of the heap is told of every card that changed since it last looked.
#include "core/heap/written_cards.hpp"

#include <gtest/gtest.h>

#include "tests/support/copying_marker.hpp"
#include "tests/support/graph_fixture.hpp"

namespace tenure::testing {
namespace {

class WrittenCardsTest : public GraphTest {
 protected:
  explicit WrittenCardsTest(const HeapOptions& options = small_heap(), std::uint64_t seed = 1)
      : GraphTest(options, seed) {
    heap.cards().written().follow();
    copying_collector.check_marks();  // stops the program where marks are not the serial marker's
  }

  CollectionReport collect_by_copy(Compact how = Compact::kNever) {
    retire();
    const CollectionReport report =
        copying_collector.collect_full(CollectionTrigger::kExplicitRequest, how);
    expect_sound();
    return report;
  }

  CopyingMarker copying;
  Collector copying_collector{heap, copying, team};
};

TEST_F(WrittenCardsTest, TellsOfAllAtFirst) {
  root(0) = make_old(2);

  EXPECT_EQ(collect_by_copy().objects_marked, 1u);

  EXPECT_EQ(copying.regions_copied(), 1u);
}

TEST_F(WrittenCardsTest, TellsOfNothingWhereNothingWasWritten) {
  root(0) = make_node(2);
  (void)collect_by_copy();

  EXPECT_EQ(collect_by_copy().objects_marked, 1u);

  EXPECT_EQ(copying.regions_copied(), 0u);
  EXPECT_EQ(copying.cards_copied(), 0u);
}

TEST_F(WrittenCardsTest, TellsOfTheCardThatAStoreWasMadeOn) {
  root(0) = make_old(2);
  root(1) = make_old(2);
  (void)collect_by_copy();
  store(root(0), 1, root(1));
  root(1) = ObjectIndex::kNull;

  EXPECT_EQ(collect_by_copy().objects_marked, 2u);

  EXPECT_EQ(copying.cards_copied(), 1u);
}

TEST_F(WrittenCardsTest, TellsOfObjectsBornOldAmongOthers) {
  root(0) = make_old(2);
  (void)collect_by_copy();
  root(1) = make_old(2);  // into the same block, without a store

  EXPECT_EQ(collect_by_copy().objects_marked, 2u);

  EXPECT_EQ(copying.regions_copied(), 0u);
  EXPECT_GT(copying.cards_copied(), 0u);
}

TEST_F(WrittenCardsTest, TellsOfBlocksThatWereFreeInARegionOfOthers) {
  root(0) = make_old(2);
  (void)collect_by_copy();
  root(1) = make_old(6, 4);                 // of another size: in a block of its own
  slots_of(root(1))[5] = make_old(20, 11);  // as a constructor stores, without a barrier

  EXPECT_EQ(collect_by_copy().objects_marked, 3u);

  EXPECT_EQ(copying.regions_copied(), 0u);
}

// Where a large object died in the marking before, another is made.
TEST_F(WrittenCardsTest, TellsOfRunsThatAreUsedAgain) {
  for (const std::uint32_t slots : {8'000u, 70'000u}) {  // blocks of a region; regions
    root(1) = make_old(2);                               // keeps the blocks' region
    root(0) = make_old(slots, slots);
    const ObjectIndex first = root(0);
    std::fill_n(slots_of(first), slots, ObjectIndex::kNull);
    (void)collect_by_copy();
    root(0) = ObjectIndex::kNull;
    (void)collect_by_copy();
    root(0) = make_old(slots, slots);
    ASSERT_EQ(root(0), first) << "the place was not used again";
    std::fill_n(slots_of(first), slots, ObjectIndex::kNull);
    slots_of(first)[slots - 1] = make_old(2);

    EXPECT_EQ(collect_by_copy().objects_marked, 3u) << slots;
    EXPECT_EQ(copying.regions_copied(), 0u) << slots;
  }
}

TEST_F(WrittenCardsTest, TellsOfSlotsThatFollowedAPromotion) {
  root(0) = make_old(6, 4);  // of another size: the child will not lie beside it
  const ObjectIndex child = make(2);
  std::fill_n(slots_of(child), 2, ObjectIndex::kNull);
  store(root(0), 0, child);
  {
    const Pin pin(*this, child);
    EXPECT_EQ(collect_by_copy().objects_marked, 1u);  // the child stays young
  }

  EXPECT_EQ(collect_by_copy().objects_marked, 2u);  // its slot is rewritten, and nobody stored
}

TEST_F(WrittenCardsTest, TellsOfLargeObjects) {
  (void)collect_by_copy();
  root(0) = make_old(70'000, 40'000);
  (void)collect_by_copy();
  root(1) = make_old(2);
  store(root(0), 69'999, root(1));
  root(1) = ObjectIndex::kNull;

  EXPECT_EQ(collect_by_copy().objects_marked, 2u);
}

TEST_F(WrittenCardsTest, TellsOfAllAfterACompaction) {
  for (std::uint32_t k = 0; k < kRoots; ++k) {
    root(k) = make_old(2);
    for (std::uint32_t garbage = 0; garbage < 600; ++garbage) {
      (void)make_old(2);
    }
  }
  const CollectionReport report = collect_by_copy(Compact::kAlways);
  ASSERT_GT(report.objects_compacted, 0u);

  EXPECT_EQ(collect_by_copy().objects_marked, kRoots);

  EXPECT_GT(copying.regions_copied(), 0u);
}

// Whatever a program does: the collector compares each marking of the copy with one of the heap.
class WrittenCardsStress : public WrittenCardsTest,
                           public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  WrittenCardsStress() : WrittenCardsTest(small_heap(), GetParam()) {}
};

TEST_P(WrittenCardsStress, MarksTheCopyAsTheHeap) {
  for (std::uint32_t step = 0; step < 3000 && !HasFailure(); ++step) {
    const std::uint32_t kind = draw(100);
    if (kind < 50) {
      root(draw(kRoots)) = draw(4) == 0 ? make_old_node(1 + draw(6)) : make_node(1 + draw(6));
    } else if (kind < 95) {
      const ObjectIndex holder = wander();
      if (holder != ObjectIndex::kNull && slot_count(holder) > 0) {
        link(holder, draw(slot_count(holder)), wander());
      }
    } else if (kind < 98) {
      (void)collect_young(draw(2));
    } else {
      (void)collect_by_copy(draw(4) == 0 ? Compact::kAlways : Compact::kNever);
      (void)compare();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, WrittenCardsStress, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace tenure::testing
