// A device's context, made current on a thread for the length of a call.
//
// Why the driver's stack, and not cudaSetDevice: what a caller has as its current device or context,
// or that it has none, is the same after a call as before.
#pragma once

#include <cuda.h>

#include <utility>

#include "cuda/driver.hpp"
#include "cuda/health.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// The context is current while this lives.
class ContextScope {
 public:
  ContextScope() = default;
  ContextScope(const Driver& driver, DeviceHealth& health) : driver_(&driver), health_(&health) {}
  ContextScope(ContextScope&& from) noexcept
      : driver_(std::exchange(from.driver_, nullptr)), health_(from.health_) {}
  ContextScope& operator=(ContextScope&&) = delete;
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope();

 private:
  const Driver* driver_ = nullptr;  // null where nothing was pushed
  DeviceHealth* health_ = nullptr;
};

/// The primary context of a device, which the runtime uses too; kept alive while this lives.
///
/// threads  anyone
class DeviceContext {
 public:
  DeviceContext(const Driver& driver, DeviceHealth& health) : driver_(driver), health_(health) {}
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;
  ~DeviceContext();

  /// errors   kOutOfMemory: of the device, for the context; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> open(int device);
  [[nodiscard]] bool is_open() const { return context_ != nullptr; }

  /// Makes it current, where it is not.
  ///
  /// cost     some nanoseconds where it is
  /// errors   kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<ContextScope> enter();

 private:
  const Driver& driver_;
  DeviceHealth& health_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;  // null before it is open
};

}  // namespace tenure
