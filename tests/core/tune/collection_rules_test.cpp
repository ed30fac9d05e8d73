// Each of the four rules fires where it should, stops at its bound, and the parameters settle.
#include "core/tune/collection_rules.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tenure::testing {
namespace {

constexpr YoungBounds kBounds{.least_nursery = 1000, .most_nursery = 100'000};

YoungFigures figures(double pauses, double promoted) {
  return {.collections = 10,
          .mean_pause_ns = pauses * 1e6,
          .target_ns = 1e6,
          .promoted_share = promoted};
}

TEST(CollectionRules, ShrinkANurseryWhosePausesAreLong) {
  EXPECT_EQ(apply_rules(figures(1.6, 0.5), {10'000, 3}, kBounds).nursery, 8'000);
  EXPECT_EQ(apply_rules(figures(1.6, 0.5), {1'100, 3}, kBounds).nursery, 1'000);
  EXPECT_EQ(apply_rules(figures(1.6, 0.5), {1'000, 3}, kBounds).nursery, 1'000);
}

TEST(CollectionRules, GrowANurseryWhosePausesAreShort) {
  EXPECT_NEAR(apply_rules(figures(0.4, 0.5), {10'000, 3}, kBounds).nursery, 11'000, 1e-6);
  EXPECT_EQ(apply_rules(figures(0.4, 0.5), {99'000, 3}, kBounds).nursery, 100'000);
  EXPECT_EQ(apply_rules(figures(0.4, 0.5), {100'000, 3}, kBounds).nursery, 100'000);
}

TEST(CollectionRules, HoldBackWhatIsPromotedTooSoon) {
  EXPECT_EQ(apply_rules(figures(1, 0.9), {10'000, 3}, kBounds).age, 4u);
  EXPECT_EQ(apply_rules(figures(1, 0.9), {10'000, 10}, kBounds).age, 10u);
}

TEST(CollectionRules, PromoteWhatIsHeldBackTooLong) {
  EXPECT_EQ(apply_rules(figures(1, 0.1), {10'000, 3}, kBounds).age, 2u);
  EXPECT_EQ(apply_rules(figures(1, 0.1), {10'000, 1}, kBounds).age, 1u);
}

TEST(CollectionRules, LeaveAParameterAloneThatIsOutOfBounds) {
  EXPECT_EQ(apply_rules(figures(1.6, 0.5), {500, 3}, kBounds).nursery, 500);
  EXPECT_EQ(apply_rules(figures(0.4, 0.5), {200'000, 3}, kBounds).nursery, 200'000);
  EXPECT_EQ(apply_rules(figures(1, 0.9), {10'000, 12}, kBounds).age, 12u);
}

TEST(CollectionRules, SayNothingInBetweenNorOfTooFewCollections) {
  for (YoungFigures of : {figures(1.5, 0.8), figures(0.5, 0.2), figures(1, 0.5)}) {
    EXPECT_EQ(apply_rules(of, {10'000, 3}, kBounds).nursery, 10'000);
    EXPECT_EQ(apply_rules(of, {10'000, 3}, kBounds).age, 3u);
  }
  YoungFigures few = figures(9, 1);
  few.collections = 9;
  EXPECT_EQ(apply_rules(few, {10'000, 3}, kBounds).nursery, 10'000);
  EXPECT_EQ(apply_rules(few, {10'000, 3}, kBounds).age, 3u);
}

TEST(CollectionRules, SettleWithinAFewPercentOnASteadyLoad) {
  // Pauses go with the nursery; fewer are promoted the longer they wait.
  for (const double ns_per_byte : {1.0, 30.0, 200.0, 1000.0}) {
    YoungParameters now{10'000, 3};
    std::vector<YoungParameters> seen;
    for (int cycle = 0; cycle < 100; ++cycle) {
      const YoungFigures of{.collections = 10,
                            .mean_pause_ns = ns_per_byte * now.nursery,
                            .target_ns = 1e6,
                            .promoted_share = 1.0 / (1 + 0.2 * now.age)};
      now = apply_rules(of, now, kBounds);
      seen.push_back(now);
    }
    for (int cycle = 50; cycle < 100; ++cycle) {
      EXPECT_NEAR(seen[static_cast<std::size_t>(cycle)].nursery / now.nursery, 1, 0.05);
      EXPECT_EQ(seen[static_cast<std::size_t>(cycle)].age, now.age);
    }
  }
}

}  // namespace
}  // namespace tenure::testing
