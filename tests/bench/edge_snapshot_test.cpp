// The walk that makes a snapshot of the edges: it has what an independent list of the edges has, and the
// same by any number of threads.
#include "bench/gpu/edge_snapshot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "bench/gpu/big_heap.hpp"
#include "tests/support/plain_graph.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::bench {

namespace {

using Columns = std::vector<std::uint32_t>;

std::uint32_t number_of(std::uint32_t column) { return column & ~kLeafColumn; }

Columns columns_of(const EdgeSnapshot& snapshot, std::uint32_t row) {
  const auto columns = snapshot.columns();
  return {columns.begin() + snapshot.rows()[row], columns.begin() + snapshot.rows()[row + 1]};
}

class EdgeSnapshotTest : public ::testing::Test {
 protected:
  Team team{3};
  EdgeSnapshot snapshot{team};
};

TEST_F(EdgeSnapshotTest, HasTheEdgesOfRandomHeapsAndNoOthers) {
  for (std::uint64_t seed = 1; seed <= 70; ++seed) {
    SCOPED_TRACE(seed);
    testing::RandomHeap heap(testing::kShapes[seed % testing::kShapes.size()], seed);
    const MarkJob job = heap.job();

    snapshot.walk(job);

    std::set<std::uint32_t> numbers;
    std::size_t edges = 0;
    for (std::size_t place = 0; place < heap.size(); ++place) {
      const std::uint32_t column = snapshot.column_of(heap.object(place));
      if (!marking_claims(job.heap, heap.object(place))) {
        ASSERT_EQ(column, 0u);
        continue;
      }
      ASSERT_TRUE(numbers.insert(number_of(column)).second) << "two objects have one number";
      ASSERT_EQ((column & kLeafColumn) != 0, is_leaf(job.heap, heap.object(place)));
      ASSERT_EQ(number_of(column) >= snapshot.row_count(), is_leaf(job.heap, heap.object(place)));
      Columns expected;
      for (const std::size_t child : heap.children(place)) {
        if (marking_claims(job.heap, heap.object(child))) {
          expected.push_back(snapshot.column_of(heap.object(child)));
        }
      }
      edges += expected.size();
      if (!is_leaf(job.heap, heap.object(place))) {
        ASSERT_EQ(columns_of(snapshot, column), expected);
      }
    }
    ASSERT_EQ(snapshot.columns().size(), edges) << "something that is no object has columns";
    ASSERT_FALSE(numbers.contains(0));
    ASSERT_LT(*numbers.rbegin(), snapshot.numbers());
  }
}

TEST_F(EdgeSnapshotTest, LeavesOutWhatIsDead) {
  constexpr std::uint32_t kObjects = 3000;
  testing::PlainGraph graph(kObjects, 2);
  for (std::uint32_t k = 0; k < kObjects; ++k) {
    const std::uint32_t next = k % 3 == 2 ? k + 2 : k + 1;  // one that is alive
    graph.set_slot(graph.object(k), 0, graph.object(next % kObjects));
  }
  for (std::uint32_t k = 0; k < kObjects; k += 3) {  // free, and full of what was there before
    graph.set_header(graph.object(k), static_cast<std::uint32_t>(TypeId::kFreeCell), 12345);
  }

  snapshot.walk(graph.job({}));

  EXPECT_EQ(snapshot.columns().size(), kObjects * 2 / 3);
  for (std::uint32_t k = 0; k < kObjects; ++k) {
    const std::uint32_t row = snapshot.column_of(graph.object(k));
    ASSERT_EQ(columns_of(snapshot, row).size(), k % 3 == 0 ? 0u : 1u);
    ASSERT_EQ(std::ranges::count(snapshot.columns(), row) == 0, k % 3 == 0);
  }
}

TEST_F(EdgeSnapshotTest, GoesByTheMarksWhereNobodyHasSwept) {
  testing::RandomHeap heap(testing::Shape::kRandom, 5);
  const MarkJob job = heap.job();
  snapshot.walk(job);
  const std::size_t all = snapshot.columns().size();
  auto* const blocks = const_cast<BlockRow*>(job.heap.blocks);
  for (std::uint32_t block = 0; block < job.regions * kBlocksPerRegion; ++block) {
    blocks[block].flags |= BlockRow::kUnswept;
  }
  const std::uint32_t kept = 0;  // of all objects this one is marked
  claim_alone(job.heap.marks, heap.object(kept));

  snapshot.walk(job);

  const auto is_covered = [&](std::size_t child) {
    return marking_claims(job.heap, heap.object(child));
  };
  const auto& children = heap.children(kept);
  const auto expected = std::count_if(children.begin(), children.end(), is_covered);
  std::size_t of_cells = 0;
  for (std::uint32_t block = 0; block < job.regions * kBlocksPerRegion; ++block) {
    const auto first = static_cast<ObjectIndex>(first_granule_of_block(block));
    const std::uint32_t column = snapshot.column_of(first);
    if (blocks[block].kind != BlockKind::kCells || column == 0 || (column & kLeafColumn) != 0) {
      continue;
    }
    for (std::uint32_t k = 0; k < kGranulesPerBlock / blocks[block].cell; ++k) {
      of_cells += columns_of(snapshot, column + k).size();
    }
  }
  EXPECT_EQ(of_cells, static_cast<std::size_t>(expected));
  EXPECT_GT(all, of_cells);
}

TEST_F(EdgeSnapshotTest, SharesALargeObjectOutByItsRegions) {
  constexpr std::uint32_t kSlots = 200'000;  // of four regions
  testing::PlainGraph graph(1000, 1, kSlots);
  Columns expected;
  for (std::uint32_t k = 0; k < kSlots; ++k) {
    if (k % 3 != 1) {
      graph.set_slot(graph.array(), k, graph.object(k % 1000));
    }
  }
  graph.set_slot(graph.object(7), 0, graph.array());

  const MarkJob job = graph.job({});
  // Of an object's rows its head's alone says what it is.
  auto* const rows = const_cast<RegionRow*>(job.heap.regions);
  for (std::uint32_t region = 1; region < job.regions; ++region) {
    rows[region].leaf = rows[region].kind == RegionKind::kLargeTail ? 1 : 0;
  }

  snapshot.walk(job);

  for (std::uint32_t k = 0; k < kSlots; ++k) {
    if (k % 3 != 1) {
      expected.push_back(snapshot.column_of(graph.object(k % 1000)));
    }
  }
  EXPECT_EQ(columns_of(snapshot, snapshot.column_of(graph.array())), expected);
  EXPECT_EQ(columns_of(snapshot, snapshot.column_of(graph.object(7))),
            Columns{snapshot.column_of(graph.array())});
}

TEST_F(EdgeSnapshotTest, IsTheSameByAnyNumberOfThreads) {
  Team one(1);
  EdgeSnapshot alone(one);
  for (const BigShape shape : {BigShape::kGraph, BigShape::kList, BigShape::kWideArray}) {
    for (const Leaves leaves : {Leaves::kNone, Leaves::kHalf}) {
      BigHeap heap({shape, Order::kShuffled, leaves, 100'000, 4}, 2);

      alone.walk(heap.job());
      snapshot.walk(heap.job());

      ASSERT_EQ(alone.numbers(), snapshot.numbers());
      ASSERT_TRUE(std::ranges::equal(alone.rows(), snapshot.rows()));
      ASSERT_TRUE(std::ranges::equal(alone.columns(), snapshot.columns()));
    }
  }
}

TEST_F(EdgeSnapshotTest, SaysInOrderWhatIsWritten) {
  BigHeap heap({.order = Order::kShuffled, .objects = 100'000, .references = 4}, 2);
  Columns rows;
  Columns columns;

  snapshot.walk(heap.job(), [&](std::uint32_t row_end, std::uint64_t column_end) {
    const std::uint32_t* const row = snapshot.rows().data();
    const std::uint32_t* const column = snapshot.columns().data();
    rows.insert(rows.end(), row + rows.size(), row + row_end);
    columns.insert(columns.end(), column + columns.size(), column + column_end);
  });

  EXPECT_TRUE(std::ranges::equal(columns, snapshot.columns()));
  rows.push_back(snapshot.rows().back());
  EXPECT_TRUE(std::ranges::equal(rows, snapshot.rows()));
}

TEST_F(EdgeSnapshotTest, TranslatesEachNumbersBit) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    testing::RandomHeap heap(testing::kShapes[seed % testing::kShapes.size()], seed);
    const MarkJob job = heap.job();
    snapshot.walk(job);
    for (std::size_t place = 0; place < heap.size(); ++place) {
      claim_alone(job.heap.marks, heap.object(place));  // what a marking before has left
    }
    Columns bits((snapshot.numbers() + 31) / 32);
    Columns expected(heap.marks().size());
    for (std::size_t place = 0; place < heap.size(); ++place) {
      const bool is_covered = marking_claims(job.heap, heap.object(place));
      if (is_covered && place % 2 == 0) {
        const std::uint32_t number = number_of(snapshot.column_of(heap.object(place)));
        bits[number / 32] |= 1u << (number % 32);
      }
      if (!is_covered || place % 2 == 0) {
        claim_alone(expected.data(), heap.object(place));
      }
    }

    snapshot.translate(bits, job.heap);

    ASSERT_EQ(heap.marks(), expected);
  }
}

}  // namespace

}  // namespace tenure::bench
