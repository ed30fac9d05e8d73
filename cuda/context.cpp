#include "cuda/context.hpp"

#include <cuda_runtime_api.h>

#include <optional>

namespace tenure {

ContextScope::~ContextScope() {
  // Why also of a lost device: the thread's next call may go to another one.
  CUcontext popped = nullptr;
  for (int attempt = 0; driver_ != nullptr && attempt < 3; ++attempt) {
    if (!health_->take(driver_->pop_context(&popped), "cuCtxPopCurrent")) {
      return;
    }
  }
}

DeviceContext::~DeviceContext() {
  if (context_ != nullptr) {
    health_.insist("cuDevicePrimaryCtxRelease", [&] { return driver_.release_context(device_); });
  }
}

Result<void> DeviceContext::open(int device) {
  if (std::optional<Error> fault =
          health_.take(driver_.device_get(&device_, device), "cuDeviceGet")) {
    return *fault;
  }
  // Why the runtime too: it keeps its own hold on the context then, which stays when ours goes.
  if (std::optional<Error> fault = health_.take(cudaInitDevice(device, 0, 0), "cudaInitDevice")) {
    return *fault;
  }
  CUcontext context = nullptr;
  if (std::optional<Error> fault =
          health_.take(driver_.retain_context(&context, device_), "cuDevicePrimaryCtxRetain")) {
    return *fault;
  }
  context_ = context;
  return {};
}

Result<ContextScope> DeviceContext::enter() {
  CUcontext current = nullptr;
  if (std::optional<Error> fault =
          health_.take(driver_.current_context(&current), "cuCtxGetCurrent")) {
    return *fault;
  }
  if (current == context_) {
    return ContextScope();
  }
  if (std::optional<Error> fault =
          health_.take(driver_.push_context(context_), "cuCtxPushCurrent")) {
    return *fault;
  }
  return ContextScope(driver_, health_);
}

}  // namespace tenure
