#include "core/base/team.hpp"

#include "core/base/check.hpp"

namespace tenure {

void Team::dismiss() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
  over_ = false;
}

void Team::run(std::uint32_t members, const Work& work) {
  check(members >= 1 && members <= members_, "a team was asked for more members than it has");
  if (members == 1) {
    work(0);
    return;
  }
  start(members - 1);
  {
    const std::scoped_lock lock(mutex_);
    work_ = &work;
    wanted_ = members;
    busy_ = members - 1;
    ++run_;
  }
  begin_.notify_all();
  work(0);
  std::unique_lock lock(mutex_);
  end_.wait(lock, [this] { return busy_ == 0; });
  wanted_ = 0;  // a thread that starts later must not take this run for its own
}

void Team::start(std::uint32_t count) {
  while (threads_.size() < count) {
    const auto member = static_cast<std::uint32_t>(threads_.size() + 1);
    threads_.emplace_back([this, member] { serve(member); });
  }
}

void Team::serve(std::uint32_t member) {
  std::unique_lock lock(mutex_);
  for (std::uint64_t seen = 0;;) {
    begin_.wait(lock, [&] { return over_ || (run_ != seen && member < wanted_); });
    if (over_) {
      return;
    }
    // Why by number: a member that a run did not want must not take it for its own later.
    seen = run_;
    const Work& work = *work_;
    lock.unlock();
    work(member);
    lock.lock();
    if (--busy_ == 0) {
      end_.notify_all();
    }
  }
}

}  // namespace tenure
