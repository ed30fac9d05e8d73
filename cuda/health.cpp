#include "cuda/health.hpp"

namespace tenure {

std::optional<Error> DeviceHealth::note(std::optional<Error> error, Blame blame) {
  if (!error) {
    return error;
  }
  if (error->code == ErrorCode::kDeviceLost) {
    const std::scoped_lock lock(mutex_);
    if (!is_lost_.load(std::memory_order_relaxed)) {
      reason_ = error->message;
      // Why release: who sees the loss finds its reason written.
      is_lost_.store(true, std::memory_order_release);
    }
  }
  const bool is_ours =
      error->code == ErrorCode::kBadArgument || error->code == ErrorCode::kUnsupported;
  if (is_ours && blame == Blame::kDevice) {
    error->code = ErrorCode::kDeviceRefused;
  }
  return error;
}

std::optional<Error> DeviceHealth::refusal(std::string_view call) const {
  if (!is_lost()) {
    return std::nullopt;
  }
  const std::scoped_lock lock(mutex_);
  return Error{ErrorCode::kDeviceLost, "cannot " + std::string(call) + ": " + device_ +
                                           " is lost (" + reason_ +
                                           "); the process has to start again"};
}

}  // namespace tenure
