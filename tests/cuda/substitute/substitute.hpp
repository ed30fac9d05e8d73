// Steers the substitute of the CUDA runtime from a test.
//
// The substitute is linked instead of the runtime: host code of cuda/ is tested unchanged, without a
// GPU or a driver. It defines the functions under the toolkit's own headers, so that a signature that
// differs does not compile. Where it is stricter than a device it is so on purpose:
// - Work is lazy. Nothing runs before somebody waits for it or polls, and then the runnable operations
//   of all streams run one at a time in an order drawn from the seed: a missing wait shows as wrong
//   data.
// - A copy from pageable memory reads its source at the call, one from page-locked memory when it
//   runs: a staging buffer that is reused too early shows. One to pageable memory is awaited, as the
//   real one is.
// - Memory of the device is closed to the host but while an operation runs. Small blocks lie at the
//   end of their pages, so that what runs past their end faults, and none starts on a page by chance.
// - What is unmapped or freed in stream order while work in flight uses it is a misuse, and is told.
//
// It has no time, an operation runs whole, and streams are made with cudaStreamNonBlocking only.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tenure::substitute {

/// The machine that is played.
struct Machine {
  bool has_driver = true;
  int devices = 1;
  std::size_t device_bytes = std::size_t{1} << 30;  // of each
  std::uint64_t seed = 1;                           // for the order of operations
  bool can_map = true;                              // virtual memory management
  bool has_memory_pools = true;                     // cudaMallocAsync
  bool has_managed_memory = true;
  bool has_concurrent_managed_access = true;  // else prefetches and advice are refused
  bool shares_host_memory = false;  // by the host's page tables: kernels may read all of it
  bool has_peers = true;            // all devices can reach each other's memory
  int compute_major = 9;
  int compute_minor = 0;
  int multiprocessors = 4;
};

/// Forgets everything, and plays this machine from now on. No other thread may be in a call.
void reset(const Machine& machine = {});

// --- work -------------------------------------------------------------------------------------

/// Puts a kernel's emulation on a stream: what a launch function does where nvcc compiles none. All
/// memory of the device is open while it runs; it must not call CUDA, and throws nothing.
///
/// stream   null is the default stream of the calling thread's device
/// returns  what a launch would: an error that was ordered for "enqueue", or for its number
cudaError_t enqueue(cudaStream_t stream, std::function<void()> kernel);

/// Runs all that can run, in the order of the seed. False where something is left that never can.
bool run_all();

// --- faults -----------------------------------------------------------------------------------

/// The n-th call of this name from now fails, 1 being the next, and does nothing. Driver functions,
/// such as "cuMemCreate", answer with the result of the same number. An error that says that the
/// device is lost loses it.
void fail(const std::string& call, std::uint64_t nth, cudaError_t error);
/// The n-th call of any name from now fails, 1 being the next.
void fail_any(std::uint64_t nth, cudaError_t error);
/// The device is lost: work in flight is never done, and every call answers with `error`.
void lose(cudaError_t error = cudaErrorIllegalAddress);
/// The driver has shut down, as it does while a program ends.
void shut_down();

// --- what was seen ----------------------------------------------------------------------------

/// Names of all calls since the reset, refused ones included. Those that tell errors do not count.
[[nodiscard]] std::vector<std::string> calls();
/// How often a call was made since the reset.
[[nodiscard]] std::uint64_t count(const std::string& call);
/// Broken rules of the API that the real one does not tell, in sentences.
[[nodiscard]] std::vector<std::string> misuses();

/// A hint about managed memory that was taken.
struct Hint {
  const void* at = nullptr;
  std::size_t bytes = 0;
  int device = 0;  // cudaCpuDeviceId is the host
  bool is_prefetch = false;
  cudaMemoryAdvise advice{};  // where it is none
};
[[nodiscard]] std::vector<Hint> hints();

/// What is not given back. All zero at the end of a test is: nothing leaked.
struct Held {
  std::size_t device_bytes = 0;   // blocks and physical memory
  std::size_t managed_bytes = 0;  // cudaMallocManaged
  std::size_t host_bytes = 0;     // cudaHostAlloc, and registered
  std::size_t reservations = 0;   // cuMemAddressReserve
  std::size_t mappings = 0;       // cuMemMap
  std::size_t streams = 0;
  std::size_t events = 0;
  std::size_t contexts = 0;  // retained, all devices together
  friend bool operator==(const Held&, const Held&) = default;
};
[[nodiscard]] Held held();
/// In words, for a failure.
[[nodiscard]] std::string to_string(const Held& held);

/// Device of the context that is current on this thread; -1 where none is.
[[nodiscard]] int current_device();
/// Whether a device's primary context was ever made.
[[nodiscard]] bool was_initialised(int device);

}  // namespace tenure::substitute
