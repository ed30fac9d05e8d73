// Page-locked buffers on the way to a device and back, used in turn, so that the host fills one while
// the link empties another.
//
// Invariant: a buffer is handed out again only after the work that used it last is done.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  one at a time
class Staging {
 public:
  static constexpr std::size_t kBuffers = 4;
  // Measured: by four such buffers, filled by 16 cores, a heap is shipped at 37 GB/s over a link that
  // carries 55 (`gpu_checks`, marking, on an H200); a copy's own cost is some 10 us.
  static constexpr Bytes kBufferSize{4u << 20};

  /// errors   kOutOfMemory, kDeviceRefused, kDeviceLost
  [[nodiscard]] static Result<std::unique_ptr<Staging>> open();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  /// No work may still use a buffer.
  ~Staging();

  /// The next buffer, once the device is done with it. The host waits.
  [[nodiscard]] Result<std::byte*> next();
  /// Work that uses the buffer handed out last was put on `stream`; all of it lies before this call.
  [[nodiscard]] Result<void> in_use(cudaStream_t stream);
  /// Waits for the work of the buffer that was handed out `ago` calls before the last one.
  [[nodiscard]] Result<std::byte*> wait_for(std::size_t ago);

 private:
  struct Buffer {
    std::byte* data = nullptr;
    cudaEvent_t idle = nullptr;  // behind the work that uses it
    bool is_used = false;        // `idle` was recorded
  };

  Staging() = default;
  [[nodiscard]] Result<void> wait(Buffer& buffer);

  std::array<Buffer, kBuffers> buffers_;
  std::size_t last_ = kBuffers - 1;  // handed out last
};

}  // namespace tenure
