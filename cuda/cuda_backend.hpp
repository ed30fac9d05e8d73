// A CUDA device as a backend.
//
// | kind    | memory                                   | mapped                                      |
// |---------|------------------------------------------|---------------------------------------------|
// | device  | the device's own                         | by the driver, where it can; else in blocks |
// | unified | cudaMallocManaged, preferably the device | in blocks                                   |
// | pinned  | cudaHostAlloc                            | in blocks                                   |
// | host    | pages of this computer                   | by the system                               |
//
// Device and unified memory share one capacity, the device's; pinned and host memory another, the
// computer's. Unified memory is not given beyond the device's capacity, though CUDA would.
//
// Invariant: CUDA is asked with the device's context current, and what was current before is so after
// the call; no error of ours is left to be told. Once the device is lost it is asked for nothing.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/backend/backend.hpp"
#include "cuda/blocks.hpp"
#include "cuda/context.hpp"
#include "cuda/driver.hpp"
#include "cuda/health.hpp"
#include "cuda/mapping.hpp"
#include "cuda/streams.hpp"
#include "host/range_ledger.hpp"

namespace tenure {

struct CudaOptions {
  int device = 0;                    // as CUDA numbers those that it shows
  Bytes capacity = kUnlimited;       // of device and unified memory; the device's at the most
  Bytes host_capacity = kUnlimited;  // of pinned and host memory; the computer's at the most
};

/// Work on plain memory of the host has the caller wait for the stream: copies to it, which CUDA does so,
/// fills of it, and copies between it and the host's other memory. Work on pinned memory does not.
///
/// threads  anyone
class CudaBackend final : public Backend {
 public:
  /// errors   kUnsupported: no driver, or no such device; kOutOfMemory, kDeviceRefused, kDeviceLost: it
  ///          cannot be used now
  [[nodiscard]] static Result<std::unique_ptr<CudaBackend>> open(const CudaOptions& options);
  ~CudaBackend() override;

  [[nodiscard]] std::string name() const override { return health_.device(); }
  [[nodiscard]] KindTraits traits(MemoryKind kind) const override;
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size) override;
  void release(const AddressRange& range) override;
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size) override;
  void unmap(const AddressRange& range, Bytes offset, Bytes size) override;
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size) override;
  void deallocate(MemoryKind kind, std::byte* base, Bytes size) override;
  [[nodiscard]] Result<StreamId> make_stream() override;
  [[nodiscard]] Result<StreamId> adopt_stream(void* native) override;
  [[nodiscard]] bool has_stream(StreamId stream) const override;
  [[nodiscard]] Result<StreamEvent> record(StreamId stream) override;
  [[nodiscard]] std::uint64_t reached(StreamId stream) override;
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) override;
  [[nodiscard]] Result<void> synchronize(StreamEvent event) override;
  [[nodiscard]] Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) override;
  [[nodiscard]] Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                  Bytes size) override;
  [[nodiscard]] Result<HintOutcome> prefetch(StreamId stream, const std::byte* at, Bytes size,
                                             MemorySide side) override;
  [[nodiscard]] Result<HintOutcome> advise(const std::byte* at, Bytes size,
                                           MemoryAdvice advice) override;

  /// Has work of another device reach this one's device memory by its addresses, what comes later
  /// included. Twice is as good as once, and it stays so until the process ends.
  ///
  /// peer     as CUDA numbers devices
  /// errors   kBadArgument: no such device, or this one; kUnsupported: the two do not reach each other;
  ///          kOutOfMemory, kDeviceRefused: perhaps some of the memory is open then, and asking again
  ///          does the rest; kDeviceLost
  [[nodiscard]] Result<void> open_to(int peer);
  /// As `wait`, for an event of another device's.
  [[nodiscard]] Result<void> wait_for(StreamId waiter, CudaBackend& other, StreamEvent event);

  /// The runtime's handle of a stream, for work of one's own. Null is its default stream.
  ///
  /// errors   kBadArgument: no such stream
  [[nodiscard]] Result<cudaStream_t> native(StreamId stream) const {
    return streams_.native(stream, "find");
  }
  /// Makes the device's context current on this thread, for calls of one's own.
  ///
  /// errors   kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<ContextScope> enter(const char* call);
  [[nodiscard]] int device() const { return options_.device; }

 private:
  enum class Place : std::uint8_t {
    kPlain,
    kPinned,
    kDevice
  };  // of bytes; unified is the device's

  CudaBackend(const CudaOptions& options, const Driver& driver);
  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<ContextScope> enter_surely(const char* call);
  [[nodiscard]] bool maps(MemoryKind kind) const;
  [[nodiscard]] Error with_figures(const Error& refused) const;
  [[nodiscard]] Result<void> require_access(const std::byte* address, Bytes size,
                                            const char* call) const;
  [[nodiscard]] std::optional<MemoryKind> kind_of(const std::byte* address) const;
  [[nodiscard]] Result<Place> place_of(const std::byte* address);
  [[nodiscard]] Result<HintOutcome> hint(const std::byte* at, Bytes size, const char* what,
                                         const std::function<cudaError_t()>& call,
                                         const char* name);
  [[nodiscard]] Result<void> do_on_host(StreamId stream, cudaStream_t native, Place place,
                                        std::function<void()> work);

  const CudaOptions options_;
  const Driver driver_;
  DeviceHealth health_;
  DeviceContext context_;
  CudaStreams streams_;
  bool has_unified_ = false;         // set as it is opened, as the three below
  bool host_reads_unified_ = false;  // also while the device works
  Bytes granule_;                    // of device memory; zero where it cannot be mapped

  std::mutex growth_;                    // held while memory comes and goes
  DeviceMapping mapping_;                // guarded by growth_
  DeviceBlocks blocks_;                  // guarded by growth_
  mutable std::mutex mutex_;             // never held across a call of CUDA's
  std::unique_ptr<RangeLedger> ledger_;  // guarded by mutex_
};

}  // namespace tenure
