// The heap's memory as it is cut: regions of 256 KiB, and runs of them for what is larger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// What lies in a region.
enum class HeapRegionType : std::uint8_t {
  kYoungGeneration,  // objects one behind the other, to be evacuated
  kOldGeneration,    // blocks of equal cells, and runs of blocks
  kLargeObject,      // one object, in one region or in several side by side
  kPermanent,        // as the old generation's, of objects that are neither collected nor moved
};
inline constexpr std::size_t kHeapRegionTypes = 4;
/// "young generation", "old generation", "large object", "permanent".
[[nodiscard]] std::string_view to_string(HeapRegionType type);

/// One region, or the run of them that one large object has.
struct HeapRegion {
  const std::byte* address = nullptr;
  Bytes size{};
  HeapRegionType type = HeapRegionType::kYoungGeneration;
  std::uint32_t generation = 0;

  [[nodiscard]] bool contains_address(const void* at) const;
  friend bool operator==(const HeapRegion&, const HeapRegion&) = default;
};

/// What is in it. Used, free and metadata together are its size.
struct HeapRegionUse {
  HeapRegion region;
  std::uint64_t objects = 0;  // that start in it, the dead that nobody found included
  Bytes used_bytes{};         // by these
  Bytes free_bytes{};
  Bytes
      metadata{};  // that no object can have: cells' slack, and what is left of a block behind them

  /// used / size.
  [[nodiscard]] double utilization() const;
};

/// All regions in use, by address. Stops the world for a walk over the heap.
[[nodiscard]] std::vector<HeapRegionUse> heap_regions(Runtime& runtime);

/// Whether an object of so many bytes, with its header left out, could be made in a region as it is now: in
/// what is left of a young one that is still to be cut, in a free cell of its size class or in free blocks of an
/// old one. Regions whose objects have no references are for such objects alone, and this is asked for others.
///
/// errors   kBadArgument: it is no region of the heap any more, or its type changed; kClosed
/// cost     stops the world for a look at the region's blocks
[[nodiscard]] Result<bool> has_room(Runtime& runtime, const HeapRegion& region, Bytes data);

/// The region that an address lies in; none where that is nowhere in this runtime's heap.
///
/// cost     a lock
[[nodiscard]] std::optional<HeapRegion> heap_region_at(Runtime& runtime, const void* address);

}  // namespace tenure
