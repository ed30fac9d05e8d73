#include "core/runtime/background_marker.hpp"

namespace tenure {

void BackgroundMarker::wake(RuntimeState& runtime, const Work& work) {
  {
    const std::scoped_lock lock(mutex_);
    is_wanted_ = true;
  }
  wanted_.notify_one();
  if (!thread_.joinable()) {
    thread_ = std::thread([this, &runtime, work] { serve(runtime, work); });
  }
}

void BackgroundMarker::end() {
  if (!thread_.joinable()) {
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    is_over_.store(true, std::memory_order_relaxed);
  }
  wanted_.notify_one();
  thread_.join();
}

void BackgroundMarker::serve(RuntimeState& runtime, const Work& work) {
  MutatorState self(runtime);
  self.is_background = true;
  safepoint_.attach(self, [] {});
  safepoint_.leave(self);
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [this] { return is_wanted_ || is_over_; });
      is_wanted_ = false;
    }
    safepoint_.come_back(self);
    while (!is_over_.load(std::memory_order_relaxed) && work(self)) {
      safepoint_.park(self);
    }
    if (is_over_.load(std::memory_order_relaxed)) {
      break;
    }
    safepoint_.leave(self);
  }
  safepoint_.detach(self, [] {});
}

}  // namespace tenure
