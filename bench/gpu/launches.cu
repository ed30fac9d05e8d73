// What it costs to go on: a barrier of the whole grid, a launch whose answer the host waits for, and a
// launch alone.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kThreads = 256;

__global__ void __launch_bounds__(kThreads) meet(std::uint32_t times) {
  for (std::uint32_t k = 0; k < times; ++k) {
    cooperative_groups::this_grid().sync();
  }
}

__global__ void touch(std::uint32_t* word) { ++*word; }

void measure_barriers(std::uint32_t processors) {
  constexpr std::uint32_t kTimes = 1000;
  for (std::uint32_t blocks = 1; blocks <= 8; blocks *= 2) {
    std::uint32_t times = kTimes;
    void* arguments[] = {&times};
    const double seconds = best_seconds([&] {
      must(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(&meet),
                                       dim3(processors * blocks), dim3(kThreads), arguments, 0,
                                       nullptr),
           "cudaLaunchCooperativeKernel");
    });
    report("launches",
           "grid barrier, " + std::to_string(blocks) + " blocks of 256 a multiprocessor",
           seconds / kTimes * 1e6, "us");
  }
}

}  // namespace

void measure_launches(const SectionOptions&) {
  constexpr int kTimes = 500;
  measure_barriers(static_cast<std::uint32_t>(attribute(cudaDevAttrMultiProcessorCount)));

  DeviceArray<std::uint32_t> word(1);
  LockedBytes home(sizeof(std::uint32_t));
  const auto go_and_ask = [&](int times) {
    for (int k = 0; k < times; ++k) {
      touch<<<1, 1>>>(word.data());
      must(cudaMemcpyAsync(home.data(), word.data(), word.bytes(), cudaMemcpyDeviceToHost, nullptr),
           "cudaMemcpyAsync");
      must(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
    }
  };
  go_and_ask(kTimes / 10);
  const double begin = seconds_now();
  go_and_ask(kTimes);
  report("launches", "launch, 4 bytes home, and the host waits",
         (seconds_now() - begin) / kTimes * 1e6, "us");
  report("launches", "launch behind launch",
         best_seconds([&] {
           for (int k = 0; k < kTimes; ++k) {
             touch<<<1, 1>>>(word.data());
           }
         }) / kTimes *
             1e6,
         "us");
}

}  // namespace tenure::bench
