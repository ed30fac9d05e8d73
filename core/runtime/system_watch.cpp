#include "core/runtime/system_watch.hpp"

#include <algorithm>

namespace tenure {

void SystemWatch::look_at(const MemoryReading& reading) {
  const double used = reading.total > reading.available
                          ? static_cast<double>((reading.total - reading.available).count()) /
                                static_cast<double>(reading.total.count())
                          : 0.0;
  PressureLevel level{};
  {
    const std::scoped_lock lock(mutex_);
    ++looks_;
    if (!level_.follow(std::max(used, share_for_stall(reading.stall)))) {
      return;
    }
    level = level_.level();
  }
  tell_(level);
}

std::uint64_t SystemWatch::looks() {
  const std::scoped_lock lock(mutex_);
  return looks_;
}

}  // namespace tenure
