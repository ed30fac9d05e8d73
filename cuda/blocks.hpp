// Memory in one piece: of the device, unified, and page-locked.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>

#include "cuda/context.hpp"
#include "cuda/health.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  one at a time; the device's context is current
class DeviceBlocks {
 public:
  DeviceBlocks(DeviceHealth& health, int device) : health_(health), device_(device) {}

  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> open();

  /// kind     not kHost
  /// returns  aligned to a page
  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size);
  /// No work uses it any more.
  void deallocate(std::byte* base);

  /// Has another device reach device memory, what comes later included.
  ///
  /// peer     which CUDA said can reach it
  /// errors   kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> open_to(int peer, DeviceContext& context_of_peer);

  /// Gives back what was not, and the stream.
  void close();

 private:
  struct Block {
    void* raw = nullptr;  // as CUDA gave it, up to a page before
    MemoryKind kind = MemoryKind::kDevice;
  };

  [[nodiscard]] Result<void*> allocate_raw(MemoryKind kind, Bytes size);
  [[nodiscard]] Result<void*> allocate_in_order(Bytes size);
  void free_raw(MemoryKind kind, void* raw);

  DeviceHealth& health_;
  const int device_;
  cudaStream_t stream_ =
      nullptr;  // for cudaMallocAsync, idle but for that; null where it is not there
  std::map<std::byte*, Block> blocks_;
};

}  // namespace tenure
