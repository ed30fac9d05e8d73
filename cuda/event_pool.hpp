// Events of one device, used again and again: making one costs a driver call, recording one does not.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <vector>

#include "cuda/health.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// An event that goes back to its pool with the last who hold it: whoever waits for it holds it too,
/// so that it is not recorded anew meanwhile.
using PooledEvent = std::shared_ptr<CUevent_st>;

/// threads  anyone; the device's context is current
class EventPool {
 public:
  explicit EventPool(DeviceHealth& health) : health_(health) {}
  EventPool(const EventPool&) = delete;
  EventPool& operator=(const EventPool&) = delete;

  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<PooledEvent> take();

  /// Destroys all events, none of which is held any more.
  void close();

 private:
  DeviceHealth& health_;
  std::mutex mutex_;
  std::vector<cudaEvent_t> idle_;  // guarded by mutex_
};

}  // namespace tenure
