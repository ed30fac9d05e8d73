// How fast a copy of the heap is brought up to date where a hundredth of its cards changed: gathered by
// the host into locked pages, then scattered by the kernel that reads those across the link, or after a
// copy of the staging to the device.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"
#include "bench/gpu/shuffle.hpp"
#include "kernels/launch.hpp"
#include "tenure/object.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kHeapBytes = std::size_t{1} << 30;
constexpr std::uint32_t kCards = kHeapBytes / kCardBytes;

void apply(DeviceArray<std::uint32_t>& heap, const std::byte* staged, const std::uint32_t* numbers,
           std::uint32_t count) {
  if (kernels::launch_apply_cards(nullptr, heap.data(),
                                  reinterpret_cast<const std::uint32_t*>(staged), numbers,
                                  count) != kernels::LaunchStatus::kOk) {
    throw std::runtime_error("launch_apply_cards was refused");
  }
}

void measure_share(std::uint32_t in_ten_thousand, const std::vector<std::byte>& host,
                   DeviceArray<std::uint32_t>& heap) {
  const std::uint32_t count = kCards / 10'000 * in_ten_thousand;
  const std::size_t bytes = std::size_t{count} * kCardBytes;
  LockedBytes staging(bytes);
  LockedBytes numbers(count * sizeof(std::uint32_t));
  auto* const number = reinterpret_cast<std::uint32_t*>(numbers.data());
  const Shuffle shuffle(kCards);
  const double begin = seconds_now();
  for (std::uint32_t k = 0; k < count; ++k) {
    number[k] = shuffle(k);
    std::memcpy(staging.data() + std::size_t{k} * kCardBytes,
                host.data() + std::size_t{number[k]} * kCardBytes, kCardBytes);
  }
  const std::string share = std::to_string(in_ten_thousand / 100) + "." +
                            std::to_string(in_ten_thousand % 100 / 10) + " % of 1 GiB";
  const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds * 1e-9; };
  report("cards", "gathered by one thread, " + share, rate(seconds_now() - begin), "GB/s");
  report("cards", "read across the link, " + share,
         rate(best_seconds([&] { apply(heap, staging.data(), number, count); })), "GB/s");

  DeviceArray<std::byte> there(bytes);
  DeviceArray<std::uint32_t> number_there(count);
  report(
      "cards", "copied, then scattered, " + share, rate(best_seconds([&] {
        must(cudaMemcpyAsync(there.data(), staging.data(), bytes, cudaMemcpyHostToDevice, nullptr),
             "cudaMemcpyAsync");
        must(cudaMemcpyAsync(number_there.data(), number, number_there.bytes(),
                             cudaMemcpyHostToDevice, nullptr),
             "cudaMemcpyAsync");
        apply(heap, there.data(), number_there.data(), count);
      })),
      "GB/s");
}

}  // namespace

void measure_cards(const SectionOptions&) {
  const std::vector<std::byte> host(kHeapBytes, std::byte{1});
  DeviceArray<std::uint32_t> heap(kHeapBytes / sizeof(std::uint32_t));
  for (const std::uint32_t in_ten_thousand : {10u, 100u, 1000u}) {
    measure_share(in_ten_thousand, host, heap);
  }
}

}  // namespace tenure::bench
