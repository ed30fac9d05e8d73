#include "bench/support/canary.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "bench/support/measure.hpp"
#include "bench/support/random.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kPlaces = std::size_t{1} << 22;  // 16 MiB: past a core's own caches
constexpr int kSteps = 1 << 18;
constexpr int kDraws = 1 << 22;
constexpr int kReadings = 5;

// One ring through all places, in random order (Sattolo's shuffle gives a single cycle).
std::vector<std::uint32_t> make_ring() {
  std::vector<std::uint32_t> ring(kPlaces);
  std::iota(ring.begin(), ring.end(), 0u);
  Random random;
  for (std::size_t k = kPlaces - 1; k > 0; --k) {
    std::swap(ring[k], ring[random.below(static_cast<std::uint32_t>(k))]);
  }
  return ring;
}

}  // namespace

std::uint64_t canary_ns() {
  const std::vector<std::uint32_t> ring = make_ring();
  Samples readings;
  for (int reading = 0; reading < kReadings; ++reading) {
    const Stopwatch watch;
    Random random;
    for (int k = 0; k < kDraws; ++k) {
      benchmark::DoNotOptimize(random.next());
    }
    std::uint32_t place = 0;
    for (int k = 0; k < kSteps; ++k) {
      place = ring[place];
    }
    benchmark::DoNotOptimize(place);
    readings.push_back(watch.ns());
  }
  return static_cast<std::uint64_t>(summarize(readings).median);
}

}  // namespace tenure::bench
