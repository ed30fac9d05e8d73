// Memory of the device behind reserved addresses, by the driver's virtual memory management.
//
// Physical memory comes in chunks of one granule, each mapped once: the driver maps and unmaps chunks
// whole, and a pool may unmap any granules of what it mapped together.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <vector>

#include "cuda/driver.hpp"
#include "cuda/health.hpp"
#include "host/interval_set.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  one at a time
class DeviceMapping {
 public:
  DeviceMapping(const Driver& driver, DeviceHealth& health) : driver_(driver), health_(health) {}

  /// Whether a device maps memory, and in which granules; zero where it does not.
  ///
  /// at_least a power of two: granules are not smaller
  /// errors   kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<Bytes> open(int device, Bytes at_least);

  /// errors   kOutOfMemory: no addresses; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<std::byte*> reserve(Bytes size);
  /// Nothing is mapped there any more.
  void release(std::byte* base, Bytes size);

  /// All or nothing.
  ///
  /// cost     three driver calls a granule, and one; Measured: 57 us a granule of 2 MiB (H200)
  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> map(std::byte* base, Bytes size);
  /// Has another device reach what is mapped there.
  ///
  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> open_to(int peer, std::byte* base, Bytes size);
  /// And all that is mapped from now on.
  void open_to(int peer);
  void unmap(std::byte* base, Bytes size);

 private:
  [[nodiscard]] Result<void> map_chunk(std::byte* base);
  [[nodiscard]] bool is_stuck(const std::byte* base, Bytes size) const;

  const Driver& driver_;
  DeviceHealth& health_;
  CUmemAllocationProp properties_{};
  std::vector<CUmemAccessDesc> access_;  // of devices that reach what is mapped, the own one first
  Bytes granule_;
  IntervalSet stuck_;  // addresses whose unmapping the driver refused: memory is still behind them
};

}  // namespace tenure
