// The dynamic door's figures, from the runtime's.
#include <algorithm>
#include <chrono>
#include <string>

#include "core/facade/state.hpp"
#include "tenure/facade/garbage_collector.hpp"
#include "tenure/inspect.hpp"

namespace tenure {

namespace {

constexpr double kNanosecondsPerMillisecond = 1e6;
constexpr double kBytesPerMb = 1024.0 * 1024.0;

double milliseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / kNanosecondsPerMillisecond;
}

void tell_collections(const Statistics& from, const Statistics& since, double target_ms,
                      GcStats& stats) {
  const PauseHistogram pauses = from.pauses.since(since.pauses);
  stats.total_collections = from.collections - since.collections;
  stats.total_pause_time_ms = milliseconds(pauses.total_ns());
  stats.max_pause_time_ms = milliseconds(pauses.max_ns());
  stats.average_pause_time_ms =
      pauses.count() == 0 ? 0.0 : stats.total_pause_time_ms / static_cast<double>(pauses.count());
  stats.p50_pause_time_ms = milliseconds(pauses.percentile_ns(50));
  stats.p99_pause_time_ms = milliseconds(pauses.percentile_ns(99));
  stats.pause_target_misses =
      pauses.count_above(static_cast<std::uint64_t>(target_ms * kNanosecondsPerMillisecond));
  for (std::size_t generation = 0; generation < stats.collections_by_generation.size();
       ++generation) {
    stats.collections_by_generation[generation] =
        from.collections_by_generation[generation] - since.collections_by_generation[generation];
  }
}

void tell_objects(const Census& census, GcStats& stats) {
  for (std::size_t k = 0; k < kObjectTypes; ++k) {
    const auto type = static_cast<ObjectType>(k);
    const std::string name(to_string(type));
    const auto row = census.by_type.find(name);
    if (type != ObjectType::kUnitValue && row != census.by_type.end()) {
      stats.objects_by_type[name] = row->second.objects;
    }
  }
  stats.total_objects = count_dynamic(census);
  for (std::size_t generation = 0; generation < stats.objects_by_generation.size(); ++generation) {
    stats.objects_by_generation[generation] = census.by_generation[generation].objects;
  }
}

}  // namespace

std::uint64_t count_dynamic(const Census& census) {
  std::uint64_t objects = 0;
  for (std::size_t k = 0; k < kObjectTypes; ++k) {
    const auto type = static_cast<ObjectType>(k);
    const auto row = census.by_type.find(std::string(to_string(type)));
    if (type != ObjectType::kUnitValue && row != census.by_type.end()) {
      objects += row->second.objects;
    }
  }
  return objects;
}

ByteTotals totals_of(const Statistics& statistics) {
  ByteTotals totals{.allocated = statistics.bytes_allocated + statistics.payload_bytes_owned,
                    .used = statistics.heap_used};
  for (const PoolStatistics& pool : statistics.pools) {
    totals.used += pool.live;
  }
  return totals;
}

GcStats GarbageCollector::get_statistics() const {
  const Statistics from = state_->runtime.statistics();
  const std::uint32_t generations = state_->configuration.num_generations;
  GcStats stats;
  stats.collections_by_generation.resize(generations);
  stats.objects_by_generation.resize(generations);
  {
    const std::scoped_lock lock(state_->baseline_mutex);
    tell_collections(from, state_->baseline.statistics, state_->configuration.max_pause_time_ms,
                     stats);
  }
  stats.permanent_objects = state_->permanent_count.load(std::memory_order_relaxed);
  stats.heap_size_bytes = from.heap_committed.count();
  stats.used_bytes = from.heap_used.count();
  for (const auto* const pools : {&from.pools, &from.named_pools}) {
    for (const PoolStatistics& pool : *pools) {
      stats.heap_size_bytes += pool.reserved.count();
      stats.used_bytes += pool.live.count();
    }
  }
  stats.free_bytes = stats.heap_size_bytes - stats.used_bytes;
  stats.fragmentation_ratio = from.fragmentation;
  stats.allocation_rate_mb_per_sec = from.allocation_rate / kBytesPerMb;
  stats.collection_efficiency = from.collection_efficiency;
  stats.memory_pressure = pressure().share;
  tell_objects(state_->runtime.is_open() ? take_census(state_->runtime) : Census{}, stats);
  return stats;
}

Result<AllocationTracker> GarbageCollector::get_allocation_tracker() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  AllocationTracker made;
  AllocationCounts now;
  {
    SharedMutator::Use use(*state_->mutator);
    now = state_->counts;
  }
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  const std::scoped_lock lock(state_->baseline_mutex);
  const FacadeState::Baseline& since = state_->baseline;
  for (std::size_t k = 0; k < kObjectTypes; ++k) {
    const auto type = static_cast<ObjectType>(k);
    if (const std::uint64_t count = now.objects(type) - since.counts.objects(type); count > 0) {
      made.allocations_by_type[std::string(to_string(type))] = static_cast<double>(count);
      objects += count;
      bytes += now.bytes(type) - since.counts.bytes(type);
    }
  }
  made.allocations = static_cast<double>(objects);
  made.total_bytes_allocated = Bytes{bytes};
  made.recent_allocations = now.recent();
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - since.began);
  if (objects > 0) {
    made.average_allocation_size = static_cast<double>(bytes) / static_cast<double>(objects);
    made.allocation_rate_bytes_per_sec = static_cast<double>(bytes) / took.count();
  }
  return made;
}

Result<void> GarbageCollector::reset_statistics() {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  FacadeState::Baseline fresh;
  {
    SharedMutator::Use use(*state_->mutator);  // so that nobody allocates at this door meanwhile
    fresh.statistics = state_->runtime.statistics();
    fresh.counts = state_->counts;
    fresh.freed_objects = fresh.counts.objects() - count_dynamic(take_census(state_->runtime));
  }
  const ByteTotals totals = totals_of(fresh.statistics);
  fresh.allocated = totals.allocated;
  fresh.freed = totals.freed();
  const std::scoped_lock lock(state_->baseline_mutex);
  state_->baseline = fresh;
  return {};
}

}  // namespace tenure
