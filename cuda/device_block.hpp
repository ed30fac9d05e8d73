// A block of device memory that grows and never shrinks. What was in it is lost when it grows.
#pragma once

#include <cuda_runtime_api.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "cuda/done.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

class DeviceBlock {
 public:
  DeviceBlock() = default;
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;
  ~DeviceBlock() { release(); }

  /// Has room for `size` from now on. No work may still use the block.
  ///
  /// errors   kOutOfMemory, kDeviceLost; the block is empty then
  [[nodiscard]] Result<void> make_room(Bytes size) {
    if (size <= size_) {
      return {};
    }
    release();
    const Bytes rounded{std::bit_ceil(size.count())};  // so that it grows a few times in all
    void* data = nullptr;
    if (Result<void> got = done(cudaMalloc(&data, rounded.count()), "cudaMalloc"); !got) {
      return got;
    }
    data_ = static_cast<std::byte*>(data);
    size_ = rounded;
    return {};
  }

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] Bytes size() const { return size_; }

 private:
  void release() {
    if (data_ != nullptr) {
      static_cast<void>(take_error(cudaFree(data_), "cudaFree"));
    }
    data_ = nullptr;
    size_ = {};
  }

  std::byte* data_ = nullptr;
  Bytes size_;
};

}  // namespace tenure
