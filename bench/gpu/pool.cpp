// Tenure's pool on the CUDA backend beside what CUDA itself offers: an allocation and its free, as a
// tensor program does them in its stride, with 64 buffers of a size live on one stream.
//
// Nobody touches the bytes; it is the allocators that are compared. cudaFree waits for the device, by
// its contract: that is part of its price.
#include <cuda_runtime_api.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"
#include "core/backend/backend.hpp"
#include "core/payload/pool.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kLive = 64;
constexpr std::array kSizes{512_B, 4_KiB, 64_KiB, 1_MiB, 8_MiB, 64_MiB};

class Leases {
 public:
  Leases(PayloadPool& pool, Bytes size) : pool_(pool), size_(size) {}
  void take(std::size_t place) {
    Result<PayloadLease> lease = pool_.lease(size_, StreamId::kDefault);
    if (!lease) {
      throw std::runtime_error(lease.failure().message);
    }
    leases_[place] = std::move(*lease);
  }
  void give_back(std::size_t place) { leases_[place].release(); }

 private:
  PayloadPool& pool_;
  Bytes size_;
  std::array<PayloadLease, kLive> leases_;
};

class CudaBlocks {
 public:
  explicit CudaBlocks(Bytes size) : size_(size) {}
  void take(std::size_t place) { must(cudaMalloc(&blocks_[place], size_.count()), "cudaMalloc"); }
  void give_back(std::size_t place) { must(cudaFree(blocks_[place]), "cudaFree"); }

 private:
  Bytes size_;
  std::array<void*, kLive> blocks_{};
};

// From the device's default pool, told to keep what comes back.
class StreamOrderedBlocks {
 public:
  explicit StreamOrderedBlocks(Bytes size) : size_(size) {
    int device = 0;
    cudaMemPool_t pool = nullptr;
    std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
    must(cudaGetDevice(&device), "cudaGetDevice");
    must(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
    must(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all),
         "cudaMemPoolSetAttribute");
  }
  void take(std::size_t place) {
    must(cudaMallocAsync(&blocks_[place], size_.count(), nullptr), "cudaMallocAsync");
  }
  void give_back(std::size_t place) {
    must(cudaFreeAsync(blocks_[place], nullptr), "cudaFreeAsync");
  }

 private:
  Bytes size_;
  std::array<void*, kLive> blocks_{};
};

template <class Side>
double best_of_five(std::uint64_t pairs, Side round) {
  double best = std::numeric_limits<double>::max();
  round(pairs / 4 + 1);
  for (int k = 0; k < 5; ++k) {
    const double begin = seconds_now();
    round(pairs);
    best = std::min(best, (seconds_now() - begin) / static_cast<double>(pairs));
  }
  return best * 1e9;
}

template <class Side>
void measure(const std::string& name, Side& side, Bytes size, std::uint64_t pairs) {
  for (std::size_t place = 0; place < kLive; ++place) {
    side.take(place);
  }
  report("pool", name + ", 64 live of " + in_words(size.count()) + ", one by one",
         best_of_five(pairs,
                      [&](std::uint64_t times) {
                        for (std::uint64_t k = 0; k < times; ++k) {
                          side.give_back(k % kLive);
                          side.take(k % kLive);
                        }
                      }),
         "ns per pair");
  report("pool", name + ", 64 live of " + in_words(size.count()) + ", by 64",
         best_of_five(pairs / kLive + 1,
                      [&](std::uint64_t times) {
                        for (std::uint64_t k = 0; k < times; ++k) {
                          for (std::size_t place = 0; place < kLive; ++place) {
                            side.give_back(place);
                          }
                          for (std::size_t place = 0; place < kLive; ++place) {
                            side.take(place);
                          }
                        }
                      }) /
             kLive,
         "ns per pair");
  for (std::size_t place = 0; place < kLive; ++place) {
    side.give_back(place);
  }
  must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

void measure_ours() {
  Result<std::unique_ptr<Backend>> backend = open_backend("cuda:0", 1);
  if (!backend) {
    report_left_out("pool", "Tenure's pool on cuda:0", backend.failure().message);
    return;
  }
  for (const Bytes size : kSizes) {
    PayloadPool pool(**backend, MemoryKind::kDevice);
    Leases leases(pool, size);
    measure("Tenure's pool on cuda:0", leases, size, 100'000);
  }
}

}  // namespace

void measure_pool(const SectionOptions&) {
  measure_ours();
  for (const Bytes size : kSizes) {
    CudaBlocks plain(size);
    measure("cudaMalloc and cudaFree", plain, size, 200);
    StreamOrderedBlocks ordered(size);
    measure("cudaMallocAsync and cudaFreeAsync", ordered, size, 10'000);
  }
}

}  // namespace tenure::bench
