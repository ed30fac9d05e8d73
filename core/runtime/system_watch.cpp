#include "core/runtime/system_watch.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

void SystemWatch::start() {
  const std::scoped_lock lock(mutex_);
  if (period_ms_ != 0 && !is_over_ && !thread_.joinable()) {
    thread_ = std::thread([this] { serve(); });
  }
}

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

void SystemWatch::end() {
  std::thread thread;
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
    thread = std::move(thread_);
  }
  over_.notify_all();
  if (thread.joinable()) {
    check(thread.get_id() != std::this_thread::get_id(),
          "a runtime was closed by a callback that told of the machine's pressure");
    thread.join();
  }
}

void SystemWatch::serve() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    lock.unlock();
    look();
    lock.lock();
    over_.wait_for(lock, std::chrono::milliseconds(period_ms_), [this] { return is_over_; });
  }
}

}  // namespace tenure
