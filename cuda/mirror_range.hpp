// Device addresses for a whole cage, with memory behind those pieces alone that hold something: a
// granule's number is its place in the cage and in the copy alike.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/driver.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  one at a time
class MirrorRange {
 public:
  /// Reserves the addresses on the current device.
  ///
  /// errors   kUnsupported: the driver maps no memory; kOutOfMemory: no addresses; kDeviceRefused
  [[nodiscard]] static Result<std::unique_ptr<MirrorRange>> open(int device);
  MirrorRange(const MirrorRange&) = delete;
  MirrorRange& operator=(const MirrorRange&) = delete;
  /// No work may still use the range.
  ~MirrorRange();

  /// Puts memory behind [first, first + count) regions, where there is none. Its contents are
  /// undefined.
  ///
  /// errors   kOutOfMemory, kDeviceRefused; some of it may be mapped then
  [[nodiscard]] Result<void> map_regions(std::uint32_t first, std::uint32_t count);

  [[nodiscard]] std::byte* base() const { return reinterpret_cast<std::byte*>(base_); }
  [[nodiscard]] Bytes mapped() const { return mapped_; }

 private:
  struct Run {
    std::uint64_t offset;
    std::uint64_t size;
  };

  explicit MirrorRange(const Driver& driver) : driver_(driver) {}
  [[nodiscard]] Result<void> reserve(int device);
  [[nodiscard]] Result<void> map_run(std::uint64_t first_chunk, std::uint64_t chunks);

  Driver driver_;
  CUmemAllocationProp memory_{};
  std::uint64_t chunk_ = 0;           // bytes mapped at a time, at least
  CUdeviceptr base_ = 0;              // 0: nothing is reserved
  std::vector<std::uint32_t> there_;  // a bit a chunk: it has memory
  std::vector<Run> runs_;             // as they were mapped
  Bytes mapped_;
};

}  // namespace tenure
