// The dynamic door's view of memory: regions by address, totals, and who is to move or go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tenure/facade/objects.hpp"
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
  double fragmentation = 0;  // of the oldest generation's blocks, or of a pool
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
