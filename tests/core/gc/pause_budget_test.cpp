#include "core/gc/pause_budget.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

TEST(PauseBudget, UsesTheWholeNurseryWhileNothingSurvives) {
  PauseBudget budget(kMillisecond, 32_MiB);

  for (int k = 0; k < 20; ++k) {
    budget.learn(32_MiB, 0_KiB, 20'000);
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, ShrinksTheNurseryAtOnceToWhatTheTargetAllows) {
  PauseBudget budget(kMillisecond, 32_MiB);

  budget.learn(32_MiB, 16_MiB, 50 * kMillisecond);

  EXPECT_LE(budget.nursery(), 1_MiB);
}

TEST(PauseBudget, FindsTheSizeWhoseSurvivorsFitTheTarget) {
  PauseBudget budget(10 * kMillisecond, 32_MiB);
  const auto pause_of = [](Bytes survived) { return 2 * survived.count(); };  // 2 ns a byte

  for (int k = 0; k < 100; ++k) {
    const Bytes taken = budget.nursery();
    const Bytes survived{taken.count() / 4};
    budget.learn(taken, survived, pause_of(survived));
  }

  EXPECT_LE(pause_of(Bytes{budget.nursery().count() / 4}), 10 * kMillisecond);
  EXPECT_GE(budget.nursery(), 8_MiB);
}

TEST(PauseBudget, GrowsBackOnceSurvivorsAreFew) {
  PauseBudget budget(kMillisecond, 32_MiB);
  budget.learn(32_MiB, 16_MiB, 50 * kMillisecond);

  for (int k = 0; k < 60; ++k) {
    budget.learn(budget.nursery(), 0_KiB, 20'000);
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, NeverPassesWhatTheProgramAskedFor) {
  PauseBudget budget(kMillisecond, 32_MiB);
  budget.learn(1_MiB, 0_KiB, 1000);

  budget.limit_nursery(2_MiB);

  EXPECT_EQ(budget.nursery(), 2_MiB);
}

}  // namespace
}  // namespace tenure
