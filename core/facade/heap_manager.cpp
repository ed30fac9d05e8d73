#include "tenure/facade/heap_manager.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/facade/generations.hpp"
#include "core/facade/state.hpp"
#include "tenure/inspect.hpp"

namespace tenure {

namespace {

constexpr double kAllDue = 0.75;  // of the heap, or of a pool

double share_of(Bytes part, Bytes whole) {
  return whole.is_zero() ? 0.0
                         : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

std::vector<MemoryPoolStatistics> heap_pools(const std::vector<HeapRegionUse>& regions,
                                             double fragmentation) {
  std::vector<MemoryPoolStatistics> pools(kHeapRegionTypes);
  for (std::size_t k = 0; k < kHeapRegionTypes; ++k) {
    pools[k].region_type = static_cast<HeapRegionType>(k);
    pools[k].name = to_string(pools[k].region_type);
  }
  pools[static_cast<std::size_t>(HeapRegionType::kOldGeneration)].fragmentation = fragmentation;
  for (const HeapRegionUse& use : regions) {
    MemoryPoolStatistics& pool = pools[static_cast<std::size_t>(use.region.type)];
    pool.total_size += use.region.size;
    pool.total_used += use.used_bytes;
    ++pool.regions_count;
  }
  return pools;
}

MemoryPoolStatistics payload_pool(const PoolStatistics& from) {
  return {.name = from.name.empty() ? std::string(to_string(from.kind)) + " payloads" : from.name,
          .region_type = HeapRegionType::kLargeObject,
          .total_size = from.reserved,
          .total_used = std::min(from.live, from.reserved),
          .regions_count = from.live_blocks + from.free_blocks,
          .allocations = from.leases,
          .deallocations = from.returns,
          .free_blocks = from.free_blocks,
          .fragmentation = from.fragmentation()};
}

}  // namespace

std::vector<HeapRegionUse> HeapManager::regions() const {
  return state_->is_open() ? heap_regions(state_->runtime) : std::vector<HeapRegionUse>{};
}

std::optional<HeapRegion> HeapManager::get_region_for_address(const void* address) const {
  return state_->is_open() ? heap_region_at(state_->runtime, address) : std::nullopt;
}

Result<void> HeapManager::deallocate_object(const Handle<GcObject>& object) {
  return state_->with(object, [&](Mutator&, ObjectIndex index) -> Result<void> {
    const ObjectIndex payload = detail::places_of(index)[0];
    if (payload == ObjectIndex::kNull) {
      return Error{
          ErrorCode::kBadArgument,
          "an object was to be ended whose data lie in it: it ends with its last reference"};
    }
    Tensor& tensor = *reinterpret_cast<Tensor*>(detail::data_of(payload));
    if (tensor.data() == nullptr) {
      return Error{ErrorCode::kBadArgument, "an object was ended a second time"};
    }
    tensor.release();
    return {};
  });
}

Result<void> HeapManager::set_large_object_threshold(std::uint32_t kb) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  if (kb == 0) {
    return Error{ErrorCode::kBadArgument, "large_object_threshold_kb is 0; it takes 1 and more"};
  }
  SharedMutator::Use use(*state_->mutator);
  state_->configuration.large_object_threshold_kb = kb;
  return {};
}

Result<CollectionReport> HeapManager::compact_heap(HeapRegionType type) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const std::uint32_t oldest = state_->configuration.num_generations - 1;
  switch (type) {
    case HeapRegionType::kOldGeneration:
      return state_->runtime.compact();
    case HeapRegionType::kYoungGeneration:
      if (oldest == 0) {
        return Error{ErrorCode::kUnsupported, "a heap of one generation has none that is young"};
      }
      return state_->runtime.collect_up_to(oldest - 1);
    case HeapRegionType::kLargeObject:
      break;
    case HeapRegionType::kPermanent:
      return Error{ErrorCode::kUnsupported, "permanent objects stay where they are for good"};
  }
  return Error{ErrorCode::kUnsupported, "large objects do not move: each has its own memory"};
}

double HeapManager::get_memory_pressure() const {
  return state_->is_open() ? state_->runtime.pressure().share : 0.0;
}

bool HeapManager::should_trigger_gc() const {
  if (!state_->is_open()) {
    return false;
  }
  const Statistics statistics = state_->runtime.statistics();
  const std::vector<GcGeneration> generations = generations_of(*state_, statistics, {});
  const bool is_generation_due =
      std::any_of(generations.begin(), generations.end(),
                  [](const GcGeneration& generation) { return generation.should_collect(); });
  const auto is_pool_due = [](const PoolPressure& pool) { return pool.share >= kAllDue; };
  const Pressure pressure = state_->runtime.pressure();
  return is_generation_due || pressure.heap_share >= kAllDue ||
         std::any_of(pressure.pools.begin(), pressure.pools.end(), is_pool_due);
}

Result<HeapStatistics> HeapManager::get_heap_statistics() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  HeapStatistics made;
  Statistics statistics;
  std::uint64_t objects = 0;
  AllocationCounts counts;
  std::vector<HeapRegionUse> regions;
  {
    SharedMutator::Use use(*state_->mutator);  // so that nobody allocates at this door meanwhile
    statistics = state_->runtime.statistics();
    counts = state_->counts;
    objects = count_dynamic(take_census(state_->runtime));
    regions = heap_regions(state_->runtime);
  }
  const ByteTotals totals = totals_of(statistics);
  {
    const std::scoped_lock lock(state_->baseline_mutex);
    const FacadeState::Baseline& since = state_->baseline;
    made.total_allocations = counts.objects() - since.counts.objects();
    made.total_deallocations = counts.objects() - objects - since.freed_objects;
    made.bytes_allocated = totals.allocated - since.allocated;
    made.bytes_freed = totals.freed() - since.freed;
  }
  made.net_bytes = static_cast<std::int64_t>(made.bytes_allocated.count()) -
                   static_cast<std::int64_t>(made.bytes_freed.count());
  made.memory_pressure = get_memory_pressure();
  made.pools = heap_pools(regions, statistics.fragmentation);
  for (const PoolStatistics& pool : statistics.pools) {
    made.pools.push_back(payload_pool(pool));
  }
  for (const PoolStatistics& pool : statistics.named_pools) {
    made.pools.push_back(payload_pool(pool));
  }
  for (MemoryPoolStatistics& pool : made.pools) {
    pool.total_free = pool.total_size - pool.total_used;
    pool.utilization = share_of(pool.total_used, pool.total_size);
  }
  return made;
}

}  // namespace tenure
