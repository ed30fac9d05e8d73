#include "core/pressure/ladder.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

using enum PressureStep;

constexpr std::array<bool, kPressureSteps> kAll{true, true, true, true, true, true, true, true};
constexpr StepResult kNothing{.gained = {}, .took_ns = 1000, .helped = false};

TEST(Ladder, GoesInOrderAtFirst) {
  Ladder ladder;

  EXPECT_EQ(ladder.plan(kAll),
            (std::vector{kDeviceCopy, kYoungCollection, kFullCollection, kForeignCollectors,
                         kOtherPools, kEviction, kCallbacks, kWait}));
}

TEST(Ladder, LeavesOutWhatCannotBeDone) {
  Ladder ladder;

  EXPECT_EQ(ladder.plan({false, false, false, false, true, false, false, true}),
            (std::vector{kOtherPools, kWait}));
}

TEST(Ladder, PutsLastWhatGaveNothingAndWaitsOnlyAtTheEnd) {
  Ladder ladder;
  (void)ladder.plan(kAll);

  ladder.learn(kYoungCollection, 1_MiB, kNothing);
  ladder.learn(kWait, 1_MiB, kNothing);

  EXPECT_EQ(ladder.plan(kAll),
            (std::vector{kDeviceCopy, kFullCollection, kForeignCollectors, kOtherPools, kEviction,
                         kCallbacks, kYoungCollection, kWait}));
  EXPECT_EQ(ladder.plan(kAll)[1], kYoungCollection);  // its rest is over
}

TEST(Ladder, RestsAStepLongerEachTimeItGivesNothing) {
  Ladder ladder;
  int in_order = 0;
  for (int k = 0; k < 200; ++k) {
    if (ladder.plan(kAll)[1] == kYoungCollection) {
      ++in_order;
      ladder.learn(kYoungCollection, 1_MiB, kNothing);
    }
  }

  EXPECT_LE(in_order, 9);
  EXPECT_GE(in_order, 7);
}

TEST(Ladder, TrustsAStepAgainOnceItPays) {
  Ladder ladder;
  for (int k = 0; k < 5; ++k) {
    (void)ladder.plan(kAll);
    ladder.learn(kFullCollection, 1_MiB, kNothing);
  }

  ladder.learn(kFullCollection, 1_MiB, {.gained = 512_KiB, .took_ns = 1000, .helped = false});

  EXPECT_EQ(ladder.plan(kAll)[2], kFullCollection);
}

TEST(Ladder, CountsWhatStepsDid) {
  Ladder ladder;
  (void)ladder.plan(kAll);
  ladder.learn(kYoungCollection, 1_MiB, kNothing);
  ladder.learn(kFullCollection, 1_MiB, {.gained = 3_MiB, .took_ns = 5000, .helped = true});
  ladder.end(true);

  const PressureStatistics& sum = ladder.statistics();
  EXPECT_EQ(sum.climbs, 1u);
  EXPECT_EQ(sum.relieved, 1u);
  const auto& full = sum.steps[static_cast<std::size_t>(kFullCollection)];
  EXPECT_EQ(full.runs, 1u);
  EXPECT_EQ(full.helped, 1u);
  EXPECT_EQ(full.gained, 3_MiB);
  EXPECT_EQ(full.total_ns, 5000u);
}

TEST(ClimbLog, NamesEachStepWithItsGainAndItsTime) {
  ClimbLog log;
  log.note(kYoungCollection, {.gained = 3_MiB, .took_ns = 1'260'000, .helped = false});
  log.note(kWait, {.gained = {}, .took_ns = 0, .helped = false});

  EXPECT_EQ(log.text(),
            "a young collection (3 MiB came back in 1.3 ms), waiting for streams (0 B came back in "
            "0.0 ms)");
}

}  // namespace
}  // namespace tenure
