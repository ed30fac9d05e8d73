#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tenure/statistics.hpp"

namespace tenure {
namespace {

TEST(PauseHistogram, IsEmptyAtFirst) {
  const PauseHistogram histogram;

  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile_ns(99), 0u);
}

TEST(PauseHistogram, GivesPercentilesWithinSixPerCentOfASortedList) {
  const std::uint64_t seed = 11;
  std::mt19937_64 random(seed);
  PauseHistogram histogram;
  std::vector<std::uint64_t> all;
  for (int k = 0; k < 20'000; ++k) {
    const std::uint64_t pause = std::uint64_t{1} << (random() % 34);
    const std::uint64_t duration = pause + random() % pause;
    histogram.add(duration);
    all.push_back(duration);
  }
  std::sort(all.begin(), all.end());

  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(percent / 100.0 * static_cast<double>(all.size()));
    const auto exact = static_cast<double>(all[rank - 1]);
    const auto found = static_cast<double>(histogram.percentile_ns(percent));
    EXPECT_GE(found, exact * 0.999) << percent << ", seed " << seed;
    EXPECT_LE(found, exact * 1.07) << percent << ", seed " << seed;
  }
  EXPECT_EQ(histogram.percentile_ns(100), all.back());
}

TEST(PauseHistogram, SumsAndKeepsTheLongest) {
  PauseHistogram histogram;
  for (const std::uint64_t pause : {3u, 1'000'000u, 50u}) {
    histogram.add(pause);
  }

  EXPECT_EQ(histogram.total_ns(), 1'000'053u);
  EXPECT_EQ(histogram.max_ns(), 1'000'000u);
}

TEST(PauseHistogram, CountsThoseBeyondATarget) {
  PauseHistogram histogram;
  for (std::uint64_t pause = 1; pause <= 100; ++pause) {
    histogram.add(pause * 1'000'000);
  }

  EXPECT_EQ(histogram.count_above(1'000'000'000), 0u);
  EXPECT_NEAR(static_cast<double>(histogram.count_above(50'000'000)), 50.0, 4.0);
}

TEST(PauseHistogram, TellsWhatCameSinceACopy) {
  PauseHistogram histogram;
  histogram.add(5'000'000);
  const PauseHistogram before = histogram;
  histogram.add(1'000);
  histogram.add(3'000);

  const PauseHistogram since = histogram.since(before);

  EXPECT_EQ(since.count(), 2u);
  EXPECT_EQ(since.total_ns(), 4'000u);
  EXPECT_GE(since.max_ns(), 3'000u);
  EXPECT_LE(since.max_ns(), 3'200u);
  EXPECT_EQ(histogram.since(histogram).max_ns(), 0u);
}

TEST(PauseHistogram, AddsUpWhatTwoHaveSeen) {
  PauseHistogram one;
  one.add(10);
  PauseHistogram other;
  other.add(7'000);
  other.add(1);

  one.add_all(other);

  EXPECT_EQ(one.count(), 3u);
  EXPECT_EQ(one.total_ns(), 7'011u);
  EXPECT_EQ(one.max_ns(), 7'000u);
  EXPECT_EQ(one.percentile_ns(50), 10u);
}

TEST(PauseHistogram, TakesTheLongestDurationThereIs) {
  PauseHistogram histogram;
  histogram.add(~std::uint64_t{0});
  histogram.add(0);

  EXPECT_EQ(histogram.max_ns(), ~std::uint64_t{0});
  EXPECT_EQ(histogram.percentile_ns(100), ~std::uint64_t{0});
}

}  // namespace
}  // namespace tenure
