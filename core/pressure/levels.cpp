#include "core/pressure/levels.hpp"

#include <algorithm>

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
