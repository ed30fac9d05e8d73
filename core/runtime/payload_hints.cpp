// Hints about payloads, handed to the backend.
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

Error closed() { return {ErrorCode::kClosed, "a hint was given to a runtime that was closed"}; }

}  // namespace

Result<HintOutcome> Runtime::prefetch(const PayloadView& bytes, MemorySide side, StreamId stream) {
  if (!state_->is_open()) {
    return closed();
  }
  return state_->backend().prefetch(stream, bytes.data, bytes.size, side);
}

Result<HintOutcome> Runtime::advise(const PayloadView& bytes, MemoryAdvice advice) {
  if (!state_->is_open()) {
    return closed();
  }
  return state_->backend().advise(bytes.data, bytes.size, advice);
}

}  // namespace tenure
