#include "core/pressure/levels.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tenure {

namespace {
constexpr double kModerateFrom = 0.75;
constexpr double kHighFrom = 0.90;
constexpr double kCriticalFrom = 0.97;
constexpr double kFallsBack = 0.05;  // below where it was entered
}  // namespace

PressureLevel level_of(double share) {
  if (share >= kCriticalFrom) {
    return PressureLevel::kCritical;
  }
  if (share >= kHighFrom) {
    return PressureLevel::kHigh;
  }
  return share >= kModerateFrom ? PressureLevel::kModerate : PressureLevel::kNone;
}

double share_for_stall(double stall) {
  struct Point {
    double stall;
    double share;
  };
  constexpr std::array<Point, 5> kPoints{
      {{0.0, 0.0}, {0.1, kModerateFrom}, {0.3, kHighFrom}, {0.6, kCriticalFrom}, {1.0, 1.0}}};
  for (std::size_t k = 1; k < kPoints.size(); ++k) {
    const Point& from = kPoints[k - 1];
    const Point& to = kPoints[k];
    if (stall < to.stall) {
      return from.share +
             (to.share - from.share) * std::max(0.0, stall - from.stall) / (to.stall - from.stall);
    }
  }
  return 1.0;
}

bool LevelTracker::follow(double share) {
  const PressureLevel before = level_;
  const PressureLevel now = level_of(share);
  if (now > before) {
    level_ = now;
    return true;
  }
  level_ = std::min(before, level_of(share + kFallsBack));
  return false;
}

}  // namespace tenure
