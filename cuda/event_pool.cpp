#include "cuda/event_pool.hpp"

#include <optional>

namespace tenure {

Result<PooledEvent> EventPool::take() {
  cudaEvent_t event = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      event = idle_.back();
      idle_.pop_back();
    }
  }
  if (event == nullptr) {
    // Why without times: such an event costs the device less, and nobody asks.
    if (std::optional<Error> fault = health_.take(
            cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags")) {
      return *fault;
    }
  }
  return PooledEvent(event, [this](cudaEvent_t held) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(held);
  });
}

void EventPool::close() {
  const std::scoped_lock lock(mutex_);
  for (const cudaEvent_t event : idle_) {
    health_.insist("cudaEventDestroy", [event] { return cudaEventDestroy(event); });
  }
  idle_.clear();
}

}  // namespace tenure
