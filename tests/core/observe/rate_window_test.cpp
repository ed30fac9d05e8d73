#include "core/observe/rate_window.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace tenure {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(RateWindow, IsWhatASteadyLoadGrowsBy) {
  RateWindow window(0);
  double rate = 0;

  for (std::uint64_t tenth = 1; tenth <= 200; ++tenth) {
    rate = window.note(tenth * kSecond / 10, tenth * 1'000);
    EXPECT_DOUBLE_EQ(rate, 10'000.0) << "after tenth " << tenth;
  }
}

TEST(RateWindow, ForgetsWhatIsOlderThanFiveSeconds) {
  RateWindow window(0);
  for (std::uint64_t second = 1; second <= 10; ++second) {
    (void)window.note(second * kSecond, second * 1'000'000);
  }

  double rate = 0;
  for (std::uint64_t tenth = 101; tenth <= 151; ++tenth) {
    rate = window.note(tenth * kSecond / 10, 10'000'000);
  }

  EXPECT_EQ(rate, 0.0);
}

TEST(RateWindow, ReachesBackToTheLastLookWhereNobodyLookedSince) {
  RateWindow window(0);
  (void)window.note(kSecond, 100);

  EXPECT_DOUBLE_EQ(window.note(21 * kSecond, 2'100), 100.0);
}

TEST(RateWindow, OfNoTimeIsZero) {
  RateWindow window(7);

  EXPECT_EQ(window.note(7, 100), 0.0);
}

}  // namespace
}  // namespace tenure
