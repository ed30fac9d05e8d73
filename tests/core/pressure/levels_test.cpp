#include "core/pressure/levels.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

TEST(Levels, BeginAtTheirShares) {
  EXPECT_EQ(level_of(0.0), PressureLevel::kNone);
  EXPECT_EQ(level_of(0.7499), PressureLevel::kNone);
  EXPECT_EQ(level_of(0.75), PressureLevel::kModerate);
  EXPECT_EQ(level_of(0.90), PressureLevel::kHigh);
  EXPECT_EQ(level_of(0.97), PressureLevel::kCritical);
  EXPECT_EQ(level_of(1.5), PressureLevel::kCritical);
}

TEST(Levels, BeginWhereTasksWaitForMemory) {
  EXPECT_EQ(share_for_stall(0.0), 0.0);
  EXPECT_EQ(level_of(share_for_stall(0.099)), PressureLevel::kNone);
  EXPECT_EQ(level_of(share_for_stall(0.1)), PressureLevel::kModerate);
  EXPECT_EQ(level_of(share_for_stall(0.3)), PressureLevel::kHigh);
  EXPECT_EQ(level_of(share_for_stall(0.6)), PressureLevel::kCritical);
  EXPECT_EQ(share_for_stall(1.0), 1.0);
}

TEST(LevelTracker, TellsEachLevelOnceOnTheWayUp) {
  LevelTracker tracker;

  EXPECT_FALSE(tracker.follow(0.5));
  EXPECT_TRUE(tracker.follow(0.8));
  EXPECT_FALSE(tracker.follow(0.85));
  EXPECT_TRUE(tracker.follow(0.98));
  EXPECT_FALSE(tracker.follow(1.0));
}

TEST(LevelTracker, IsNotToldAgainByAShareThatStandsOnTheEdge) {
  LevelTracker tracker;
  EXPECT_TRUE(tracker.follow(0.91));

  for (int k = 0; k < 10; ++k) {
    EXPECT_FALSE(tracker.follow(0.89));
    EXPECT_FALSE(tracker.follow(0.91));
  }

  EXPECT_FALSE(tracker.follow(0.84));  // far enough below
  EXPECT_EQ(tracker.level(), PressureLevel::kModerate);
  EXPECT_TRUE(tracker.follow(0.91));
}

}  // namespace
}  // namespace tenure
