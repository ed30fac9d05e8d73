// A CUDA call's answer as a Result, so that calls can be chained and the first that fails is passed up.
#pragma once

#include <cuda_runtime_api.h>

#include <string_view>

#include "cuda/calls.hpp"
#include "kernels/launch.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// The error of a call that failed, which is cleared; or success.
[[nodiscard]] inline Result<void> done(cudaError_t status, std::string_view call) {
  if (std::optional<Error> fault = take_error(status, call)) {
    return *std::move(fault);
  }
  return {};
}

[[nodiscard]] inline Result<void> done(kernels::LaunchStatus status, std::string_view launch) {
  return done(static_cast<cudaError_t>(status), launch);
}

/// Has `device` be the current one of the calling thread for a while.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    status_ = done(cudaGetDevice(&before_), "cudaGetDevice");
    if (status_ && before_ != device) {
      status_ = done(cudaSetDevice(device), "cudaSetDevice");
      changed_ = status_.ok();
    }
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() {
    if (changed_) {
      static_cast<void>(take_error(cudaSetDevice(before_), "cudaSetDevice"));
    }
  }
  [[nodiscard]] const Result<void>& status() const { return status_; }

 private:
  int before_ = 0;
  bool changed_ = false;
  Result<void> status_;
};

}  // namespace tenure
