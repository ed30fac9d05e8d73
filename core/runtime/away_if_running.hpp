// For a thread that is about to wait for the world, or to run foreign code, which may wait for threads
// that wait for a stop: nobody waits for it meanwhile.
#pragma once

#include "core/runtime/mutator.hpp"
#include "core/runtime/safepoint.hpp"

namespace tenure {

/// The calling thread's mutator is away for as long as this lives, if it was running.
class AwayIfRunning {
 public:
  AwayIfRunning(Safepoint& safepoint, MutatorState* self)
      : safepoint_(safepoint),
        self_(self != nullptr && self->presence == Presence::kRunning ? self : nullptr) {
    if (self_ != nullptr) {
      safepoint_.leave(*self_);
    }
  }
  AwayIfRunning(const AwayIfRunning&) = delete;
  AwayIfRunning& operator=(const AwayIfRunning&) = delete;
  ~AwayIfRunning() {
    if (self_ != nullptr) {
      safepoint_.come_back(*self_);
    }
  }

 private:
  Safepoint& safepoint_;
  MutatorState* self_;
};

}  // namespace tenure
