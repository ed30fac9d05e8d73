// What the link between host and device carries, by the kind of host memory, and what locking pages
// costs: it decides how a mirror of the heap is kept.
#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kBytes = std::size_t{1} << 30;

// Host pages as the heap has them: anonymous, in huge pages where the system gives some, touched.
class HostPages {
 public:
  HostPages() {
    data_ = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) {
      throw std::runtime_error("no memory for a gigabyte of host pages");
    }
    ::madvise(data_, kBytes, MADV_HUGEPAGE);
    std::memset(data_, 1, kBytes);
  }
  HostPages(const HostPages&) = delete;
  HostPages& operator=(const HostPages&) = delete;
  ~HostPages() { ::munmap(data_, kBytes); }
  [[nodiscard]] void* data() { return data_; }

 private:
  void* data_;
};

void measure_both_ways(const std::string& kind, void* host, DeviceArray<std::byte>& device) {
  for (const std::size_t bytes : std::array{kBytes, std::size_t{64} << 20, std::size_t{1} << 20}) {
    const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds * 1e-9; };
    const std::string size = ", " + in_words(bytes);
    report("copies", "to the device, " + kind + size, rate(best_seconds([&] {
             must(cudaMemcpyAsync(device.data(), host, bytes, cudaMemcpyHostToDevice, nullptr),
                  "cudaMemcpyAsync");
           })),
           "GB/s");
    report("copies", "to the host, " + kind + size, rate(best_seconds([&] {
             must(cudaMemcpyAsync(host, device.data(), bytes, cudaMemcpyDeviceToHost, nullptr),
                  "cudaMemcpyAsync");
           })),
           "GB/s");
  }
}

}  // namespace

void measure_copies(const SectionOptions&) {
  HostPages pages;
  DeviceArray<std::byte> device(kBytes);
  measure_both_ways("pageable", pages.data(), device);

  const double begin = seconds_now();
  must(cudaHostRegister(pages.data(), kBytes, cudaHostRegisterDefault), "cudaHostRegister");
  report("copies", "registering 1 GiB in one piece", (seconds_now() - begin) * 1e3, "ms");
  measure_both_ways("registered", pages.data(), device);
  const double end = seconds_now();
  must(cudaHostUnregister(pages.data()), "cudaHostUnregister");
  report("copies", "unregistering 1 GiB", (seconds_now() - end) * 1e3, "ms");

  constexpr std::size_t kPiece = std::size_t{64} << 20;
  const double pieces = seconds_now();
  for (std::size_t at = 0; at < kBytes; at += kPiece) {
    must(cudaHostRegister(static_cast<std::byte*>(pages.data()) + at, kPiece,
                          cudaHostRegisterDefault),
         "cudaHostRegister");
  }
  report("copies", "registering 1 GiB by 64 MiB", (seconds_now() - pieces) * 1e3, "ms");
  for (std::size_t at = 0; at < kBytes; at += kPiece) {
    must(cudaHostUnregister(static_cast<std::byte*>(pages.data()) + at), "cudaHostUnregister");
  }

  const double locked = seconds_now();
  LockedBytes staging(kPiece);
  report("copies", "allocating 64 MiB of locked pages", (seconds_now() - locked) * 1e3, "ms");
  const double gather = seconds_now();
  for (std::size_t at = 0; at < kBytes; at += kPiece) {
    std::memcpy(staging.data(), static_cast<std::byte*>(pages.data()) + at, kPiece);
  }
  report("copies", "host to locked pages, one thread",
         static_cast<double>(kBytes) / (seconds_now() - gather) * 1e-9, "GB/s");
}

}  // namespace tenure::bench
