// Whether a device can still be asked for anything.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cuda/calls.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Whose fault it is where CUDA says that an argument is bad or not supported.
enum class Blame : std::uint8_t {
  kDevice,  // ours were checked before: the device has refused the call
  kCaller,  // a caller's own address, for one, of which nothing is known here
};

/// Remembers that the device was lost: from then on CUDA is not asked again, whose answer would be the
/// same error for as long as the process lives.
///
/// threads  anyone
class DeviceHealth {
 public:
  explicit DeviceHealth(std::string device) : device_(std::move(device)) {}

  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] bool is_lost() const { return is_lost_.load(std::memory_order_acquire); }

  /// The error of a call that failed; nothing where it did not.
  [[nodiscard]] std::optional<Error> take(cudaError_t status, std::string_view call,
                                          Blame blame = Blame::kDevice) {
    return note(take_error(status, call), blame);
  }
  [[nodiscard]] std::optional<Error> take(CUresult status, std::string_view call) {
    return note(take_error(status, call), Blame::kDevice);
  }

  /// Why nothing can be asked for any more; nothing where it can.
  [[nodiscard]] std::optional<Error> refusal(std::string_view call) const;

  /// Makes a call that gives something back until it is not refused, three times at the most: whoever
  /// calls has no use for an error, and a device that refuses once may not do so again.
  template <class Call>
  bool insist(std::string_view name, Call call) {
    for (int attempt = 0; attempt < 3 && !is_lost(); ++attempt) {
      if (!take(call(), name)) {
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] std::optional<Error> note(std::optional<Error> error, Blame blame);

  const std::string device_;
  std::atomic<bool> is_lost_{false};
  mutable std::mutex mutex_;
  std::string reason_;  // of the loss; guarded by mutex_
};

}  // namespace tenure
