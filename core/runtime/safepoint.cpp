#include "core/runtime/safepoint.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace tenure {

void Safepoint::add(MutatorState& mutator) {
  mutators_.push_back(&mutator);
  mutator.presence = Presence::kRunning;
  ++running_;
}

void Safepoint::remove(Lock& lock, MutatorState& mutator) {
  check(mutator.presence == Presence::kRunning, "a mutator ended while its thread was away");
  if (is_wanted()) {
    step_aside(lock, mutator);
  }
  std::erase(mutators_, &mutator);
  --running_;
}

bool Safepoint::stop(MutatorState* self) {
  Lock lock(mutex_);
  if (is_wanted()) {
    wait_for_go(lock, self);
    return false;
  }
  // Order: first the flag, then the limits. A mutator that refills does it the other way round, and
  // all four accesses are seq_cst: one of the two sees the other.
  wanted_.store(true, std::memory_order_seq_cst);
  for (MutatorState* mutator : mutators_) {
    mutator->core.buffer.close();
  }
  if (self != nullptr) {
    check(self->presence == Presence::kRunning, "a thread that is away cannot collect");
    self->presence = Presence::kParked;
    --running_;
  }
  stopped_.wait(lock, [this] { return running_ == 0; });
  return true;
}

void Safepoint::go(MutatorState* self) {
  const Lock lock(mutex_);
  wanted_.store(false, std::memory_order_seq_cst);
  if (self != nullptr) {
    self->presence = Presence::kRunning;
    ++running_;
  }
  go_.notify_all();
}

void Safepoint::park(MutatorState& mutator) {
  if (!is_wanted()) {
    return;
  }
  Lock lock(mutex_);
  if (is_wanted()) {
    step_aside(lock, mutator);
  }
}

// Why: a mutator that only waited would hold up the very stop that it waits for.
void Safepoint::wait_for_go(Lock& lock, MutatorState* self) {
  if (self != nullptr) {
    step_aside(lock, *self);
  } else {
    wait_until_gone(lock);
  }
}

void Safepoint::step_aside(Lock& lock, MutatorState& mutator) {
  mutator.presence = Presence::kParked;
  if (--running_ == 0) {
    stopped_.notify_all();
  }
  wait_until_gone(lock);
  mutator.presence = Presence::kRunning;
  ++running_;
}

void Safepoint::leave(MutatorState& mutator) {
  const Lock lock(mutex_);
  check(mutator.presence == Presence::kRunning, "a thread that is away left again");
  mutator.presence = Presence::kAway;
  if (--running_ == 0) {
    stopped_.notify_all();
  }
}

void Safepoint::come_back(MutatorState& mutator) {
  Lock lock(mutex_);
  wait_until_gone(lock);
  mutator.presence = Presence::kRunning;
  ++running_;
}

bool Safepoint::try_come_back(MutatorState& mutator) {
  // Why asked before the lock: whoever stops the world may hold it for as long as that takes.
  if (is_wanted()) {
    return false;
  }
  const Lock lock(mutex_);
  if (is_wanted()) {
    return false;
  }
  mutator.presence = Presence::kRunning;
  ++running_;
  return true;
}

std::uint32_t Safepoint::count() const {
  const Lock lock(mutex_);
  return static_cast<std::uint32_t>(
      std::count_if(mutators_.begin(), mutators_.end(),
                    [](const MutatorState* mutator) { return !mutator->is_background; }));
}

}  // namespace tenure
