// Google Benchmark's figures of memory from a runtime's own exact counters: how many payloads a
// benchmark leases an iteration, and how many bytes it holds at most.
//
//   int main(int count, char** words) {
//     tenure::Runtime runtime = value_or_throw(tenure::Runtime::open());
//     tenure::register_memory_manager(runtime);     // the one line
//     benchmark::Initialize(&count, words);
//     benchmark::RunSpecifiedBenchmarks();
//   }
//
// The benchmark library runs each benchmark once more for it, a few iterations long. Its JSON has
// `allocs_per_iter` and `max_bytes_used`; its table on the console has neither.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "tenure/runtime.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// Leases of all pools between `Start` and `Stop`.
///
/// | figure          | is                                                                          |
/// |-----------------|-----------------------------------------------------------------------------|
/// | num_allocs      | payloads leased; objects of the heap are not counted                        |
/// | max_bytes_used  | bytes held at most, as asked for, above what was held at the start; of      |
/// |                 | several pools the sum of each one's most                                    |
/// | net_heap_growth | bytes held at the end, less those at the start                              |
///
/// threads  the benchmark library's, one at a time. The runtime outlives it, and its peaks begin anew.
class BenchmarkMemory final : public ::benchmark::MemoryManager {
 public:
  explicit BenchmarkMemory(Runtime& runtime) : runtime_(runtime) {}

  void Start() override {
    runtime_.reset_peaks();
    before_ = total();
  }
  void Stop(Result& result) override { fill(result); }
  // Up to version 1.7 it must be there; since 1.8 nobody calls it.
  void Stop(Result* result) { fill(*result); }

 private:
  struct Total {
    std::uint64_t leases = 0;
    Bytes live{};
    Bytes peak{};
  };
  [[nodiscard]] Total total() const {
    Total sum;
    for (const PoolStatistics& pool : runtime_.statistics().pools) {
      sum.leases += pool.leases;
      sum.live += pool.live;
      sum.peak += pool.peak_live;
    }
    return sum;
  }
  void fill(Result& result) const {
    const Total now = total();
    const Bytes above = now.peak > before_.live ? now.peak - before_.live : Bytes{};
    result.num_allocs = static_cast<std::int64_t>(now.leases - before_.leases);
    result.max_bytes_used = static_cast<std::int64_t>(above.count());
    result.net_heap_growth = static_cast<std::int64_t>(now.live.count()) -
                             static_cast<std::int64_t>(before_.live.count());
  }

  Runtime& runtime_;
  Total before_;
};

/// Has every benchmark that runs from now on tell what it leases of `runtime`, which must be there as
/// long; the last call holds.
///
/// threads  one, before benchmarks run
inline void register_memory_manager(Runtime& runtime) {
  static std::unique_ptr<BenchmarkMemory> registered;
  auto made = std::make_unique<BenchmarkMemory>(runtime);
  ::benchmark::RegisterMemoryManager(nullptr);  // it insists that there is none
  ::benchmark::RegisterMemoryManager(made.get());
  registered = std::move(made);
}

}  // namespace tenure
