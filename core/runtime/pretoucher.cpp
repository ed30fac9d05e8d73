#include "core/runtime/pretoucher.hpp"

#include <algorithm>
#include <utility>

namespace tenure {

namespace {
constexpr std::uint32_t kPart = 32;  // of the heap, that is touched ahead
constexpr std::uint32_t kMost = 32;  // regions
}  // namespace

void Pretoucher::follow(std::uint32_t in_use) {
  const std::uint64_t taken = cage_.taken_fresh();
  if (std::exchange(seen_, taken) == taken) {
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (is_over_) {
      return;
    }
    ahead_ = std::clamp(in_use / kPart, 1u, kMost);
  }
  if (thread_.joinable()) {
    wanted_.notify_one();
  } else {
    thread_ = std::thread([this] { serve(); });
  }
}

void Pretoucher::rest() {
  std::unique_lock lock(mutex_);
  ahead_ = 0;
  rests_.wait(lock, [this] { return !is_at_work_; });
  ahead_ = 0;  // what was not done of it
}

void Pretoucher::end() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
  }
  if (thread_.joinable()) {
    wanted_.notify_one();
    thread_.join();
  }
}

void Pretoucher::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return ahead_ > 0 || is_over_; });
    if (is_over_) {
      return;
    }
    const std::uint32_t ahead = std::exchange(ahead_, 0);
    is_at_work_ = true;
    lock.unlock();
    const bool done = cage_.populate_free(ahead);
    lock.lock();
    is_at_work_ = false;
    rests_.notify_all();
    if (!done && ahead_ == 0) {
      ahead_ = ahead;
    }
  }
}

}  // namespace tenure
