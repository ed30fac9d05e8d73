// A suite of Google Benchmark over Tenure's pools: one line has it tell, beside its times, how many
// payloads each benchmark leases an iteration, and how many bytes it holds at most.
//
//   example_benchmark_suite --benchmark_format=json
//
// What is measured is a layer's forward pass on a device, here a simulated one: with a buffer for each
// intermediate result, with one that is used again, and with an arena that is rewound.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "tenure/plugins/benchmark_memory.hpp"
#include "tenure/tenure.hpp"

namespace {

using namespace tenure;

constexpr std::int64_t kLayers = 4;

Runtime& runtime() {
  static Runtime opened = value_or_throw(Runtime::open({.device = "sim:1GiB"}));
  return opened;
}

Bytes activations(const benchmark::State& state) {
  return Bytes{static_cast<std::uint64_t>(state.range(0)) * sizeof(float)};
}

void keeps_every_layer(benchmark::State& state) {
  for (auto _ : state) {
    std::vector<PayloadLease> kept;
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      kept.push_back(value_or_throw(runtime().lease(activations(state))));
    }
    benchmark::DoNotOptimize(kept.back().data());
  }
}
BENCHMARK(keeps_every_layer)->Arg(1 << 16);

void drops_the_layer_before(benchmark::State& state) {
  for (auto _ : state) {
    PayloadLease before;
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      before = value_or_throw(runtime().lease(activations(state)));
    }
    benchmark::DoNotOptimize(before.data());
  }
}
BENCHMARK(drops_the_layer_before)->Arg(1 << 16);

void rewinds_an_arena(benchmark::State& state) {
  Arena arena = value_or_throw(Arena::open(runtime(), {.kind = MemoryKind::kDevice}));
  for (auto _ : state) {
    const Arena::Mark mark = arena.mark();
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      benchmark::DoNotOptimize(value_or_throw(arena.allocate(activations(state))).data);
    }
    arena.rewind(mark);
  }
}
BENCHMARK(rewinds_an_arena)->Arg(1 << 16);

}  // namespace

int main(int count, char** words) {
  tenure::register_memory_manager(runtime());
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
