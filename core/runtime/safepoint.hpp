// Stop and go. Whoever wants the world to stand still asks here; mutators come here to be stopped.
//
// Invariant: while `stop` has returned true and `go` was not called, no mutator runs: each is parked,
// away, or the stopper itself.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/runtime/mutator.hpp"

namespace tenure {

/// threads  anyone
class Safepoint {
 public:
  /// Adds a running mutator, once no stop is under way. `also` is done where no stop can see half.
  template <class Also>
  void attach(MutatorState& mutator, Also also) {
    Lock lock(mutex_);
    wait_until_gone(lock);
    add(mutator);
    also();
  }
  template <class Also>
  void detach(MutatorState& mutator, Also also) {
    Lock lock(mutex_);
    remove(lock, mutator);
    also();
  }

  /// Stops the world, or finds that somebody else does, waits until that is over and gives false.
  ///
  /// self     the caller's own mutator, running; null where it has none
  [[nodiscard]] bool stop(MutatorState* self);
  void go(MutatorState* self);

  /// Whether somebody wants to stop the world. Read after a buffer's limit was opened.
  [[nodiscard]] bool is_wanted() const { return wanted_.load(std::memory_order_seq_cst); }

  /// Stands still while somebody wants it.
  void park(MutatorState& mutator);

  void leave(MutatorState& mutator);
  void come_back(MutatorState& mutator);
  /// Without waiting: false, and away as before, where somebody wants to stop the world.
  [[nodiscard]] bool try_come_back(MutatorState& mutator);

  /// Calls `visit(mutator)` for each. In a stop.
  template <class Visit>
  void for_each(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (MutatorState* mutator : mutators_) {
      visit(*mutator);
    }
  }
  /// Calls `look(mutators)` while no stop is under way, and holds one up meanwhile.
  ///
  /// self     the caller's own mutator, running; null where it has none
  template <class Look>
  void while_going(MutatorState* self, Look look) {
    Lock lock(mutex_);
    if (is_wanted()) {
      wait_for_go(lock, self);
    }
    look(mutators_);
  }
  /// Mutators attached, the library's own thread left out.
  [[nodiscard]] std::uint32_t count() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  void wait_until_gone(Lock& lock) {
    go_.wait(lock, [this] { return !is_wanted(); });
  }
  void wait_for_go(Lock& lock, MutatorState* self);
  void step_aside(Lock& lock, MutatorState& mutator);
  void add(MutatorState& mutator);
  void remove(Lock& lock, MutatorState& mutator);

  mutable std::mutex mutex_;
  std::condition_variable stopped_;      // the last mutator stood still
  std::condition_variable go_;           // a stop is over
  std::atomic<bool> wanted_{false};      // written under mutex_
  std::uint32_t running_ = 0;            // guarded by mutex_
  std::vector<MutatorState*> mutators_;  // guarded by mutex_
};

}  // namespace tenure
