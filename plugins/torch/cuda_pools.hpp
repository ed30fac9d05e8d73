// PyTorch's memory of CUDA tensors from Tenure's pools: one runtime a device, opened when PyTorch first
// asks for memory there, or handed over by whoever has one.
//
// It knows PyTorch by the signatures of its pluggable allocator alone, and CUDA by the address that a
// cudaStream_t is.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "tenure/plugins/address_allocator.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

/// threads  anyone. Whoever made its streams destroys them after it.
class TorchCudaPools {
 public:
  using Opens = std::function<Result<Runtime>(int device)>;

  /// opens   for a device that nobody handed over; "cuda:N" by default
  explicit TorchCudaPools(Opens opens = open_cuda);

  /// Serves a device from a runtime that is there already, and outlives this.
  ///
  /// errors   kBadArgument: no such number, or PyTorch was served there already
  Result<void> share(int device, Runtime& runtime);

  /// Bytes for work on a stream; null for none.
  ///
  /// errors   throws OutOfPayload, a bad_alloc: there is no room; Failure: no such device or stream
  [[nodiscard]] void* allocate(std::ptrdiff_t size, int device, void* stream);

  /// Hands them back, in stream order. The host does not wait.
  ///
  /// errors   none. What was not allocated here, or was freed before, stops the program
  void release(void* address, int device);

  /// Work put on `stream` so far uses the bytes too: they are not given to others before it is done.
  ///
  /// errors   throws Failure: no such address, or the stream cannot be told from others
  void record_stream(void* address, void* stream);

  /// Gives memory that nothing uses back to the devices: PyTorch's `empty_cache`.
  void trim();

  /// PyTorch may hold no more than so much of a device: its `set_per_process_memory_fraction`.
  ///
  /// fraction   of what the runtime's pool may map there, 0 to 1
  /// errors     throws Failure: kBadArgument; no such device
  void limit(double fraction, int device);

 private:
  struct Device {
    std::unique_ptr<Runtime> owned;  // null where it was handed over
    std::unique_ptr<AddressAllocator> allocator;
  };

  static Result<Runtime> open_cuda(int device);
  [[nodiscard]] AddressAllocator* find(int device);
  [[nodiscard]] std::vector<AddressAllocator*> all();
  [[nodiscard]] AddressAllocator& at(int device);
  AddressAllocator& add(int device, Device made);

  const Opens opens_;
  std::mutex opening_;  // held while a runtime is opened, alone
  std::mutex mutex_;
  std::vector<Device> devices_;  // by number; guarded by mutex_. What is there stays.
};

}  // namespace tenure
