// The machine behind the substitute: its streams, its memory, and what was ordered to fail.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda/substitute/substitute.hpp"

namespace tenure::substitute {

/// How far an event has come: the number of its records, and of those that were reached.
struct Progress {
  std::uint64_t recorded = 0;
  std::uint64_t done = 0;
};

struct Extent {
  std::byte* base = nullptr;
  std::size_t bytes = 0;
};

/// One piece of work, or a wait for an event.
struct Operation {
  std::function<void()> run;       // empty: nothing is done
  std::vector<Extent> touches;     // of device memory; opened while it runs
  bool touches_all = false;        // a kernel's
  std::shared_ptr<Progress> on{};  // runnable once `on` has done that much
  std::uint64_t generation = 0;
};

}  // namespace tenure::substitute

// What the toolkit's handles point to. Each lies in a list of the world's, which says whether it lives.
struct CUevent_st {
  int device = 0;
  std::shared_ptr<tenure::substitute::Progress> progress;
};
struct CUstream_st {
  int device = 0;
  bool is_running = false;    // one of its operations is
  bool is_destroyed = false;  // work on it goes on
  std::deque<tenure::substitute::Operation> queue;
};
struct CUctx_st {
  int device = 0;
  std::uint64_t retained = 0;
  bool was_made = false;
};

namespace tenure::substitute {

/// Memory that the device can reach.
struct Block {
  enum class Kind { kDevice, kManaged, kHost, kRegistered, kMapping };
  Kind kind = Kind::kDevice;
  std::size_t bytes = 0;
  bool is_open = true;         // to operations; a mapping is once access was set
  std::byte* pages = nullptr;  // where its pages begin; it may begin inside
  std::size_t page_bytes = 0;
  int device = 0;
  std::size_t slack = 0;    // between its end and that of its pages
  std::size_t counted = 0;  // bytes of the device's account
  bool is_pooled = false;   // cudaMallocAsync's
  std::set<int> peers{};    // of a mapping: devices besides its own that reach it
};

/// Physical memory: a file, so that it keeps its bytes wherever it is mapped.
struct Physical {
  std::size_t bytes = 0;
  int device = 0;
  int file = -1;  // -1 once it is released: it cannot be mapped any more
  std::uint64_t mappings = 0;
};

struct Fault {
  std::uint64_t nth;
  cudaError_t error;
};

/// threads  whoever holds `mutex`
class World {
 public:
  using Lock = std::unique_lock<std::mutex>;

  std::mutex mutex;
  std::condition_variable ran;  // an operation is over
  Machine machine;
  std::mt19937_64 random;
  bool is_running = false;         // an operation, without the lock
  cudaError_t gone = cudaSuccess;  // what every call answers, once the device is lost

  std::map<std::byte*, Block> blocks;              // by where they begin
  std::map<std::byte*, std::size_t> reservations;  // addresses, by where they begin
  std::map<CUmemGenericAllocationHandle, Physical> physical;
  CUmemGenericAllocationHandle last_handle = 0;
  std::map<std::byte*, CUmemGenericAllocationHandle> behind;  // a mapping, by where it begins
  std::vector<std::size_t> used;                              // bytes of each device

  std::deque<std::unique_ptr<CUstream_st>> streams;
  std::deque<CUstream_st> default_streams;  // one a device
  std::map<cudaEvent_t, std::unique_ptr<CUevent_st>> events;
  std::deque<CUctx_st> contexts;             // the primary one of each device
  std::set<std::pair<int, int>> peers;       // the first reaches what the second has of cudaMalloc
  std::set<std::pair<int, int>> pool_peers;  // and of its pool
  std::vector<Hint> hints;

  std::vector<std::string> calls;
  std::map<std::string, std::uint64_t> counts;
  std::map<std::string, std::vector<Fault>> faults;
  std::vector<Fault> faults_of_any;
  std::vector<std::string> misuses;

  void reset(const Machine& played);

  /// Counts a call; gives the error that it fails with, or success.
  cudaError_t enter(const std::string& name);
  void lose(cudaError_t error);

  [[nodiscard]] bool is_alive(const CUstream_st* stream) const;
  /// Null for a handle that is none. The null handle is the current device's default stream.
  CUstream_st* stream_of(cudaStream_t stream);
  [[nodiscard]] bool is_idle(const CUstream_st& stream) const {
    return stream.queue.empty() && !stream.is_running;
  }
  [[nodiscard]] bool is_idle() const;
  /// Whether a copy or fill in flight touches some of [base, base + bytes). Of kernels it is not known.
  [[nodiscard]] bool is_in_use(const std::byte* base, std::size_t bytes) const;

  /// Runs one operation, or waits for the one that runs. False where there is none.
  bool step(Lock& lock);
  /// As `step`, but never waits.
  void poll(Lock& lock);
  /// Runs operations until `is_done`. cudaErrorUnknown where that can never be.
  cudaError_t wait_until(Lock& lock, const std::function<bool()>& is_done);

  /// The block that `address` lies in, or null.
  const std::pair<std::byte* const, Block>* block_at(const void* address) const;
  /// Whether [address, address + bytes) may be touched by the device, or is plain host memory.
  [[nodiscard]] bool may_touch(const void* address, std::size_t bytes) const;
  [[nodiscard]] bool is_pageable(const void* address) const;
  /// Whether work on a device's stream reaches what another one has there. Copies pass through the host
  /// where it is no mapping.
  [[nodiscard]] bool reaches(int device, const void* address, std::size_t bytes,
                             bool is_copy) const;
  void erase(std::byte* base);
  bool take(int device, std::size_t bytes);

 private:
  Operation* next_of(CUstream_st& stream);
  void protect(const Operation& operation, int access);
};

[[nodiscard]] World& world();

/// The contexts that are current on this thread, the innermost last.
[[nodiscard]] std::vector<CUcontext>& context_stack();
/// The current device, as a call that needs one finds it: without a context, device 0's is made.
[[nodiscard]] int device_of_call();

/// One call of the runtime: holds the lock, was counted, and may be refused.
class Call {
 public:
  explicit Call(const char* name);
  [[nodiscard]] bool is_refused() const { return status_ != cudaSuccess; }
  [[nodiscard]] cudaError_t status() const { return status_; }
  [[nodiscard]] World::Lock& lock() { return lock_; }
  /// The call's answer; an error is also what cudaGetLastError tells next on this thread.
  [[nodiscard]] cudaError_t answer(cudaError_t status) const;

 private:
  World::Lock lock_;
  cudaError_t status_;
};

/// As a Call, for a function of the driver: those leave no error to be told.
class DriverCall {
 public:
  explicit DriverCall(const char* name);
  [[nodiscard]] bool is_refused() const { return status_ != CUDA_SUCCESS; }
  [[nodiscard]] CUresult status() const { return status_; }

 private:
  World::Lock lock_;
  CUresult status_;
};

/// Says that this thread runs a function that was put on a stream: it must not call CUDA.
class InsideStream {
 public:
  InsideStream();
  ~InsideStream();
  InsideStream(const InsideStream&) = delete;
  InsideStream& operator=(const InsideStream&) = delete;
};

/// A driver function by its name, or null.
[[nodiscard]] void* driver_function(const std::string& name);

[[nodiscard]] constexpr std::size_t round_up(std::size_t bytes, std::size_t step) {
  return (bytes + step - 1) / step * step;
}
inline constexpr std::size_t kPage = 4096;

}  // namespace tenure::substitute
