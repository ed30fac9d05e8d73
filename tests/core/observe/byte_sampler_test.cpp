#include "core/observe/byte_sampler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace tenure::testing {
namespace {

constexpr std::uint64_t kSeed = 7;

TEST(ByteSampler, WeighsSoThatSumsHaveNoBiasWhateverTheSize) {
  for (std::uint64_t size = 2; size <= 131'072; size *= 4) {
    constexpr double kInterval = 8192;
    constexpr double kSamples = 20'000;
    const double chance = 1 / weight_of(static_cast<double>(size), kInterval);
    const auto allocations = static_cast<std::uint64_t>(kSamples / chance);
    ByteSampler sampler;
    sampler.begin(kInterval, kSeed);

    double estimate = 0;
    for (std::uint64_t k = 0; k < allocations; ++k) {
      estimate += sampler.pass(size) ? 1 / chance : 0;
    }

    // Four standard deviations of 20,000 draws.
    EXPECT_NEAR(estimate / static_cast<double>(allocations), 1.0, 4 / std::sqrt(kSamples))
        << size << " units, seed " << kSeed;
  }
}

TEST(ByteSampler, DrawsEachAllocationWhereThePointsAreCloserThanAnyIsLarge) {
  ByteSampler sampler;
  sampler.begin(1.0 / 8, kSeed);

  for (int k = 0; k < 100'000; ++k) {
    ASSERT_TRUE(sampler.pass(5)) << "seed " << kSeed;
  }
}

TEST(ByteSampler, DrawsNothingBeforeItBeginsAndAfterItEnds) {
  ByteSampler sampler;
  EXPECT_FALSE(sampler.pass(std::uint64_t{1} << 40));

  sampler.begin(1, kSeed);
  sampler.end();

  EXPECT_FALSE(sampler.pass(std::uint64_t{1} << 40));
  EXPECT_FALSE(sampler.is_on());
}

TEST(ByteSampler, DrawsAnotherSequenceForAnotherSeed) {
  ByteSampler one;
  ByteSampler other;
  one.begin(1e6, 1);
  other.begin(1e6, 2);

  EXPECT_NE(one.until(), other.until());
}

TEST(SamplingPace, MovesPointsApartUntilSamplesTakeAHundredthOfTheTime) {
  SamplingPace pace;
  constexpr std::uint64_t kCost = 3000;
  std::uint64_t now = 1'000'000;
  std::uint64_t spent = 0;
  std::uint64_t begun = 0;
  for (int k = 0; k < 200; ++k) {
    now += static_cast<std::uint64_t>(60 * pace.factor());  // a point each lease, were it not paced
    (void)pace.note(now, now + kCost);
    now += kCost;
    if (k == 99) {
      begun = now;
    }
    spent += k > 99 ? kCost : 0;
  }
  EXPECT_LT(static_cast<double>(spent) / static_cast<double>(now - begun), 0.02);
  EXPECT_GT(pace.factor(), 1000);

  for (int k = 0; k < 200; ++k) {
    now += 10'000'000;
    (void)pace.note(now, now + kCost);
  }
  EXPECT_EQ(pace.factor(), 1);
}

}  // namespace
}  // namespace tenure::testing
