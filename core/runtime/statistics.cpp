#include "tenure/statistics.hpp"

#include <algorithm>

#include "core/base/check.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

std::string_view to_string(CollectionTrigger trigger) {
  switch (trigger) {
    case CollectionTrigger::kAllocationPressure:
      return "allocation pressure";
    case CollectionTrigger::kExplicitRequest:
      return "explicit request";
    case CollectionTrigger::kPeriodic:
      return "periodic";
    case CollectionTrigger::kPromotionThreshold:
      return "promotion threshold";
    case CollectionTrigger::kLargeObject:
      return "large object";
    case CollectionTrigger::kDevicePressure:
      return "device pressure";
    case CollectionTrigger::kSystemPressure:
      return "system pressure";
    case CollectionTrigger::kForeignRequest:
      return "foreign request";
  }
  fail("a trigger that does not exist");
}

double PoolStatistics::utilisation() const {
  return peak_reserved.is_zero()
             ? 1.0
             : static_cast<double>(peak_live.count()) / static_cast<double>(peak_reserved.count());
}

double PoolStatistics::fragmentation() const {
  // Where memory of leased payloads was given away there may be less than is leased.
  const Bytes free = reserved - std::min(reserved, leased);
  return free.is_zero()
             ? 0.0
             : 1.0 - static_cast<double>(largest_free.count()) / static_cast<double>(free.count());
}

Statistics RuntimeState::statistics() {
  Statistics statistics;
  conductor_->account(statistics);
  Heap& heap = *heap_;
  safepoint_.while_going(self(), [&](const std::vector<MutatorState*>& mutators) {
    for (std::uint32_t generation = 0; generation <= heap.oldest(); ++generation) {
      statistics.bytes_by_generation[generation] = heap.used(generation);
      statistics.heap_used += statistics.bytes_by_generation[generation];
      statistics.promotion_age[generation] =
          generation < heap.oldest() ? heap.promotion_age(generation) : 0;
    }
    for (const MutatorState* mutator : mutators) {
      statistics.bytes_allocated += Bytes{mutator->bytes_allocated.load(std::memory_order_relaxed)};
    }
    statistics.fragmentation = heap.fragmentation().ratio();
    statistics.nursery = heap.has_nursery() ? heap.young().nursery_size() : Bytes{};
    statistics.root_callbacks = heap.roots().callbacks().count();
  });
  statistics.payload_bytes_owned = payload_bytes_owned();
  statistics.allocation_rate = allocation_rate(statistics.bytes_allocated);
  statistics.mutators = safepoint_.count();
  statistics.heap_committed = heap.committed();
  statistics.heap_limit = heap.limit();
  statistics.handles = heap.roots().handles().count();
  statistics.pinned_objects = heap.roots().pins().count();
  Afterlife& afterlife = heap.afterlife();
  statistics.weak_references = afterlife.weak().count();
  statistics.weak_cleared = afterlife.weak().cleared();
  statistics.map_entries = afterlife.ephemerons()->count();
  statistics.map_entries_dropped = afterlife.ephemerons()->dropped();
  statistics.finalizers = afterlife.finalizers().statistics();
  for_each_pool([&](PayloadPool& pool) {
    statistics.pools.push_back(pool.statistics());
    name_clients(statistics.pools.back());
  });
  for (const MemoryPool& pool : named_pools()) {
    if (Result<PoolStatistics> of = pool.statistics()) {
      statistics.named_pools.push_back(*std::move(of));
    }
  }
  statistics.pressure = pressure_statistics();
  return statistics;
}

Statistics Runtime::statistics() const { return state_->statistics(); }

std::vector<CollectionReport> recent_collections(const Runtime& runtime) {
  return runtime.state().conductor().recent();
}

}  // namespace tenure
