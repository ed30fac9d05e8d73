#include "core/runtime/planner.hpp"

#include <algorithm>
#include <optional>

namespace tenure {

void Planner::ask(PayloadPool& pool) {
  if (!may_start_) {
    return;
  }
  const std::scoped_lock lock(mutex_);
  if (is_over_ || std::find(asking_.begin(), asking_.end(), &pool) != asking_.end()) {
    return;
  }
  asking_.push_back(&pool);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { serve(); });
  }
  changed_.notify_all();
}

void Planner::await(PayloadPool& pool) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asking_.empty() && !is_solving_; });
  }
  solve(pool);
}

void Planner::end() {
  {
    const std::scoped_lock lock(mutex_);
    is_over_ = true;
    asking_.clear();
    changed_.notify_all();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Planner::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return is_over_ || !asking_.empty(); });
    if (is_over_) {
      return;
    }
    PayloadPool& pool = *asking_.front();
    asking_.erase(asking_.begin());
    is_solving_ = true;
    lock.unlock();
    solve(pool);
    lock.lock();
    is_solving_ = false;
    changed_.notify_all();
  }
}

void Planner::solve(PayloadPool& pool) {
  if (const std::optional<Iteration> iteration = pool.take_iteration()) {
    pool.offer(make_plan(*iteration));
  }
}

}  // namespace tenure
