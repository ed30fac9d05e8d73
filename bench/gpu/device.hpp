// The device as a benchmark needs it: memory that frees itself, work that is timed on the device, and
// calls whose failure ends the section with a sentence.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>

namespace tenure::bench {

/// Ends the section with a sentence where a call failed.
inline void must(cudaError_t status, const char* call) {
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
  }
}

[[nodiscard]] inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[nodiscard]] inline int attribute(cudaDeviceAttr which) {
  int device = 0;
  int value = 0;
  must(cudaGetDevice(&device), "cudaGetDevice");
  must(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

/// `count` elements in device memory, zero at first.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    void* data = nullptr;
    must(cudaMalloc(&data, bytes()), "cudaMalloc");
    data_ = static_cast<T*>(data);
    must(cudaMemset(data_, 0, bytes()), "cudaMemset");
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { static_cast<void>(cudaFree(data_)); }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] std::size_t bytes() const { return count_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

/// Page-locked host memory.
class LockedBytes {
 public:
  explicit LockedBytes(std::size_t size) {
    must(cudaHostAlloc(&data_, size, cudaHostAllocDefault), "cudaHostAlloc");
  }
  LockedBytes(const LockedBytes&) = delete;
  LockedBytes& operator=(const LockedBytes&) = delete;
  ~LockedBytes() { static_cast<void>(cudaFreeHost(data_)); }
  [[nodiscard]] std::byte* data() { return static_cast<std::byte*>(data_); }

 private:
  void* data_ = nullptr;
};

class DeviceEvent {
 public:
  DeviceEvent() { must(cudaEventCreate(&event_), "cudaEventCreate"); }
  DeviceEvent(const DeviceEvent&) = delete;
  DeviceEvent& operator=(const DeviceEvent&) = delete;
  ~DeviceEvent() { static_cast<void>(cudaEventDestroy(event_)); }
  [[nodiscard]] cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// The best of three runs of `work` on the default stream, in seconds of the device; one more run goes
/// before, unmeasured.
///
/// prepare  put on the stream before each run, and not measured
template <class Work, class Prepare>
[[nodiscard]] double best_seconds(Work work, Prepare prepare) {
  constexpr int kRepeats = 3;
  const DeviceEvent begin;
  const DeviceEvent end;
  prepare();
  work();
  double best = std::numeric_limits<double>::max();
  for (int k = 0; k < kRepeats; ++k) {
    float milliseconds = 0;
    prepare();
    must(cudaEventRecord(begin.get()), "cudaEventRecord");
    work();
    must(cudaEventRecord(end.get()), "cudaEventRecord");
    must(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
    must(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "cudaEventElapsedTime");
    best = std::min(best, static_cast<double>(milliseconds) * 1e-3);
  }
  must(cudaGetLastError(), "a launch");
  return best;
}
template <class Work>
[[nodiscard]] double best_seconds(Work work) {
  return best_seconds(work, [] {});
}

}  // namespace tenure::bench
