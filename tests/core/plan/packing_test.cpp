// Layouts are valid, never below the bound, and near the best there is: held against a brute force that
// shares nothing with them, on problems small enough for one.
#include "core/plan/packing.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <random>
#include <vector>

#include "core/plan/first_fit.hpp"
#include "core/plan/packing_search.hpp"

namespace tenure {
namespace {

using Blocks = std::vector<Lifetime>;

Blocks random_blocks(std::mt19937_64& random, std::uint32_t count, std::uint32_t moments,
                     bool may_go_round) {
  Blocks blocks;
  while (blocks.size() < count) {
    const auto begin = static_cast<std::uint32_t>(random() % moments);
    const auto end = static_cast<std::uint32_t>(1 + random() % moments);
    if (begin < end || may_go_round) {
      blocks.push_back({begin, end, 1 + random() % 5});
    }
  }
  return blocks;
}

// The lowest height there is: every order of first fit, which has one that is best.
std::uint64_t lowest_of_all(const Blocks& blocks) {
  std::vector<std::uint32_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0u);
  std::uint64_t lowest = ~std::uint64_t{0};
  do {
    std::vector<std::uint64_t> offsets(blocks.size());
    std::uint64_t height = 0;
    for (std::size_t k = 0; k < order.size(); ++k) {
      const Lifetime& mine = blocks[order[k]];
      std::uint64_t offset = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t j = 0; j < k; ++j) {
          const Lifetime& other = blocks[order[j]];
          const std::uint64_t top = offsets[order[j]] + other.bytes;
          if (meet(mine, other) && offset < top && offsets[order[j]] < offset + mine.bytes) {
            offset = top;
            moved = true;
          }
        }
      }
      offsets[order[k]] = offset;
      height = std::max(height, offset + mine.bytes);
    }
    lowest = std::min(lowest, height);
  } while (std::next_permutation(order.begin(), order.end()));
  return lowest;
}

// The bound, moment by moment.
std::uint64_t slow_peak(const Blocks& blocks, std::uint32_t moments) {
  std::uint64_t peak = 0;
  for (std::uint32_t at = 0; at <= moments; ++at) {
    std::uint64_t live = 0;
    for (const Lifetime& block : blocks) {
      const bool lives = block.goes_round() ? at >= block.begin || at < block.end
                                            : at >= block.begin && at < block.end;
      live += lives ? block.bytes : 0;
    }
    peak = std::max(peak, live);
  }
  return peak;
}

TEST(LifetimeTest, CountsThePeakAsMomentByMoment) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    const Blocks blocks = random_blocks(random, 1 + round % 12, 9, round % 2 == 0);

    EXPECT_EQ(peak_of(blocks), slow_peak(blocks, 9));
  }
}

TEST(LifetimeTest, NamesTheFaultOfALayout) {
  const Blocks blocks = {{0, 4, 10}, {2, 6, 10}, {4, 8, 10}};

  EXPECT_EQ(fault_of(blocks, {20, {0, 10, 0}}), "");
  EXPECT_NE(fault_of(blocks, {20, {0, 9, 0}}), "") << "the first two share a byte";
  EXPECT_NE(fault_of(blocks, {20, {0, 11, 0}}), "") << "the second ends above the height";
  EXPECT_NE(fault_of(blocks, {20, {0, 10}}), "") << "the third has no place";
  EXPECT_NE(fault_of(blocks, {30, {0, 10, 11}}), "") << "the last two share bytes";
}

TEST(LifetimeTest, FindsFaultsAcrossTheTurn) {
  const Blocks blocks = {{6, 2, 10}, {1, 3, 10}, {5, 7, 10}, {3, 3, 10}};

  EXPECT_EQ(fault_of(blocks, {30, {0, 10, 10, 20}}), "");
  EXPECT_NE(fault_of(blocks, {30, {0, 9, 10, 20}}), "") << "it lives on in the next round";
  EXPECT_NE(fault_of(blocks, {30, {0, 10, 9, 20}}), "") << "it was there when the other came";
  EXPECT_NE(fault_of(blocks, {30, {0, 10, 10, 15}}), "") << "it is there all the time";
}

TEST(PackingTest, FindsTheLowestLayoutOfSmallProblems) {
  std::mt19937_64 random(12);
  std::uint32_t above = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const Blocks blocks = random_blocks(random, 2 + round % 6, 8, round % 3 == 0);

    const Layout layout = pack(blocks);

    ASSERT_EQ(fault_of(blocks, layout), "");
    const std::uint64_t lowest = lowest_of_all(blocks);
    ASSERT_GE(layout.height, lowest);
    above += layout.height > lowest ? 1 : 0;
  }
  EXPECT_EQ(above, 0u);
}

TEST(PackingTest, IsValidForLivesOfAllKinds) {
  std::mt19937_64 random(13);
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const Blocks blocks = random_blocks(random, 300, 400, round % 2 == 0);

    const Layout layout = pack(blocks, {.pairs = 500'000, .steps = 200});

    EXPECT_EQ(fault_of(blocks, layout), "");
    EXPECT_GE(layout.height, peak_of(blocks));
  }
}

TEST(PackingTest, IsTheSameTwice) {
  std::mt19937_64 random(14);
  const Blocks blocks = random_blocks(random, 400, 300, true);

  EXPECT_EQ(pack(blocks, {.pairs = 2'000'000}).offsets, pack(blocks, {.pairs = 2'000'000}).offsets);
}

TEST(PackingTest, TakesNoBlocksAndOne) {
  EXPECT_EQ(pack({}).height, 0u);
  const Blocks one = {{3, 5, 512}};
  EXPECT_EQ(pack(one).height, 512u);
  EXPECT_EQ(pack(one).offsets, std::vector<std::uint64_t>{0});
}

// In order of size 4, 3 and 3 lie badly: the search has to find that the 3s go below each other.
TEST(PackingTest, LaysLowerThanTheOrderBySizeAlone) {
  const Blocks blocks = {{0, 2, 3}, {1, 4, 4}, {3, 6, 3}, {5, 8, 4},
                         {0, 1, 4}, {7, 8, 3}, {2, 3, 3}};
  std::vector<std::uint32_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), 0u);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });

  EXPECT_LE(pack(blocks).height, FirstFit(blocks).place(by_size).height);
  EXPECT_EQ(pack(blocks).height, peak_of(blocks));
}

TEST(PackingSearchTest, FitsExactlyWhereThereIsALayout) {
  std::mt19937_64 random(15);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const Blocks blocks = random_blocks(random, 2 + round % 6, 8, false);
    const std::uint64_t lowest = lowest_of_all(blocks);
    PackingSearch search(blocks);

    const std::optional<Layout> fits = search.fit(lowest, 1'000'000);
    ASSERT_TRUE(fits.has_value());
    EXPECT_EQ(fault_of(blocks, *fits), "");
    EXPECT_FALSE(search.fit(lowest - 1, 1'000'000).has_value());
  }
}

TEST(PackingSearchTest, GivesUpAfterItsSteps) {
  std::mt19937_64 random(16);
  const Blocks blocks = random_blocks(random, 300, 200, false);

  EXPECT_FALSE(PackingSearch(blocks).fit(peak_of(blocks), 3).has_value());
}

// As in a training step: most blocks die soon, some live to the end. The limit is the promise of one
// second with room for a slow machine and for a sanitizer.
TEST(PackingTest, PacksTenThousandBlocksInSeconds) {
  std::mt19937_64 random(17);
  Blocks blocks;
  for (std::uint32_t k = 0; k < 10'000; ++k) {
    const std::uint32_t life = random() % 10 < 7 ? 1 + random() % 8 : 1 + random() % 8'000;
    blocks.push_back({2 * k, std::min(2 * k + life, 20'001u), 512 * (1 + random() % 4'000)});
  }
  const auto begun = std::chrono::steady_clock::now();

  const Layout layout = pack(blocks);

  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  RecordProperty("milliseconds", static_cast<int>(1e3 * took.count()));
  EXPECT_EQ(fault_of(blocks, layout), "");
  EXPECT_LE(static_cast<double>(layout.height), 1.1 * static_cast<double>(peak_of(blocks)));
  EXPECT_LT(took.count(), TENURE_TEST_SLOWNESS);
}

}  // namespace
}  // namespace tenure
