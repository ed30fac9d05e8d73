#include "core/gc/pause_budget.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

TEST(PauseBudget, UsesTheWholeNurseryWhileNothingSurvives) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);
  EXPECT_EQ(budget.nursery(), 32_MiB);

  for (int k = 0; k < 20; ++k) {
    budget.learn({.last = 0, .taken = 32_MiB, .survived = 0_KiB, .pause_ns = 20'000});
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, ShrinksTheNurseryAtOnceToWhatTheTargetAllows) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);

  budget.learn({.last = 0, .taken = 32_MiB, .survived = 16_MiB, .pause_ns = 50 * kMillisecond});

  EXPECT_LE(budget.nursery(), 1_MiB);
}

TEST(PauseBudget, FindsTheSizeWhoseSurvivorsFitTheTarget) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);
  const auto pause_of = [](Bytes survived) { return 2 * survived.count(); };  // 2 ns a byte

  for (int k = 0; k < 100; ++k) {
    const Bytes taken = budget.nursery();
    const Bytes survived{taken.count() / 4};
    budget.learn({.last = 0, .taken = taken, .survived = survived, .pause_ns = pause_of(survived)});
  }

  EXPECT_LE(pause_of(Bytes{budget.nursery().count() / 4}), 10 * kMillisecond);
  EXPECT_GE(pause_of(Bytes{budget.nursery().count() / 4}), 3 * kMillisecond);
}

TEST(PauseBudget, GrowsBackOnceSurvivorsAreFew) {
  PauseBudget budget(20 * kMillisecond, 32_MiB, 1);
  budget.learn({.last = 0, .taken = 32_MiB, .survived = 16_MiB, .pause_ns = 50 * kMillisecond});

  for (int k = 0; k < 60; ++k) {
    budget.learn({.last = 0, .taken = budget.nursery(), .survived = 0_KiB, .pause_ns = 20'000});
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, UsesNoMoreThanABurstOfSurvivorsMayCost) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);
  EXPECT_LE(budget.nursery(), 4_MiB);

  for (int k = 0; k < 40; ++k) {  // 5 ns a byte, of the few that survive
    const Bytes taken = budget.nursery();
    budget.learn({.last = 0, .taken = taken, .survived = 64_KiB, .pause_ns = 5 * 64 * 1024});
  }

  EXPECT_LE(5 * budget.nursery().count(), 5 * kMillisecond + kMillisecond / 10);
  EXPECT_GE(budget.nursery(), 512_KiB);
}

TEST(PauseBudget, FitsTheNurseryAndTheMiddleIntoOneStop) {
  constexpr double kNsPerByte = 1.4;  // as is taken for granted at first
  for (const std::uint32_t middle : {1u, 6u}) {
    PauseBudget budget(kMillisecond, 32_MiB, middle);
    for (int k = 0; k < 100; ++k) {
      const Bytes taken = budget.nursery();
      const Bytes survived{taken.count() / 2};
      const auto pause =
          static_cast<std::uint64_t>(kNsPerByte * static_cast<double>(survived.count()));
      budget.learn({.last = 0, .taken = taken, .survived = survived, .pause_ns = pause});
    }

    const double survivors = static_cast<double>(budget.nursery().count()) / 2 +
                             static_cast<double>(middle * budget.middle().count());
    // Of six, each is given the least that is worth a stop.
    EXPECT_LE(kNsPerByte * survivors, middle == 1 ? 0.8e6 : 1.7e6);
    EXPECT_GE(kNsPerByte * survivors, 0.6e6);
  }
}

TEST(PauseBudget, DoesNotTakeTheMiddleForTheNursery) {
  PauseBudget budget(kMillisecond, 2_MiB, 1);

  for (int k = 0; k < 20; ++k) {  // a middle generation that all lives
    budget.learn({.last = 1, .taken = 1_MiB, .survived = 1_MiB, .pause_ns = kMillisecond});
  }

  EXPECT_EQ(budget.nursery(), 2_MiB);
}

TEST(PauseBudget, NeverPassesWhatTheProgramAskedFor) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);
  budget.learn({.last = 0, .taken = 1_MiB, .survived = 0_KiB, .pause_ns = 1000});

  budget.limit_nursery(2_MiB);

  EXPECT_EQ(budget.nursery(), 2_MiB);
}

}  // namespace
}  // namespace tenure
