// Pools that give their memory away for a while, from inside.
#include "tenure/sleep.hpp"

#include "core/runtime/away_if_running.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

Result<SleepReport> RuntimeState::sleep(MutatorState* self, MemoryKind kind,
                                        const SleepOptions& options) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no pools"};
  }
  const Result<PayloadPool*> found = pool(kind);
  if (!found) {
    return found.failure();
  }
  // It waits for streams, and copies for as long as that takes.
  const AwayIfRunning away(safepoint_, self);
  return (*found)->sleep(options);
}

Result<WakeReport> RuntimeState::wake(MutatorState* self, MemoryKind kind) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no pools"};
  }
  const Result<PayloadPool*> found = pool(kind);
  if (!found) {
    return found.failure();
  }
  const AwayIfRunning away(safepoint_, self);
  return (*found)->wake();
}

Result<SleepReport> Runtime::sleep(MemoryKind kind, const SleepOptions& options) {
  return state_->sleep(state_->self(), kind, options);
}

Result<WakeReport> Runtime::wake(MemoryKind kind) { return state_->wake(state_->self(), kind); }

}  // namespace tenure
