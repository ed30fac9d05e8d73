// The dynamic door's profiler.
#include "tenure/facade/profiler.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"

namespace tenure::testing {
namespace {

GcConfiguration watched(ProfilingLevel level) {
  GcConfiguration configuration;
  configuration.young_gen_size_mb = 4;
  configuration.old_gen_size_mb = 4;
  configuration.mode = GcMode::kManual;
  configuration.heap_limit_mb = 64;
  configuration.device = "host";
  configuration.enable_profiling = level != ProfilingLevel::kNone;
  configuration.profiling_level = level;
  configuration.sample_interval_bytes = 1;
  return configuration;
}

class MemoryProfiling : public ::testing::Test {
 protected:
  void open(const GcConfiguration& configuration) {
    gc.emplace(value_or_throw(GarbageCollector::open(configuration)));
  }
  Handle<GcObject> allocate(std::uint64_t size) {
    return value_or_throw(gc->allocate(ObjectType::kStruct, size));
  }

  std::optional<GarbageCollector> gc;
};

TEST_F(MemoryProfiling, IsOffUnlessItIsEnabled) {
  open(watched(ProfilingLevel::kNone));

  EXPECT_EQ(gc->memory_profiler().profiling_level(), ProfilingLevel::kNone);
  EXPECT_EQ(gc->memory_profiler().get_allocation_profiles().failure().code,
            ErrorCode::kBadArgument);
}

TEST_F(MemoryProfiling, CountsWhereItIsEnabledAndNoMoreIsSaid) {
  GcConfiguration configuration = watched(ProfilingLevel::kNone);
  configuration.enable_profiling = true;
  open(configuration);
  const Handle<GcObject> kept = allocate(64);

  EXPECT_EQ(gc->memory_profiler().profiling_level(), ProfilingLevel::kBasic);
  EXPECT_EQ(value_or_throw(gc->memory_profiler().get_memory_usage_by_type()).at("struct").objects,
            1u);
}

TEST_F(MemoryProfiling, RefusesALevelWhereItIsNotEnabled) {
  GcConfiguration configuration = watched(ProfilingLevel::kDetailed);
  configuration.enable_profiling = false;

  const Result<GarbageCollector> refused = GarbageCollector::open(configuration);

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kBadConfig);
  EXPECT_NE(refused.failure().message.find("profiling_level"), std::string::npos);
}

TEST_F(MemoryProfiling, NotesStacksOnlyWhereSitesAreTracked) {
  for (const bool tracks : {false, true}) {
    GcConfiguration configuration = watched(ProfilingLevel::kDetailed);
    configuration.track_allocation_sites = tracks;
    open(configuration);
    const Handle<GcObject> kept = allocate(64);

    const std::vector<AllocationSite> sites =
        value_or_throw(gc->memory_profiler().get_allocation_profiles());

    ASSERT_EQ(sites.size(), 1u);
    EXPECT_EQ(sites[0].stack.empty(), !tracks);
    EXPECT_EQ(sites[0].live_samples, 1u);
  }
}

TEST_F(MemoryProfiling, TracksWhatIsAllocatedAndForgetsItWhenAsked) {
  open(watched(ProfilingLevel::kDetailed));
  std::vector<Handle<GcObject>> kept;
  for (int k = 0; k < 100; ++k) {
    kept.push_back(allocate(64));
  }
  MemoryProfiler profiler = gc->memory_profiler();

  const AllocationTracker tracker = value_or_throw(profiler.get_allocation_tracker());

  EXPECT_NEAR(tracker.allocations, 100, 1e-6);
  EXPECT_NEAR(tracker.allocations_by_type.at("struct"), 100, 1e-6);
  EXPECT_GE(tracker.average_allocation_size, 64);
  EXPECT_LE(tracker.average_allocation_size, 96) << "its header and description included";
  EXPECT_GT(tracker.allocation_rate_bytes_per_sec, 0);
  EXPECT_EQ(value_or_throw(profiler.get_top_allocators(10)).size(), 1u);
  EXPECT_FALSE(value_or_throw(profiler.get_allocation_timeline()).empty());
  EXPECT_TRUE(value_or_throw(profiler.get_allocation_timeline(0)).empty());

  ASSERT_TRUE(profiler.clear_history().ok());

  EXPECT_EQ(profiler.profiling_level(), ProfilingLevel::kDetailed);
  EXPECT_EQ(value_or_throw(profiler.get_allocation_tracker()).allocations, 0);
}

TEST_F(MemoryProfiling, FindsASiteThatGrows) {
  open(watched(ProfilingLevel::kDetailed));
  std::vector<Handle<GcObject>> leaked;
  for (int round = 0; round < 3; ++round) {
    for (int k = 0; k < 50; ++k) {
      leaked.push_back(allocate(16'000));
    }
    (void)value_or_throw(gc->force_full_collection());
  }

  const GrowthRule at_once{.least_age_ns = 0};

  EXPECT_EQ(value_or_throw(gc->memory_profiler().get_memory_leaks(at_once)).size(), 1u);
  EXPECT_TRUE(value_or_throw(gc->memory_profiler().get_memory_leaks()).empty())
      << "it is younger than five minutes";
}

TEST_F(MemoryProfiling, SaysTheSameInAReport) {
  GcConfiguration configuration = watched(ProfilingLevel::kDetailed);
  configuration.track_allocation_sites = true;
  open(configuration);
  const Handle<GcObject> kept = allocate(64);

  const std::string report = value_or_throw(gc->memory_profiler().generate_report());

  EXPECT_NE(report.find("watched: detailed"), std::string::npos);
  EXPECT_NE(report.find("live: 1 objects"), std::string::npos) << report;
  EXPECT_NE(report.find("1 struct"), std::string::npos) << report;
  EXPECT_NE(report.find("SaysTheSameInAReport"), std::string::npos) << report;
}

}  // namespace
}  // namespace tenure::testing
