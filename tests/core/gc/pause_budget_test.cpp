#include "core/gc/pause_budget.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

TEST(PauseBudget, UsesTheWholeNurseryWhileNothingSurvives) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);
  EXPECT_EQ(budget.nursery(), 32_MiB);

  for (int k = 0; k < 20; ++k) {
    budget.learn(
        {.youngest = 32_MiB, .youngest_survived = 0_KiB, .survived = 0_KiB, .pause_ns = 20'000});
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, ShrinksTheNurseryAtOnceToWhatTheTargetAllows) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);

  budget.learn({.youngest = 32_MiB,
                .youngest_survived = 16_MiB,
                .survived = 16_MiB,
                .pause_ns = 50 * kMillisecond});

  EXPECT_LE(budget.nursery(), 1_MiB);
}

TEST(PauseBudget, FindsTheSizeWhoseSurvivorsFitTheTarget) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);
  const auto pause_of = [](Bytes survived) { return 2 * survived.count(); };  // 2 ns a byte

  for (int k = 0; k < 100; ++k) {
    const Bytes taken = budget.nursery();
    const Bytes survived{taken.count() / 4};
    budget.learn({.youngest = taken,
                  .youngest_survived = survived,
                  .survived = survived,
                  .pause_ns = pause_of(survived)});
  }

  EXPECT_LE(pause_of(Bytes{budget.nursery().count() / 4}), 10 * kMillisecond);
  EXPECT_GE(pause_of(Bytes{budget.nursery().count() / 4}), 3 * kMillisecond);
}

TEST(PauseBudget, GrowsBackOnceSurvivorsAreFew) {
  PauseBudget budget(20 * kMillisecond, 32_MiB, 1);
  budget.learn({.youngest = 32_MiB,
                .youngest_survived = 16_MiB,
                .survived = 16_MiB,
                .pause_ns = 50 * kMillisecond});

  for (int k = 0; k < 60; ++k) {
    budget.learn({.youngest = budget.nursery(),
                  .youngest_survived = 0_KiB,
                  .survived = 0_KiB,
                  .pause_ns = 20'000});
  }

  EXPECT_EQ(budget.nursery(), 32_MiB);
}

TEST(PauseBudget, UsesNoMoreThanABurstOfSurvivorsMayCost) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);
  EXPECT_LE(budget.nursery(), 4_MiB);

  for (int k = 0; k < 40; ++k) {  // 5 ns a byte, of the few that survive
    const Bytes taken = budget.nursery();
    budget.learn({.youngest = taken,
                  .youngest_survived = 64_KiB,
                  .survived = 64_KiB,
                  .pause_ns = 5 * 64 * 1024});
  }

  EXPECT_LE(5 * budget.nursery().count(), 5 * kMillisecond + kMillisecond / 10);
  EXPECT_GE(budget.nursery(), 512_KiB);
}

TEST(PauseBudget, FitsTheNurseryAndTheMiddleIntoOneStop) {
  constexpr double kNsPerByte = 1.4;  // as is taken for granted at first
  for (const std::uint32_t middle : {1u, 6u}) {
    PauseBudget budget(kMillisecond, 32_MiB, middle);
    for (int k = 0; k < 100; ++k) {
      const Bytes youngest = budget.nursery();
      const Bytes survived{youngest.count() / 2};
      const auto pause =
          static_cast<std::uint64_t>(kNsPerByte * static_cast<double>(survived.count()));
      budget.learn({.youngest = youngest,
                    .youngest_survived = survived,
                    .survived = survived,
                    .pause_ns = pause});
    }

    const double of_nursery = static_cast<double>(budget.nursery().count()) / 2;
    // It was just below when the last survivors came to it; the others' limits are what they hold.
    const double of_middle = static_cast<double>(middle * budget.middle().count()) + of_nursery;
    EXPECT_LE(kNsPerByte * (of_nursery + of_middle), middle == 1 ? 0.85e6 : 1.2e6);
    EXPECT_GE(kNsPerByte * (of_nursery + of_middle), 0.6e6);
  }
}

TEST(PauseBudget, GivesTheMiddleWhatFitsWhereLittleComes) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);

  for (int k = 0; k < 20; ++k) {  // 2 ns a byte
    budget.learn({.youngest = budget.nursery(),
                  .youngest_survived = 256_KiB,
                  .survived = 256_KiB,
                  .pause_ns = 2 * 256 * 1024});
  }

  EXPECT_NEAR(2.0 * static_cast<double>((budget.middle() + 256_KiB).count()), 4e6, 1e5);
}

TEST(PauseBudget, DoesNotTakeTheMiddleForTheNursery) {
  PauseBudget budget(kMillisecond, 512_KiB, 1);

  for (int k = 0; k < 20; ++k) {  // a middle generation that all lives
    budget.learn({.youngest = 512_KiB,
                  .youngest_survived = 0_B,
                  .survived = 1_MiB,
                  .pause_ns = kMillisecond});
  }

  EXPECT_EQ(budget.nursery(), 512_KiB);
}

TEST(PauseBudget, NeverPassesWhatTheProgramAskedFor) {
  PauseBudget budget(kMillisecond, 32_MiB, 1);
  budget.learn(
      {.youngest = 1_MiB, .youngest_survived = 0_KiB, .survived = 0_KiB, .pause_ns = 1000});

  budget.limit_nursery(2_MiB);

  EXPECT_EQ(budget.nursery(), 2_MiB);
}

}  // namespace
}  // namespace tenure
