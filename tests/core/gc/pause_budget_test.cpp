#include "core/gc/pause_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

// What survives of the nursery goes to the middle, which is collected too once it is full.
TEST(PauseBudget, FitsTheNurseryAndTheMiddleIntoOneStop) {
  constexpr double kNsPerByte = 1.4;
  for (const std::uint32_t middle : {1u, 6u}) {
    PauseBudget budget(kMillisecond, 32_MiB, middle);
    Bytes held;
    int missed = 0;
    double longest = 0;
    for (int k = 0; k < 2000; ++k) {
      const Bytes youngest = budget.nursery();
      const Bytes survived{youngest.count() / 2};
      const bool with_middle = held >= Bytes{middle * budget.middle().count()};
      const Bytes all = with_middle ? held + survived : survived;
      held = with_middle ? survived : held + survived;
      const auto pause = kNsPerByte * static_cast<double>(all.count());
      budget.learn({.youngest = youngest,
                    .youngest_survived = survived,
                    .survived = all,
                    .pause_ns = static_cast<std::uint64_t>(pause)});
      longest = std::max(longest, pause);
      missed += pause > kMillisecond ? 1 : 0;
    }

    EXPECT_LE(missed, 20) << middle;
    EXPECT_GE(longest, 0.6e6) << middle;
  }
}

TEST(PauseBudget, GivesTheMiddleWhatFitsWhereLittleComes) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);

  for (int k = 0; k < 21; ++k) {  // 2 ns a byte
    budget.learn({.youngest = budget.nursery(),
                  .youngest_survived = 256_KiB,
                  .survived = 256_KiB,
                  .pause_ns = 2 * 256 * 1024});
  }

  const double reach = std::pow(1.004, 21);  // no stop missed
  EXPECT_NEAR(2.0 * static_cast<double>((budget.middle() + 256_KiB).count()), 4e6 * reach, 1e5);
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

// A stop that costs 2 ns for each byte that survives, a quarter of the nursery, times `scatter`.
std::uint64_t stop_once(PauseBudget& budget, double scatter) {
  const Bytes survived{budget.nursery().count() / 4};
  const auto pause =
      static_cast<std::uint64_t>(2.0 * scatter * static_cast<double>(survived.count()));
  budget.learn({.youngest = budget.nursery(),
                .youngest_survived = survived,
                .survived = survived,
                .pause_ns = pause});
  return pause;
}

TEST(PauseBudget, UsesMoreOfTheTargetWhereStopsAreAllAlike) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);

  std::uint64_t last = 0;
  for (int k = 0; k < 1000; ++k) {
    last = stop_once(budget, 1.0);
  }

  EXPECT_GE(last, 7 * kMillisecond);
  EXPECT_LE(last, 10 * kMillisecond);
}

TEST(PauseBudget, KeepsTheTargetForAllStopsButAFewWhereTheyScatter) {
  PauseBudget budget(10 * kMillisecond, 32_MiB, 1);

  int missed = 0;
  constexpr int kStops = 4000;
  for (int k = 0; k < kStops; ++k) {
    missed += stop_once(budget, k % 10 == 0 ? 2.0 : 0.9) > 10 * kMillisecond ? 1 : 0;
  }

  EXPECT_LE(missed, kStops / 100);
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
