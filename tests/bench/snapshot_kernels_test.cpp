// Marking over a snapshot of the edges: on 200 seeded heaps of all shapes the bits, translated, are those
// of a walk over the edges, in every order of lanes and however small the queues are.
#include <cstring>

#include "bench/gpu/edge_snapshot.hpp"
#include "bench/gpu/snapshot_job.hpp"
#include "tests/kernels/kernel_fixture.hpp"
#include "tests/support/plain_graph.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::testing {

namespace {

using kernels::LaunchStatus;

constexpr std::uint32_t kAmple = 4096;  // entries: nothing overflows

Shape shape_of(std::uint64_t seed) { return kShapes[seed % kShapes.size()]; }

class SnapshotKernelTest : public KernelTest {
 protected:
  // Walks the heap, marks its snapshot, and leaves the bits in the heap.
  void mark(const MarkJob& job, std::uint32_t queue_entries, kernels::MarkTuning tuning = {},
            std::uint32_t blocks = 1u << 20) {
    snapshot.walk(job);
    std::vector<std::uint32_t> columns;
    for (const ObjectIndex root : job.roots) {
      columns.push_back(snapshot.column_of(root));
    }
    Buffer<std::uint32_t> roots(columns);
    Buffer<std::uint32_t> rows(snapshot.rows());
    Buffer<std::uint32_t> edges(snapshot.columns());
    Buffer<std::uint32_t> marks(bench::SnapshotLaunch::mark_words(snapshot.numbers()));
    Buffer<std::byte> workspace(bench::SnapshotLaunch::workspace_bytes(queue_entries),
                                std::byte{0xA5});
    const bench::SnapshotLaunch launch{
        .rows = rows.data(),
        .columns = edges.data(),
        .marks = marks.data(),
        .row_count = snapshot.row_count(),
        .numbers = snapshot.numbers(),
        .roots = roots.data(),
        .root_count = static_cast<std::uint32_t>(columns.size()),
        .workspace = {.memory = workspace.data(), .queue_entries = queue_entries},
        .blocks = std::min(blocks, bench::query_snapshot_grid().blocks),
        .tuning = tuning};
    ASSERT_EQ(launch_snapshot_roots(nullptr, launch), LaunchStatus::kOk);
    ASSERT_EQ(launch_snapshot_to_end(nullptr, launch), LaunchStatus::kOk);
    std::memcpy(&counters, workspace.read().data(), sizeof(counters));
    ASSERT_EQ(counters.left, 0u);
    snapshot.translate(marks.read(), job.heap);
  }

  void expect_exact(std::uint64_t seed, std::uint32_t queue_entries,
                    kernels::MarkTuning tuning = {}, std::uint32_t objects = 300) {
    RandomHeap heap(shape_of(seed), seed, objects);
    ASSERT_NO_FATAL_FAILURE(mark(heap.job(), queue_entries, tuning)) << "seed " << seed;
    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
    std::uint64_t marked = 0;
    for (const std::uint32_t word : heap.marks()) {
      marked += static_cast<std::uint64_t>(std::popcount(word));
    }
    ASSERT_EQ(counters.objects, marked) << "seed " << seed;
  }

  Team team{2};
  bench::EdgeSnapshot snapshot{team};
  kernels::MarkCounters counters;
};

TEST_F(SnapshotKernelTest, MarksWhatTheRootsReachAndNothingElse) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_exact(seed, kAmple));
  }
}

TEST_F(SnapshotKernelTest, MarksTheSameInEveryOrderOfLanes) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    use_order(static_cast<unsigned>(seed));
    ASSERT_NO_FATAL_FAILURE(expect_exact(seed, seed % 3 == 0 ? 5 : kAmple));
  }
}

TEST_F(SnapshotKernelTest, MarksTheSameWhereQueuesOverflow) {
  std::uint32_t read_again = 0;
  for (std::uint64_t seed = 1; seed <= share_of(70); ++seed) {
    ASSERT_NO_FATAL_FAILURE(expect_exact(seed, 1 + static_cast<std::uint32_t>(seed % 40)));
    read_again += counters.overflow_regions;
  }
  for (std::uint64_t seed = 4; seed <= 39;
       seed += 7) {  // leaves behind rows, in one region of bits
    ASSERT_NO_FATAL_FAILURE(expect_exact(seed, 1, {.chase_narrow = 0, .chase_wide = 0}));
    read_again += counters.overflow_regions;
  }
  EXPECT_GT(read_again, 0u);
}

TEST_F(SnapshotKernelTest, MarksTheSameWhetherChainsAreFollowedOrNot) {
  for (std::uint64_t seed = 1; seed <= share_of(70); ++seed) {
    for (const std::uint32_t bound : {0u, 1u, 64u}) {
      ASSERT_NO_FATAL_FAILURE(
          expect_exact(seed, kAmple, {.chase_narrow = bound, .chase_wide = bound}));
    }
  }
}

TEST_F(SnapshotKernelTest, MarksWiderHeapsByTheWholeGrid) {
  for (std::uint64_t seed = 1; seed <= share_of(10); ++seed) {
    use_order(static_cast<unsigned>(seed));
    ASSERT_NO_FATAL_FAILURE(expect_exact(seed, seed % 2 == 0 ? 700 : 8192, {}, 6000));
  }
}

TEST_F(SnapshotKernelTest, SpreadsBigArraysOverTheGrid) {
  constexpr std::uint32_t kSlots = 80'000;  // more than one block reads
  constexpr std::uint32_t kObjects = 3000;
  PlainGraph graph(kObjects, 1, kSlots);
  for (std::uint32_t k = 0; k < kSlots; ++k) {
    graph.set_slot(graph.array(), k, graph.object(k % kObjects));
  }
  const ObjectIndex root = graph.array();

  ASSERT_NO_FATAL_FAILURE(mark(graph.job({&root, 1}), kAmple));

  EXPECT_EQ(graph.marked(), kObjects + 1);
  EXPECT_EQ(counters.references, kSlots);
  EXPECT_EQ(counters.big_objects, 1u);
}

TEST_F(SnapshotKernelTest, FollowsAListInFewLevels) {
  constexpr std::uint32_t kLength = 2000;
  PlainGraph list(kLength, 1);
  for (std::uint32_t k = 0; k + 1 < kLength; ++k) {
    list.set_slot(list.object(k), 0, list.object(k + 1));
  }
  const ObjectIndex root = list.object(0);

  ASSERT_NO_FATAL_FAILURE(mark(list.job({&root, 1}), kAmple));

  EXPECT_EQ(list.marked(), kLength);
  EXPECT_LE(counters.levels, kLength / 64 + 2);
  EXPECT_EQ(counters.levels, counters.narrow_levels);
}

TEST_F(SnapshotKernelTest, MarksRootsThatAreLeaves) {
  RandomHeap heap(Shape::kRandom, 9);
  std::vector<ObjectIndex> roots;
  for (std::size_t place = 0; place < heap.size(); ++place) {
    if (is_leaf(heap.job().heap, heap.object(place))) {
      roots.push_back(heap.object(place));
    }
  }
  MarkJob job = heap.job();
  job.roots = roots;

  ASSERT_NO_FATAL_FAILURE(mark(job, kAmple));

  EXPECT_EQ(counters.objects, roots.size());
  EXPECT_EQ(counters.references, 0u);
  EXPECT_TRUE(is_marked(job.heap.marks, roots.front()));
}

}  // namespace

}  // namespace tenure::testing
