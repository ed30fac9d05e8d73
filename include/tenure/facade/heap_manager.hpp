// The dynamic door's view of memory: regions by address, totals, and who is to move or go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/allocation_strategy.hpp"
#include "tenure/facade/objects.hpp"
#include "tenure/memory_pool.hpp"
#include "tenure/regions.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// One kind of region, or one pool of payloads, added up.
struct MemoryPoolStatistics {
  std::string name;  // "old generation", "host payloads"
  HeapRegionType region_type = HeapRegionType::kYoungGeneration;
  Bytes total_size{};
  Bytes total_used{};
  Bytes total_free{};
  double utilization = 0;           // used / size; 0 where there is none
  std::uint64_t regions_count = 0;  // of payloads, blocks
  std::uint64_t allocations = 0;    // of payloads: leases; of the heap nobody counts them
  std::uint64_t deallocations = 0;
  std::uint64_t free_blocks = 0;  // holes that are mapped, of pools; see MemoryPool::free_blocks
  double fragmentation = 0;       // of the oldest generation's blocks, or of a pool
};

/// Totals since the collector was opened, or its statistics reset. `net_bytes` is allocated less freed.
struct HeapStatistics {
  std::uint64_t total_allocations = 0;    // objects, made by the dynamic door
  std::uint64_t total_deallocations = 0;  // of these, those that are not in the heap any more
  Bytes bytes_allocated{};                // of objects with their headers, and of payloads
  Bytes bytes_freed{};
  std::int64_t net_bytes = 0;
  double memory_pressure = 0;
  std::vector<MemoryPoolStatistics> pools;
};

/// What `optimize_allocation_strategy` found for one type of region.
struct StrategyChoice {
  HeapRegionType type = HeapRegionType::kLargeObject;
  AllocationStrategy before = AllocationStrategy::kBestFit;
  AllocationStrategy after = AllocationStrategy::kBestFit;  // in force from now on
  std::string reason;                                       // with figures
};

/// A view of a collector; good while that lives.
///
/// errors   of all calls that give a Result: kClosed
/// threads  anyone
class HeapManager {
 public:
  explicit HeapManager(FacadeState& state) : state_(&state) {}

  /// All regions in use, by address. Stops the world for a walk over the heap.
  [[nodiscard]] std::vector<HeapRegionUse> regions() const;
  /// None where the address lies nowhere in this heap.
  [[nodiscard]] std::optional<HeapRegion> get_region_for_address(const void* address) const;

  /// Hands the bytes of an object's payload back now. The object stays, without bytes.
  ///
  /// errors   kBadArgument: the handle is null or another collector's, the data lie in the object, or
  ///          were handed back before
  Result<void> deallocate_object(const Handle<GcObject>& object);

  /// Data of objects made from now on lie in a payload from so many KiB on.
  ///
  /// errors   kBadArgument: 0
  Result<void> set_large_object_threshold(std::uint32_t kb);

  /// Has data of this type of region placed by `strategy` from now on. Large objects' data lie in the pool of
  /// the host's memory.
  ///
  /// errors   kUnsupported: that type has no choice, and why
  Result<void> set_allocation_strategy(HeapRegionType type, AllocationStrategy strategy);
  [[nodiscard]] Result<AllocationStrategy> get_allocation_strategy(HeapRegionType type) const;
  /// Places the last large requests of this door anew, by each strategy in turn, in a copy of the holes that
  /// the pool has now, and takes the one that leaves the fewest bytes of them without a hole; of those that
  /// leave as many the one with the largest hole left; then the one in force; then best fit.
  ///
  /// returns  a row for each type of region that holds objects by size
  /// cost     O(requests * holes), of at most 64 requests
  Result<std::vector<StrategyChoice>> optimize_allocation_strategy();

  /// Makes a pool of the host's memory of its own.
  ///
  /// size       the most bytes that may be mapped
  /// alignment  of all its addresses: a power of two, 16 to 2 MiB
  /// errors     kBadArgument: a name that is taken or empty, no bytes, no such alignment
  Result<MemoryPool> create_specialized_pool(std::string_view name, std::uint64_t size,
                                             std::uint64_t alignment = 64);
  /// As `MemoryPool::resize`.
  ///
  /// errors   kBadArgument: there is no such pool; those of `MemoryPool::resize`
  Result<PoolResize> resize_pool(std::string_view name, std::uint64_t size);
  /// Those of the memory kinds that were asked for something, and those made by name.
  [[nodiscard]] std::vector<MemoryPool> pools() const;
  [[nodiscard]] std::optional<MemoryPool> get_pool(std::string_view name) const;

  /// Whether an object with `size` bytes of data and no references could be made in this region now, where it
  /// took the next one: in what a young region has left, or in a free cell or block of an old one.
  ///
  /// errors   kBadArgument: there is no such region any more
  [[nodiscard]] Result<bool> can_allocate(const HeapRegion& region, std::uint64_t size) const;

  /// Packs what a kind of region holds. Young generations are copied out of their regions, and the oldest
  /// is packed as `Runtime::compact` does.
  ///
  /// errors   kUnsupported: large objects do not move, or compaction is off
  Result<CollectionReport> compact_heap(HeapRegionType type = HeapRegionType::kOldGeneration);

  /// The largest share in use, as `GarbageCollector::pressure` has it.
  [[nodiscard]] double get_memory_pressure() const;
  /// Whether a collection is due: eight tenths of a generation's limit are in use, or three quarters of
  /// the heap or of a pool.
  [[nodiscard]] bool should_trigger_gc() const;

  /// Stops the world for a walk over the heap.
  [[nodiscard]] Result<HeapStatistics> get_heap_statistics() const;

 private:
  FacadeState* state_;  // outlives the view
};

}  // namespace tenure
