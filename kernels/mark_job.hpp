// A marking on a device as plain data: what the host prepares, what the kernels work in, and the
// counters they leave.
//
// Invariant: whoever launches owns all memory named here; kernels write the mark bits and the
// workspace, and nothing else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/model/heap_view.hpp"
#include "tenure/object.hpp"

namespace tenure::kernels {

/// What the 64-bit atomics of a device count in. As large as std::uint64_t, and another type.
using Count = unsigned long long;
static_assert(sizeof(Count) == sizeof(std::uint64_t));

/// A heap, or its copy, as kernels read it. Every pointer of the view is device memory, indexed by
/// the places of the cage.
///
/// A reference is followed where its region's row says so: `marking_claims` of the law. Covered
/// regions are of kind kBlocks, kLargeHead or kLargeTail, for of others the bits do not say where
/// an object starts. Words, types, regions and blocks do not change while kernels run.
struct DeviceHeap {
  HeapView view;
  std::uint32_t regions = 0;  // rows of view.regions that may be read; those behind count as free
  std::uint32_t types = 0;    // rows of view.types; 0: nobody said, and chains are not contracted
};

/// What a marking left. Copied home from the start of the workspace once the launches are done.
struct MarkCounters {
  Count objects = 0;     // bits set, by roots too
  Count references = 0;  // slots read that are not null; those of regions read again count again
  Count chased = 0;      // objects reached along a chain and never queued
  std::uint32_t levels = 0;
  std::uint32_t narrow_levels = 0;     // of them, those that one block walked alone
  std::uint32_t big_objects = 0;       // spread over the whole grid
  std::uint32_t queue_peak = 0;        // largest number of objects that waited for one level
  std::uint32_t overflow_regions = 0;  // regions whose marked objects were read again
  std::uint32_t left = 0;          // objects and regions that still wait; 0: the marking is done
  std::uint32_t contractions = 0;  // of chains, each of the whole heap
  std::uint32_t contracted_rounds = 0;  // of pointer jumping, in all of them
  std::uint32_t contracted_levels = 0;  // of `levels`, those over what contraction left
};

/// Numbers that change how fast a marking is, and nothing else.
struct MarkTuning {
  /// How many single successors a lane follows before it queues, by the frontier's width. Following
  /// cuts the levels of a list by as much; in a wide frontier the other lanes wait for it.
  std::uint32_t chase_narrow = 64;
  std::uint32_t chase_wide = 4;
  /// Chains are contracted after so many narrow levels in a row, each time after twice as many as the
  /// time before; 0: never. By the whole grid alone.
  std::uint32_t contract_after = 64;
  /// And only where so many cells are unmarked: reading them all costs more than fewer are worth.
  std::uint32_t contract_least = 100'000;
  /// Contracted levels, which look at all of the heap, go on where one read at least one object for so
  /// many slots of the table.
  std::uint32_t contract_share = 4096;
};

/// Objects with more references are read by the whole grid, as one list.
inline constexpr std::uint32_t kBigObject = 2048;

/// The memory a marking works in: counters, region codes, overflow bits, big objects, two queues, and
/// a table for contraction, of which the second queue is the first part.
///
/// Any size of queue is correct; where it is full, an object's region is read again later. Where the
/// table is too small for the heap, chains are not contracted.
struct MarkWorkspace {
  static constexpr std::uint32_t kControlBytes = 256;             // MarkCounters first
  static constexpr std::uint32_t kCodeWords = kRegions / 16;      // two bits a region
  static constexpr std::uint32_t kOverflowWords = kRegions / 32;  // one bit a region

  std::byte* memory = nullptr;      // [bytes_for(queue_entries)], aligned to 256
  std::uint32_t queue_entries = 0;  // of each of the two; at least 1

  /// Big objects that one level can set aside; one block reads what is more than that.
  [[nodiscard]] static constexpr std::uint32_t big_entries(std::uint32_t queue_entries) {
    return std::max(queue_entries / 64, 1u);
  }
  /// Slots of the table, one for a mark bit of a region that holds references. A queue with an entry
  /// for 64 bytes of heap has one for each.
  [[nodiscard]] static constexpr std::uint64_t table_slots(std::uint32_t queue_entries) {
    return std::uint64_t{4} * queue_entries;
  }
  /// Regions that the table has room for, the last of them in part.
  [[nodiscard]] static constexpr std::uint32_t table_regions(std::uint32_t queue_entries) {
    constexpr std::uint64_t kSlotsPerRegion = kGranulesPerRegion / kGranulesPerMark;
    return static_cast<std::uint32_t>(table_slots(queue_entries) / kSlotsPerRegion + 1);
  }
  [[nodiscard]] static constexpr std::uint64_t bytes_for(std::uint32_t queue_entries) {
    const std::uint64_t words = std::uint64_t{2} * kCodeWords + kOverflowWords +
                                table_regions(queue_entries) + big_entries(queue_entries) +
                                queue_entries + table_slots(queue_entries);
    return kControlBytes + words * sizeof(std::uint32_t);
  }
  /// Entries for a queue that takes a sixteenth of the heap's copy, and four with the table; or all
  /// objects of a small one.
  ///
  /// heap_bytes  of the regions covered, leaf regions left out
  [[nodiscard]] static constexpr std::uint32_t entries_for(std::uint64_t heap_bytes) {
    constexpr std::uint64_t kBytesAnEntry = 8 * 2 * sizeof(std::uint32_t);
    constexpr std::uint64_t kAllOfSmall = 1u << 16;
    const std::uint64_t all = heap_bytes / (kSmallestObject * kGranuleBytes) + 1;
    return static_cast<std::uint32_t>(
        std::min(all, std::max(heap_bytes / kBytesAnEntry, kAllOfSmall)));
  }
};

/// One marking. Passed by value to every launch of it, unchanged.
struct MarkLaunch {
  DeviceHeap heap;
  const ObjectIndex* roots =
      nullptr;  // [root_count], device memory; null ones and twins are allowed
  std::uint32_t root_count = 0;
  MarkWorkspace workspace;
  std::uint32_t blocks = 1;  // 1 to MarkGrid::blocks
  MarkTuning tuning;
};

/// What lives in one region, by its mark bits.
struct RegionLive {
  std::uint32_t objects = 0;   // that start in it
  std::uint32_t granules = 0;  // of them, whole cells and runs; of a large object all, in its head
};

}  // namespace tenure::kernels
