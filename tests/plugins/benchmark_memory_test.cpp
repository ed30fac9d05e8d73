#include "tenure/plugins/benchmark_memory.hpp"

#include <benchmark/benchmark.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

// Keeps the reports instead of printing them.
class Reports final : public ::benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      all.push_back(
          {run.benchmark_name(), run.allocs_per_iter,
           run.memory_result == nullptr ? std::nullopt : std::optional(*run.memory_result)});
    }
  }
  struct Report {
    std::string name;
    double allocations_an_iteration;
    std::optional<::benchmark::MemoryManager::Result> memory;
  };
  std::vector<Report> all;
};

Runtime* leased_from = nullptr;

void leases_three(::benchmark::State& state) {
  for (auto _ : state) {
    std::vector<PayloadLease> held;
    for (const Bytes size : {1_MiB, 2_MiB, 3_MiB}) {
      held.push_back(value_or_throw(leased_from->lease(size)));
    }
    held.erase(held.begin());
    held.push_back(value_or_throw(leased_from->lease(4_KiB, {.kind = MemoryKind::kHost})));
  }
}

std::vector<PayloadLease> kept;

void keeps_one(::benchmark::State& state) {
  for (auto _ : state) {
    kept.push_back(value_or_throw(leased_from->lease(1_MiB)));
  }
}

class BenchmarkMemories : public RuntimeTest {
 protected:
  BenchmarkMemories() { leased_from = &runtime; }
  ~BenchmarkMemories() override { ::benchmark::RegisterMemoryManager(nullptr); }
  // Five iterations, and as many for the figures of memory.
  static std::vector<Reports::Report> run(const char* name = "leases_three") {
    static const bool registered = [] {
      ::benchmark::RegisterBenchmark("leases_three", leases_three)->Iterations(5);
      ::benchmark::RegisterBenchmark("keeps_one", keeps_one)->Iterations(5);
      return true;
    }();
    static_cast<void>(registered);
    Reports reports;
    ::benchmark::RunSpecifiedBenchmarks(&reports, name);
    return reports.all;
  }
};

TEST_F(BenchmarkMemories, CountLeasesAndThePeakOfEachBenchmark) {
  value_or_throw(runtime.lease(256_MiB)).release();                   // neither is the benchmark's,
  const PayloadLease before = value_or_throw(runtime.lease(64_MiB));  // nor this
  register_memory_manager(runtime);

  const std::vector<Reports::Report> reports = run();

  ASSERT_EQ(reports.size(), 1u);
  ASSERT_TRUE(reports[0].memory.has_value());
  EXPECT_EQ(reports[0].memory->num_allocs, 5 * 4);
  EXPECT_EQ(reports[0].allocations_an_iteration, 4.0);
  EXPECT_EQ(reports[0].memory->max_bytes_used, (6 << 20) + (4 << 10));
  EXPECT_EQ(reports[0].memory->net_heap_growth, 0);
}

TEST_F(BenchmarkMemories, TellWhatWasNotHandedBack) {
  register_memory_manager(runtime);

  const std::vector<Reports::Report> reports = run("keeps_one");

  ASSERT_TRUE(reports[0].memory.has_value());
  EXPECT_EQ(reports[0].memory->net_heap_growth, 5 << 20);
  EXPECT_EQ(reports[0].memory->max_bytes_used, 5 << 20);
  kept.clear();
}

TEST_F(BenchmarkMemories, AreRegisteredAnewForAnotherRuntime) {
  register_memory_manager(runtime);
  Runtime other = value_or_throw(Runtime::open(small_config()));
  leased_from = &other;
  register_memory_manager(other);

  const std::vector<Reports::Report> reports = run();

  ASSERT_TRUE(reports[0].memory.has_value());
  EXPECT_EQ(reports[0].memory->num_allocs, 5 * 4);
}

}  // namespace
}  // namespace tenure::testing
