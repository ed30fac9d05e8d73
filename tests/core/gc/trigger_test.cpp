#include "core/gc/trigger.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

using Used = std::array<Bytes, kMaxGenerations>;

TriggerOptions options() { return {.generations = 4, .nursery = 1_MiB, .old_start = 16_MiB}; }

CollectionReport young() { return {}; }
CollectionReport full() {
  CollectionReport report;
  report.full = true;
  return report;
}

TEST(Trigger, TakesTheNurseryAloneAsARule) {
  const Trigger trigger(options());

  const Verdict verdict = trigger.judge(Used{1_MiB});

  EXPECT_EQ(verdict.last, 0u);
  EXPECT_EQ(verdict.trigger, CollectionTrigger::kAllocationPressure);
}

TEST(Trigger, TakesAMiddleGenerationThatHasFilledUp) {
  const Trigger trigger(options());

  const Verdict verdict = trigger.judge(Used{1_MiB, 0_B, 1_MiB, 0_B});

  EXPECT_EQ(verdict.last, 2u);
  EXPECT_EQ(verdict.trigger, CollectionTrigger::kPromotionThreshold);
}

TEST(Trigger, TakesMiddleGenerationsInTheRatiosTenAndFifty) {
  Trigger trigger(options());
  std::array<int, 3> seen{};

  for (int k = 0; k < 500; ++k) {
    ++seen[trigger.judge(Used{1_MiB}).last];
    trigger.learn(young(), 0_B);
  }

  EXPECT_EQ(seen, (std::array<int, 3>{450, 40, 10}));
}

TEST(Trigger, TakesEverythingOnceTheOldestPassesItsLimit) {
  const Trigger trigger(options());

  EXPECT_EQ(trigger.judge(Used{0_B, 0_B, 0_B, 16_MiB - 1_B}).last, 0u);
  EXPECT_EQ(trigger.judge(Used{0_B, 0_B, 0_B, 16_MiB}).last, 3u);
}

TEST(Trigger, LetsTheOldestDoubleAfterAFullCollection) {
  Trigger trigger(options());

  trigger.learn(full(), 20_MiB);

  EXPECT_EQ(trigger.old_limit(), 40_MiB);
}

TEST(Trigger, NeverFallsBelowTheFirstLimit) {
  Trigger trigger(options());

  trigger.learn(full(), 1_MiB);

  EXPECT_EQ(trigger.old_limit(), 16_MiB);
}

}  // namespace
}  // namespace tenure
