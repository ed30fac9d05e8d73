// Marking by kernels: on 200 seeded heaps of all shapes the bits are those of a walk over the edges,
// whoever drives the levels, however small the queues are, in every order of lanes.
#include <bit>
#include <numeric>

#include "core/model/serial_marker.hpp"
#include "tests/kernels/device_marking.hpp"
#include "tests/kernels/kernel_fixture.hpp"
#include "tests/support/plain_graph.hpp"

namespace tenure::testing {

namespace {

constexpr std::uint32_t kAmple = 4096;  // entries: nothing overflows

Shape shape_of(std::uint64_t seed) { return kShapes[seed % kShapes.size()]; }

MarkStats serial_stats(RandomHeap& heap) {
  SerialMarker marker;
  marker.begin(heap.job());
  return marker.complete();
}

class MarkTest : public KernelTest {
 protected:
  // A fresh heap each time: marking leaves its bits in it.
  static void expect_exact(std::uint64_t seed, Driver driver, std::uint32_t queue_entries,
                           kernels::MarkTuning tuning = {}) {
    RandomHeap heap(shape_of(seed), seed);
    DeviceMarking marking(heap.arrays(), queue_entries);
    marking.launch().tuning = tuning;

    marking.mark(heap.job().roots, driver);

    ASSERT_EQ(marking.marks(), heap.expected_marks()) << "seed " << seed;
    ASSERT_EQ(marking.counters().objects, serial_stats(heap).objects) << "seed " << seed;
  }
};

TEST_F(MarkTest, MarksWhatTheRootsReachAndNothingElse) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    expect_exact(seed, Driver::kGrid, kAmple);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_F(MarkTest, MarksTheSameLevelByLevel) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    expect_exact(seed, Driver::kHost, kAmple);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_F(MarkTest, MarksTheSameInEveryOrderOfLanes) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    use_order(static_cast<unsigned>(seed));
    expect_exact(seed, seed % 2 == 0 ? Driver::kGrid : Driver::kHost, seed % 3 == 0 ? 5 : kAmple);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_F(MarkTest, MarksTheSameWhereQueuesOverflow) {
  for (std::uint64_t seed = 1; seed <= share_of(70); ++seed) {
    for (const Driver driver : {Driver::kGrid, Driver::kHost}) {
      expect_exact(seed, driver, 1 + static_cast<std::uint32_t>(seed % 40));
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

TEST_F(MarkTest, MarksTheSameWhetherChainsAreFollowedOrNot) {
  for (std::uint64_t seed = 1; seed <= share_of(70); ++seed) {
    for (const std::uint32_t bound : {0u, 1u, 64u}) {
      expect_exact(seed, Driver::kGrid, kAmple, {.chase_narrow = bound, .chase_wide = bound});
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

TEST_F(MarkTest, CountsEachReferenceOnce) {
  for (std::uint64_t seed = 1; seed <= share_of(35); ++seed) {
    RandomHeap heap(shape_of(seed), seed);
    DeviceMarking marking(heap.arrays(), kAmple);

    marking.mark(heap.job().roots);

    ASSERT_EQ(marking.counters().references, serial_stats(heap).references) << "seed " << seed;
    ASSERT_EQ(marking.counters().overflow_regions, 0u) << "seed " << seed;
  }
}

TEST_F(MarkTest, ReadsRegionsAgainAndSaysSo) {
  use_order(3);
  for (const std::uint32_t blocks : {1u, 1u << 20}) {  // one block looks at all regions
    RandomHeap heap(Shape::kStar, 4);
    DeviceMarking marking(heap.arrays(), 8, blocks);
    marking.launch().tuning = {.chase_narrow = 0, .chase_wide = 0};

    marking.mark(heap.job().roots);

    EXPECT_GT(marking.counters().overflow_regions, 0u);
    EXPECT_EQ(marking.marks(), heap.expected_marks());
  }
}

TEST_F(MarkTest, MarksWiderHeapsByTheWholeGrid) {
  for (std::uint64_t seed = 1; seed <= share_of(10); ++seed) {
    RandomHeap heap(shape_of(seed), seed, 6000);
    DeviceMarking marking(heap.arrays(), seed % 2 == 0 ? 700 : 8192);

    marking.mark(heap.job().roots);

    ASSERT_EQ(marking.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TEST_F(MarkTest, ReadsBigArraysWithMoreThanATile) {
  use_order(3);
  for (const std::uint32_t blocks : {1u, 1u << 20}) {  // one block reads several in a row
    RandomHeap heap(Shape::kBigArrays, 6);
    DeviceMarking marking(heap.arrays(), kAmple, blocks);

    marking.mark(heap.job().roots);

    EXPECT_GT(marking.counters().big_objects, 1u);
    EXPECT_EQ(marking.marks(), heap.expected_marks());
  }
}

// A tree of big arrays: one block reads several in a row, and each has children that no other has.
TEST_F(MarkTest, ReadsBigArraysOneAfterTheOther) {
  constexpr std::uint32_t kArrays = 60;
  constexpr std::uint32_t kFanOut = 5;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    use_order(seed);
    PlainGraph tree(kArrays, kernels::kBigObject + 1);
    for (std::uint32_t k = 1; k < kArrays; ++k) {
      const std::uint32_t slot = (k - 1) % kFanOut * kernels::kBigObject / kFanOut;
      tree.set_slot(tree.object((k - 1) / kFanOut), slot, tree.object(k));
    }
    DeviceMarking marking(tree.arrays(), kAmple, 1);
    const ObjectIndex root = tree.object(0);

    marking.mark({&root, 1});

    ASSERT_EQ(marking.counters().objects, kArrays) << "seed " << seed;
    ASSERT_EQ(marking.counters().big_objects, kArrays) << "seed " << seed;
  }
}

TEST_F(MarkTest, SpreadsAHugeArrayOverTheGrid) {
  constexpr std::uint32_t kSlots = kernels::kBigObject * 40;
  constexpr std::uint32_t kObjects = 3000;
  PlainGraph graph(kObjects, 1, kSlots);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    graph.set_slot(graph.array(), slot, graph.object(slot % kObjects));
  }
  DeviceMarking marking(graph.arrays(), kAmple);
  const ObjectIndex root = graph.array();

  marking.mark({&root, 1});

  EXPECT_EQ(marking.counters().objects, kObjects + 1);
  EXPECT_EQ(marking.counters().references, kSlots);
  EXPECT_EQ(marking.counters().big_objects, 1u);
}

TEST_F(MarkTest, FollowsAListInFewLevels) {
  constexpr std::uint32_t kLength = 2000;
  PlainGraph list(kLength, 1);
  for (std::uint32_t k = 0; k + 1 < kLength; ++k) {
    list.set_slot(list.object(k), 0, list.object(k + 1));
  }
  DeviceMarking marking(list.arrays(), kAmple);
  const ObjectIndex root = list.object(0);

  marking.mark({&root, 1});

  EXPECT_EQ(marking.counters().objects, kLength);
  EXPECT_LE(marking.counters().levels, kLength / 64 + 2);
  EXPECT_EQ(marking.counters().levels, marking.counters().narrow_levels);
}

TEST_F(MarkTest, TakesFurtherRootsOnTheSameBits) {
  for (std::uint64_t seed = 1; seed <= share_of(20); ++seed) {
    RandomHeap heap(shape_of(seed), seed);
    DeviceMarking marking(heap.arrays(), kAmple);
    const std::span<const ObjectIndex> roots = heap.job().roots;

    marking.mark(roots.first(1));
    marking.mark(roots.subspan(1));

    ASSERT_EQ(marking.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TEST_F(MarkTest, MarksNothingWithoutRoots) {
  RandomHeap heap(Shape::kRandom, 3);
  for (const Driver driver : {Driver::kGrid, Driver::kHost}) {
    DeviceMarking marking(heap.arrays(), kAmple);

    marking.mark({}, driver);

    EXPECT_EQ(marking.counters().objects, 0u);
    EXPECT_EQ(marking.counters().left, 0u);
  }
}

}  // namespace

}  // namespace tenure::testing
