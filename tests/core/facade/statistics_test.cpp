// Figures of the dynamic door against counts of the test's own.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/facade/system_monitor.hpp"
#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure {
namespace {

GarbageCollector open(const GcConfiguration& configuration = {.young_gen_size_mb = 1}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What a step did takes from after the look before it to after its own: so it lies between the two.
TEST(AllocationRate, LiesBetweenWhatClocksOutsideSay) {
  const double before = seconds();
  GarbageCollector gc = open({.young_gen_size_mb = 1, .mode = GcMode::kManual});
  const double opened = seconds();
  constexpr std::uint64_t kBytes = 1 << 20;
  constexpr int kSteps = 20;
  constexpr double kPause = 0.01;  // 100 MB/s

  double last = 0;
  for (int k = 1; k <= kSteps; ++k) {
    const auto payload = value_or_throw(gc.allocate(ObjectType::kArray, kBytes));
    while (seconds() < opened + k * kPause) {
      std::this_thread::yield();
    }
    const double asked = seconds();
    last = gc.get_statistics().allocation_rate_mb_per_sec;
    const double answered = seconds();

    // Objects' own bytes come on top: a buffer of 32 KiB each at the most.
    EXPECT_GE(last, k / (answered - before)) << "step " << k;
    EXPECT_LE(last, 1.05 * (k + 0.1) / (asked - opened)) << "step " << k;
  }
  EXPECT_GT(last, 0.0);
}

TEST(CollectionEfficiency, IsNothingBeforeThereIsGarbageAndRisesWithItsShare) {
  const auto efficiency = [](int kept_of_ten) {
    GarbageCollector gc = open({.young_gen_size_mb = 16, .mode = GcMode::kManual});
    EXPECT_EQ(gc.get_statistics().collection_efficiency, 0.0);
    for (int round = 0; round < 4; ++round) {
      std::vector<Handle<GcObject>> held;
      for (int k = 0; k < 20'000; ++k) {
        auto made = value_or_throw(gc.allocate(ObjectType::kArray, 200));
        if (k % 10 < kept_of_ten) held.push_back(std::move(made));
      }
      value_or_throw(gc.collect(0));
    }
    return gc.get_statistics().collection_efficiency;
  };
  const double mostly_kept = efficiency(9);
  const double nothing_kept = efficiency(0);

  EXPECT_GT(mostly_kept, 0.0);
  EXPECT_GT(nothing_kept, mostly_kept) << "ten times as much in a tenth of the time";
}

TEST(Pauses, AreWhatAListenerOutsideHears) {
  GarbageCollector gc = open();
  std::vector<double> heard;
  std::mt19937_64 random(3);
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 40; ++k) {
    for (int n = 0; n < 500; ++n) {
      held.push_back(value_or_throw(gc.allocate(ObjectType::kArray, 100)));
    }
    const std::uint64_t before = gc.get_statistics().total_collections;
    const auto report = value_or_throw(gc.collect(static_cast<std::uint32_t>(random() % 3)));
    ASSERT_EQ(gc.get_statistics().total_collections, before + 1);
    heard.push_back(static_cast<double>(report.pause_ns) / 1e6);
  }
  std::vector<double> sorted = heard;
  std::sort(sorted.begin(), sorted.end());

  const GcStats stats = gc.get_statistics();

  ASSERT_EQ(stats.total_collections, heard.size()) << "none but those that were asked for";
  const double sum = std::accumulate(heard.begin(), heard.end(), 0.0);
  EXPECT_NEAR(stats.total_pause_time_ms, sum, sum * 0.01);
  EXPECT_NEAR(stats.average_pause_time_ms, sum / 40, sum / 40 * 0.01);
  EXPECT_DOUBLE_EQ(stats.max_pause_time_ms, sorted.back());
  EXPECT_NEAR(stats.p50_pause_time_ms, sorted[19], sorted[19] * 0.07);
  EXPECT_NEAR(stats.p99_pause_time_ms, sorted.back(), sorted.back() * 0.07);
}

TEST(HeapStatistics, HaveAllocatedLessFreedInUse) {
  GarbageCollector gc = open();
  std::mt19937_64 random(17);
  std::vector<Handle<GcObject>> held;
  std::uint64_t made = 0;
  for (int step = 0; step < 60; ++step) {
    for (int k = 0; k < 100; ++k, ++made) {
      held.push_back(
          value_or_throw(gc.allocate(ObjectType::kArray, random() % 200 + (k == 0 ? 40'000 : 0))));
    }
    std::shuffle(held.begin(), held.end(), random);
    held.resize(held.size() * 2 / 3);
    value_or_throw(step % 4 == 0 ? gc.force_full_collection() : gc.collect(0));

    const HeapStatistics stats = value_or_throw(gc.heap_manager().get_heap_statistics());

    ASSERT_EQ(stats.total_allocations, made) << "seed 17";
    ASSERT_EQ(stats.total_allocations - stats.total_deallocations,
              gc.get_statistics().total_objects);
    ASSERT_EQ(static_cast<std::uint64_t>(stats.net_bytes),
              stats.bytes_allocated.count() - stats.bytes_freed.count());
    ASSERT_EQ(static_cast<std::uint64_t>(stats.net_bytes), gc.get_statistics().used_bytes);
    for (const MemoryPoolStatistics& pool : stats.pools) {
      ASSERT_EQ(pool.total_size, pool.total_used + pool.total_free) << pool.name;
    }
  }
  const HeapStatistics stats = value_or_throw(gc.heap_manager().get_heap_statistics());
  ASSERT_EQ(stats.pools.size(), kHeapRegionTypes + 1);
  EXPECT_EQ(stats.pools.back().name, "host payloads");
  EXPECT_EQ(stats.pools.back().allocations, 60u);
  EXPECT_EQ(stats.memory_pressure, gc.heap_manager().get_memory_pressure());
}

TEST(Reset, CountsFromZeroAgainAndLeavesWhatIsThere) {
  GarbageCollector gc = open();
  const auto kept = value_or_throw(gc.allocate(ObjectType::kArray, 50'000));
  for (int k = 0; k < 10; ++k) {
    (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
    value_or_throw(gc.collect(static_cast<std::uint32_t>(k % 3)));
  }
  const GcStats before = gc.get_statistics();

  ASSERT_TRUE(gc.reset_statistics().ok());

  const GcStats after = gc.get_statistics();
  EXPECT_EQ(after.total_collections, 0u);
  EXPECT_EQ(after.collections_by_generation, (std::vector<std::uint64_t>{0, 0, 0}));
  EXPECT_EQ(after.total_pause_time_ms, 0.0);
  EXPECT_EQ(after.pause_target_misses, 0u);
  EXPECT_EQ(after.used_bytes, before.used_bytes);
  EXPECT_EQ(after.total_objects, 1u);
  EXPECT_EQ(after.objects_by_generation, before.objects_by_generation);
  HeapStatistics heap = value_or_throw(gc.heap_manager().get_heap_statistics());
  EXPECT_EQ(heap.total_allocations, 0u);
  EXPECT_EQ(heap.total_deallocations, 0u);
  EXPECT_EQ(heap.net_bytes, 0);

  (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
  value_or_throw(gc.force_full_collection());

  heap = value_or_throw(gc.heap_manager().get_heap_statistics());
  EXPECT_EQ(heap.total_allocations, 1u);
  EXPECT_EQ(heap.total_deallocations, 1u);
  EXPECT_EQ(gc.get_statistics().collections_by_generation, (std::vector<std::uint64_t>{0, 0, 1}));
  gc.shutdown();
  EXPECT_EQ(gc.reset_statistics().failure().code, ErrorCode::kClosed);
}

TEST(AllocationTracker, CountsEachOne) {
  GarbageCollector gc = open();
  std::mt19937_64 random(41);
  std::uint64_t bytes = 0;
  std::vector<std::uint64_t> sizes;
  const double before = seconds();
  for (int k = 0; k < 1'000; ++k) {
    sizes.push_back(random() % 300);
    bytes += sizes.back();
    (void)value_or_throw(
        gc.allocate(k % 4 == 0 ? ObjectType::kStruct : ObjectType::kArray, sizes.back()));
  }

  const double asked = seconds();
  const AllocationTracker tracker = value_or_throw(gc.get_allocation_tracker());
  const double answered = seconds();

  EXPECT_EQ(tracker.total_bytes_allocated, Bytes{bytes});
  EXPECT_DOUBLE_EQ(tracker.average_allocation_size, static_cast<double>(bytes) / 1'000);
  EXPECT_EQ(tracker.allocations_by_type,
            (std::map<std::string, double>{{"array", 750}, {"struct", 250}}));
  EXPECT_LE(tracker.allocation_rate_bytes_per_sec, static_cast<double>(bytes) / (asked - before));
  EXPECT_GE(tracker.allocation_rate_bytes_per_sec,
            static_cast<double>(bytes) / (answered - before + 1.0))
      << "it was opened before";
  ASSERT_EQ(tracker.recent_allocations.size(), 64u);
  for (std::size_t k = 0; k < 64; ++k) {
    ASSERT_EQ(tracker.recent_allocations[k].size, sizes[1'000 - 64 + k]);
  }
  ASSERT_TRUE(gc.reset_statistics().ok());
  EXPECT_EQ(value_or_throw(gc.get_allocation_tracker()).allocations, 0.0);
}

std::uint64_t pages_of(int place) {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int k = 0; k <= place; ++k) statm >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

TEST(SystemMonitor, AgreesWithTheKernel) {
  std::vector<char> kept(64u << 20, 'x');
  const double before_cpu = cpu_seconds();
  const double before = seconds();
  SystemMonitor monitor;
  const double began_cpu = cpu_seconds();
  const double began = seconds();
  while (cpu_seconds() < began_cpu + 0.05) {
  }

  const double ending = seconds();
  const double ending_cpu = cpu_seconds();
  const SystemStatistics read = monitor.read();
  const double ended_cpu = cpu_seconds();
  const double ended = seconds();

  const auto resident = static_cast<double>(pages_of(1));
  const auto mapped = static_cast<double>(pages_of(0));
  EXPECT_NEAR(static_cast<double>(read.process_memory_rss), resident, resident * 0.01);
  EXPECT_NEAR(static_cast<double>(read.process_memory_vms), mapped, mapped * 0.01);
  EXPECT_GE(read.cpu_percent, 99 * (ending_cpu - began_cpu) / (ended - before));
  EXPECT_LE(read.cpu_percent, 101 * (ended_cpu - before_cpu) / (ending - began));
  EXPECT_EQ(read.cpu_count, std::thread::hardware_concurrency());
  EXPECT_GE(read.system_memory_total, read.system_memory_available);
  EXPECT_NEAR(read.system_memory_percent,
              100 - 100 * static_cast<double>(read.system_memory_available) /
                        static_cast<double>(read.system_memory_total),
              0.01);
  EXPECT_EQ(kept[5], 'x');
}

TEST(Metrics, HaveCollectedAndSurvivedAsMuchAsWasThere) {
  GarbageCollector gc = open({.young_gen_size_mb = 8, .mode = GcMode::kManual});
  constexpr std::uint64_t kObject = 8 + 8 + 8 + 104;  // header, places, size, 100 bytes of data
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 30; ++k) {
    for (int n = 0; n < 2'000; ++n) {
      auto made = value_or_throw(gc.allocate(ObjectType::kArray, 100));
      if (n % 3 == 0) held.push_back(std::move(made));
    }
    held.resize(held.size() / 2);
    const auto last = static_cast<std::uint32_t>(k % 3);
    // A walk of the test's own, which knows no slack at the ends of buffers.
    const Census there = take_census(gc.runtime());
    std::vector<std::uint64_t> survivors(3);
    for (const Handle<GcObject>& object : held) {
      survivors[value_or_throw(gc.header(object)).generation] += kObject;
    }

    const std::vector<GcMetrics> rows = metrics_of(value_or_throw(gc.collect(last)));

    ASSERT_EQ(rows.size(), last + 1);
    for (const GcMetrics& row : rows) {
      const std::uint64_t walked = there.by_generation[row.generation].bytes.count();
      EXPECT_EQ(row.bytes_before, row.bytes_collected + row.bytes_survived);
      if (row.generation < 2) {
        EXPECT_EQ(row.bytes_survived.count(), survivors[row.generation]);
      } else {  // in cells, which are larger by up to a third
        EXPECT_GE(row.bytes_survived.count(), survivors[2]);
        EXPECT_LE(row.bytes_survived.count(), survivors[2] * 4 / 3 + 64 * 1024);
      }
      EXPECT_GE(row.bytes_before.count(), walked);
      EXPECT_LE(row.bytes_before.count(), walked + (walked / 4) + 64 * 1024);
      EXPECT_EQ(row.trigger_reason, CollectionTrigger::kExplicitRequest);
      EXPECT_GT(row.end_time, row.start_time);
      EXPECT_DOUBLE_EQ(row.duration_ms, row.pause_time_ms) << "in one stop";
    }
  }
  const auto recent = recent_collections(gc.runtime());
  ASSERT_EQ(recent.size(), 30u);
  EXPECT_EQ(recent.back().collected, 2u);
  for (int k = 0; k < 50; ++k) {
    value_or_throw(gc.collect(0));
  }
  EXPECT_EQ(recent_collections(gc.runtime()).size(), 64u);
}

TEST(Metrics, OfAMarkingInSlicesLastLongerThanTheirPause) {
  GarbageCollector gc =
      open({.young_gen_size_mb = 1, .old_gen_size_mb = 4, .mode = GcMode::kIncremental});
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 200'000 && gc.runtime().statistics().cycles.ended < 2; ++k) {
    auto made = value_or_throw(gc.allocate(ObjectType::kArray, 200));
    if (k % 2 == 0) held.push_back(std::move(made));
    if (held.size() > 60'000) held.resize(30'000);
  }

  std::uint64_t full = 0;
  for (const CollectionReport& report : recent_collections(gc.runtime())) {
    if (report.full) {
      ++full;
      EXPECT_GT(report.ended_ns - report.began_ns, report.pause_ns);
    } else {
      EXPECT_EQ(report.ended_ns - report.began_ns, report.pause_ns);
    }
  }
  EXPECT_GE(full, 1u);
}

}  // namespace
}  // namespace tenure
