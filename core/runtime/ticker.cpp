#include "core/runtime/ticker.hpp"

#include <chrono>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

void Ticker::start() {
  const std::scoped_lock lock(mutex_);
  if (period_ms_ != 0 && !is_over_ && !thread_.joinable()) {
    thread_ = std::thread([this] { serve(); });
  }
}

void Ticker::end() {
  std::thread thread;
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
    thread = std::move(thread_);
  }
  over_.notify_all();
  if (thread.joinable()) {
    check(thread.get_id() != std::this_thread::get_id(),
          "a runtime was closed from a thread of its own, as by a callback that told of pressure");
    thread.join();
  }
}

void Ticker::serve() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    lock.unlock();
    work_();
    lock.lock();
    over_.wait_for(lock, std::chrono::milliseconds(period_ms_), [this] { return is_over_; });
  }
}

}  // namespace tenure
