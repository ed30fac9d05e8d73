// How many places of its memory a device reads, or sets a bit in, in a second, where no access helps
// another: the limit of marking. Source of the method: a hash of a counter is the place, so that no
// index has to be read.
#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <string>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kSteps = 64;  // accesses of a thread
constexpr std::uint32_t kThreads = 256;
constexpr std::uint32_t kBlocksPerProcessor = 32;

__device__ __forceinline__ std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  return x ^ x >> 33;
}

// Places are powers of two, so that a mask picks one and the arithmetic costs next to nothing.
template <std::uint32_t kWords>
__global__ void __launch_bounds__(kThreads)
    read_at_random(const std::uint32_t* data, std::uint64_t mask, std::uint32_t* sink) {
  const std::uint64_t first = (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kSteps;
  std::uint32_t sum = 0;
#pragma unroll 8
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    const std::uint64_t at = (mix(first + step) & mask) * kWords;
#pragma unroll
    for (std::uint32_t word = 0; word < kWords; ++word) {
      sum += __ldg(&data[at + word]);
    }
  }
  if (sum == 0x12345678u) {  // never; keeps the reads
    *sink = sum;
  }
}

__global__ void __launch_bounds__(kThreads) or_at_random(std::uint32_t* data, std::uint64_t mask) {
  const std::uint64_t first = (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kSteps;
#pragma unroll 8
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    const std::uint64_t drawn = mix(first + step);
    atomicOr(&data[drawn & mask], 1u << (drawn >> 59));
  }
}

// As a marker claims: a load, and an atomic where the bit was clear; its answer is used.
__global__ void __launch_bounds__(kThreads)
    claim_at_random(std::uint32_t* data, std::uint64_t mask, std::uint32_t* sink) {
  const std::uint64_t first = (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kSteps;
  std::uint32_t claimed = 0;
#pragma unroll 8
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    const std::uint64_t drawn = mix(first + step);
    std::uint32_t* const word = &data[drawn & mask];
    const std::uint32_t bit = 1u << (drawn >> 59);
    claimed += (__ldcg(word) & bit) == 0 && (atomicOr(word, bit) & bit) == 0 ? 1 : 0;
  }
  if (claimed == 0xFFFFFFFFu) {  // never; keeps the answers
    *sink = claimed;
  }
}

class RandomAccess {
 public:
  explicit RandomAccess(std::uint64_t bytes)
      : bytes_(bytes), data_(bytes / sizeof(std::uint32_t)), sink_(1) {}

  template <std::uint32_t kWords>
  void read() {
    const std::uint64_t mask = bytes_ / (kWords * sizeof(std::uint32_t)) - 1;
    say("random reads of " + std::to_string(kWords * sizeof(std::uint32_t)) + " bytes",
        [&] { read_at_random<kWords><<<grid_, kThreads>>>(data_.data(), mask, sink_.data()); });
  }

  void set() {
    const std::uint64_t mask = bytes_ / sizeof(std::uint32_t) - 1;
    say("random or of 4 bytes", [&] { or_at_random<<<grid_, kThreads>>>(data_.data(), mask); });
    say(
        "random claim of a bit",
        [&] { claim_at_random<<<grid_, kThreads>>>(data_.data(), mask, sink_.data()); },
        [&] { must(cudaMemsetAsync(data_.data(), 0, data_.bytes(), nullptr), "cudaMemsetAsync"); });
  }

 private:
  template <class Work>
  void say(const std::string& what, Work work) {
    say(what, work, [] {});
  }
  template <class Work, class Prepare>
  void say(const std::string& what, Work work, Prepare prepare) {
    const double accesses = double(grid_) * kThreads * kSteps;
    report("random access", what + " over " + in_words(bytes_),
           accesses / best_seconds(work, prepare) * 1e-9, "G/s");
  }

  std::uint64_t bytes_;
  DeviceArray<std::uint32_t> data_;
  DeviceArray<std::uint32_t> sink_;
  std::uint32_t grid_ =
      static_cast<std::uint32_t>(attribute(cudaDevAttrMultiProcessorCount)) * kBlocksPerProcessor;
};

}  // namespace

void measure_random_access(const SectionOptions&) {
  for (const std::uint64_t mebibytes : std::array<std::uint64_t, 3>{32, 256, 4096}) {
    RandomAccess access(mebibytes << 20);
    access.read<1>();
    access.read<2>();
    access.read<8>();
    access.read<16>();
    access.set();
  }
}

}  // namespace tenure::bench
