// The dynamic door's profiler: what a collector's program allocates, by the names that its users know. It
// is a view of profile.hpp, which says what the figures mean and cost.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tenure/export.hpp"
#include "tenure/facade/allocation.hpp"
#include "tenure/profile.hpp"
#include "tenure/result.hpp"

namespace tenure {

using ProfilingLevel = ProfileLevel;

/// One collector's allocations, put together: of a profiler from its samples, of the collector itself
/// exactly, those of the dynamic door.
struct AllocationTracker {
  double allocations = 0;  // since profiling began, or was cleared
  Bytes total_bytes_allocated{};
  double average_allocation_size = 0;
  double allocation_rate_bytes_per_sec = 0;  // over the whole time
  std::map<std::string, double> allocations_by_type;
  std::vector<RecentAllocation>
      recent_allocations;  // the last 64, the oldest first; not of samples
};

/// A view of a collector's profiler; good while that is open.
///
/// errors   of all calls but `profiling_level`: kClosed; kBadArgument where nothing is watched
/// threads  anyone
class MemoryProfiler {
 public:
  explicit MemoryProfiler(Runtime& runtime) : runtime_(&runtime) {}

  [[nodiscard]] ProfilingLevel profiling_level() const { return profile_level(*runtime_); }
  /// Lowering it drops what the lower level does not keep.
  Result<void> set_profiling_level(ProfilingLevel level) {
    return set_profile_level(*runtime_, level);
  }

  /// All sites, the most live bytes first.
  [[nodiscard]] Result<std::vector<AllocationSite>> get_allocation_profiles() const;
  /// Those that allocated most.
  [[nodiscard]] Result<std::vector<AllocationSite>> get_top_allocators(
      std::size_t limit = 10) const;
  /// Candidates: sites that grew in each of the last three full collections.
  [[nodiscard]] Result<std::vector<AllocationSite>> get_memory_leaks(
      const GrowthRule& rule = {}) const;
  /// The last `seconds`, an hour at the most.
  [[nodiscard]] Result<std::vector<TimelineSecond>> get_allocation_timeline(
      std::uint64_t seconds = 3600) const;
  /// Live objects and their bytes: exact.
  [[nodiscard]] Result<std::map<std::string, Census::Row>> get_memory_usage_by_type() const;
  [[nodiscard]] Result<AllocationPatterns> get_allocation_patterns() const;
  [[nodiscard]] Result<AllocationTracker> get_allocation_tracker() const;

  /// The same as text: live objects, top sites, growth, patterns.
  [[nodiscard]] Result<std::string> generate_report() const;

  /// Forgets all samples, and goes on.
  Result<void> clear_history();

 private:
  Runtime* runtime_;  // outlives the view
};

}  // namespace tenure
