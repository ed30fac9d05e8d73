#include "core/runtime/system_watch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace tenure {
namespace {

MemoryReading reading_of(double used, double stall = 0.0) {
  const Bytes total{1000u << 20};
  return {.total = total,
          .available = Bytes{static_cast<std::uint64_t>(1000 * (1 - used)) << 20},
          .stall = stall};
}

TEST(SystemWatch, TellsEachLevelOnceOnTheWayUp) {
  std::vector<PressureLevel> told;
  SystemWatch watch(
      0, [] { return MemoryReading{}; }, [&](PressureLevel level) { told.push_back(level); });

  for (const double used : {0.5, 0.8, 0.8, 0.95, 0.98, 0.98, 0.5, 0.8}) {
    watch.look_at(reading_of(used));
  }

  EXPECT_EQ(told, (std::vector{PressureLevel::kModerate, PressureLevel::kHigh,
                               PressureLevel::kCritical, PressureLevel::kModerate}));
}

TEST(SystemWatch, TellsOfTasksThatWaitWhereMemorySeemsFree) {
  std::vector<PressureLevel> told;
  SystemWatch watch(
      0, [] { return MemoryReading{}; }, [&](PressureLevel level) { told.push_back(level); });

  watch.look_at(reading_of(0.1, 0.05));
  watch.look_at(reading_of(0.1, 0.35));
  watch.look_at({});  // a system that says nothing

  EXPECT_EQ(told, std::vector{PressureLevel::kHigh});
}

TEST(SystemWatch, LooksAgainAndAgainUntilItsEnd) {
  std::atomic<int> looks{0};
  std::atomic<int> told{0};
  SystemWatch watch(
      1, [&] { return reading_of(looks.fetch_add(1) < 3 ? 0.2 : 0.99); },
      [&](PressureLevel) { ++told; });
  EXPECT_EQ(looks.load(), 0) << "it looked before anybody asked";

  watch.start();
  watch.start();
  while (told.load() == 0) {
    std::this_thread::yield();
  }
  watch.end();

  const int looked = looks.load();
  EXPECT_GE(looked, 4);
  watch.start();  // it ended for good
  watch.end();
  EXPECT_EQ(looks.load(), looked);
  EXPECT_EQ(told.load(), 1);
}

TEST(SystemWatch, StartsNoThreadWithoutAPeriod) {
  std::atomic<int> looks{0};
  SystemWatch watch(
      0,
      [&] {
        ++looks;
        return MemoryReading{};
      },
      [](PressureLevel) {});
  watch.start();
  watch.end();
  EXPECT_EQ(looks.load(), 0);
}

}  // namespace
}  // namespace tenure
