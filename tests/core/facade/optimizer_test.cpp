// The optimizer by the dynamic door's names.
#include "tenure/facade/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"

namespace tenure::testing {
namespace {

GcConfiguration watched() {
  GcConfiguration configuration;
  configuration.young_gen_size_mb = 1;
  configuration.enable_profiling = true;
  configuration.profiling_level = ProfilingLevel::kDetailed;
  configuration.sample_interval_bytes = 256;
  configuration.device = "host";
  return configuration;
}

class MemoryOptimizing : public ::testing::Test {
 protected:
  explicit MemoryOptimizing(const GcConfiguration& configuration = watched())
      : gc(value_or_throw(GarbageCollector::open(configuration))) {}

  AllocationPattern pattern_of(const std::string& type) {
    const auto all = value_or_throw(gc.memory_optimizer().analyze_patterns());
    const auto found = std::ranges::find(all, type, &AllocationPattern::type);
    return found == all.end() ? AllocationPattern{} : *found;
  }

  static bool has(const AllocationPattern& pattern, OptimizationHint hint) {
    return std::ranges::find(pattern.optimization_hints, hint) != pattern.optimization_hints.end();
  }

  GarbageCollector gc;
};

TEST_F(MemoryOptimizing, TellsTemporariesFromACache) {
  std::vector<Handle<GcObject>> cache;
  for (int k = 0; k < 40'000; ++k) {
    (void)value_or_throw(gc.allocate(ObjectType::kScalar, 8));
    if (k % 100 == 0) {
      cache.push_back(value_or_throw(gc.allocate(ObjectType::kStruct, 512)));
    }
  }
  value_or_throw(gc.force_full_collection());

  EXPECT_TRUE(has(pattern_of("scalar"), OptimizationHint::kShortLived));
  EXPECT_TRUE(has(pattern_of("struct"), OptimizationHint::kLongLived));
  EXPECT_LT(pattern_of("scalar").survival_rate, 0.1);
  EXPECT_GT(pattern_of("struct").survival_rate, 0.8);
  EXPECT_NEAR(pattern_of("struct").average_size, 540, 40);
}

TEST_F(MemoryOptimizing, KnowsUsesThatAreNoted) {
  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20));
  EXPECT_EQ(pattern_of("array").access_pattern, AccessPattern::kUnknown);
  for (std::uint64_t k = 0; k < 1000; ++k) {
    value_or_throw(gc.memory_optimizer().record_access(array, AccessKind::kRead, 64 * k));
  }
  EXPECT_EQ(pattern_of("array").access_pattern, AccessPattern::kSequential);
  EXPECT_TRUE(has(pattern_of("array"), OptimizationHint::kSequentialAccess));
  EXPECT_FALSE(gc.memory_optimizer().record_access({}, AccessKind::kRead).ok());

  value_or_throw(gc.memory_optimizer().clear_history());
  EXPECT_EQ(pattern_of("array").access_pattern, AccessPattern::kUnknown);
}

TEST_F(MemoryOptimizing, SeesMarkedBatches) {
  for (int batch = 0; batch < 20; ++batch) {
    for (int k = 0; k < 3000; ++k) {
      (void)value_or_throw(gc.allocate(ObjectType::kComplex, 16));
    }
    value_or_throw(gc.memory_optimizer().note_batch_boundary());
  }
  // How often they come goes with the machine: 60,000 in a minute are a thousand a second.
  EXPECT_TRUE(has(pattern_of("complex"), OptimizationHint::kBatchProcessing));
}

TEST_F(MemoryOptimizing, LooksByItselfInAdaptiveModeAlone) {
  EXPECT_FALSE(gc.memory_optimizer().get_optimization_report().auto_optimize);
  value_or_throw(gc.memory_optimizer().set_auto_optimize(true));
  EXPECT_TRUE(gc.memory_optimizer().get_optimization_report().auto_optimize);

  GcConfiguration adaptive = watched();
  adaptive.mode = GcMode::kAdaptive;
  GarbageCollector other = value_or_throw(GarbageCollector::open(adaptive));
  EXPECT_TRUE(other.memory_optimizer().get_optimization_report().auto_optimize);
}

TEST_F(MemoryOptimizing, LooksByItselfOnlyWhereTheConfigurationLetsIt) {
  GcConfiguration gated = watched();
  gated.mode = GcMode::kAdaptive;
  gated.optimize_allocation_patterns = false;
  GarbageCollector other = value_or_throw(GarbageCollector::open(gated));
  EXPECT_FALSE(other.memory_optimizer().get_optimization_report().auto_optimize);
  EXPECT_FALSE(other.memory_optimizer().set_auto_optimize(true).ok());
  EXPECT_TRUE(other.memory_optimizer().optimize().ok()) << "when it is called";
}

TEST_F(MemoryOptimizing, TakesParametersThatAreInRange) {
  MemoryOptimizer optimizer = gc.memory_optimizer();
  value_or_throw(optimizer.set_optimization_parameters(0.9, 1));
  EXPECT_EQ(optimizer.get_optimization_report().min_confidence, 0.9);
  EXPECT_EQ(optimizer.get_optimization_report().max_optimizations_per_cycle, 1u);
  EXPECT_FALSE(optimizer.set_optimization_parameters(1.1, 1).ok());
  EXPECT_NE(optimizer.get_optimization_report().text().find("automatic: off"), std::string::npos);
}

TEST_F(MemoryOptimizing, NeedsAProfilerForPatternsAndNoneForTheRest) {
  GcConfiguration blind;
  blind.device = "host";
  GarbageCollector other = value_or_throw(GarbageCollector::open(blind));
  EXPECT_EQ(other.memory_optimizer().analyze_patterns().failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(value_or_throw(other.memory_optimizer().get_optimization_recommendations()).empty());
}

TEST_F(MemoryOptimizing, IsClosedWithItsCollector) {
  MemoryOptimizer optimizer = gc.memory_optimizer();
  gc.shutdown();
  EXPECT_EQ(optimizer.optimize().failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.memory_optimizer().note_batch_boundary().failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.memory_optimizer().revert("Batch Collection").failure().code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace tenure::testing
