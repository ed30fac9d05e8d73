// Room follows rate and cost by the root, and what lives in proportion.
#include "core/gc/heap_sizing.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

// A heap of `live` that fills by `rate` bytes a millisecond, marked at `speed` bytes a millisecond.
struct Load {
  Bytes live = 100_MiB;
  std::uint64_t rate = 0;
  std::uint64_t speed = 0;
};

// Runs it by the limits until they have settled.
//
// returns   the share of time that goes into marking
double run(HeapSizing& sizing, const Load& load) {
  double share = 0.0;
  for (int k = 0; k < 50; ++k) {
    const Bytes grown = sizing.room(load.live);
    const std::uint64_t apart = grown.count() * kMillisecond / load.rate;
    const std::uint64_t work = load.live.count() * kMillisecond / load.speed;
    sizing.learn({.grown = grown, .apart_ns = apart, .marked = load.live, .work_ns = work});
    share = static_cast<double>(work) / static_cast<double>(apart);
  }
  return share;
}

TEST(HeapSizing, GivesRoomForAsMuchAsLivesUntilItKnowsMore) {
  EXPECT_EQ(HeapSizing().room(64_MiB), 64_MiB);
}

TEST(HeapSizing, TakesATenthOfTheTimeWhereTheRateIsATenthOfTheSpeed) {
  HeapSizing sizing;

  const double share = run(sizing, {.rate = 50'000, .speed = 500'000});

  EXPECT_NEAR(share, 0.1, 0.005);
  EXPECT_NEAR(static_cast<double>(sizing.room(100_MiB).count()),
              static_cast<double>((100_MiB).count()), 1e6);
}

TEST(HeapSizing, GivesTwiceTheRoomAtFourTimesTheRate) {
  HeapSizing slow;
  HeapSizing fast;

  const double slow_share = run(slow, {.rate = 40'000, .speed = 500'000});
  const double fast_share = run(fast, {.rate = 160'000, .speed = 500'000});

  EXPECT_NEAR(static_cast<double>(fast.room(100_MiB).count()) /
                  static_cast<double>(slow.room(100_MiB).count()),
              2.0, 0.02);
  EXPECT_NEAR(fast_share / slow_share, 2.0, 0.02) << "and takes twice the share of time";
}

TEST(HeapSizing, IsTheSameShareForALargeHeapAndASmallOne) {
  HeapSizing small;
  HeapSizing large;

  const double small_share = run(small, {.live = 10_MiB, .rate = 20'000, .speed = 500'000});
  const double large_share = run(large, {.live = 10_GiB, .rate = 20'000, .speed = 500'000});

  EXPECT_NEAR(small_share, large_share, 1e-3);
}

TEST(HeapSizing, NeverGivesLessThanAQuarterNorMoreThanFourTimes) {
  HeapSizing idle;
  HeapSizing flooded;

  run(idle, {.rate = 10, .speed = 500'000});
  run(flooded, {.rate = 50'000'000, .speed = 500'000});

  EXPECT_EQ(idle.room(100_MiB), 25_MiB);
  EXPECT_EQ(flooded.room(100_MiB), 400_MiB);
}

TEST(HeapSizing, LearnsNothingFromCollectionsAtOnceAfterAnother) {
  HeapSizing sizing;

  for (int k = 0; k < 20; ++k) {
    sizing.learn({.grown = 1_MiB,
                  .apart_ns = 100 * kMillisecond,
                  .marked = 100_MiB,
                  .work_ns = 200 * kMillisecond});
    sizing.learn({.grown = 0_B, .apart_ns = 0, .marked = 0_B, .work_ns = 0});
  }

  EXPECT_EQ(sizing.room(100_MiB), 100_MiB);
}

}  // namespace
}  // namespace tenure
