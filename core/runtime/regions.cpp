#include "tenure/regions.hpp"

#include <unordered_map>

#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"
#include "core/memory/size_class.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;

// The region of that number, or the run that it belongs to.
std::optional<HeapRegion> region_of_row(Heap& heap, std::uint32_t number) {
  const RegionRow* row = heap.cage().regions() + number;
  if (row->kind == RegionKind::kLargeTail) {
    number -= row->link;
    row -= row->link;
  }
  if (row->heap != heap.id() || row->kind == RegionKind::kFree) {
    return std::nullopt;
  }
  HeapRegion region{.address = heap.cage().base() + number * kRegionBytes,
                    .size = Bytes{kRegionBytes},
                    .type = HeapRegionType::kYoungGeneration,
                    .generation = row->generation};
  switch (row->kind) {
    case RegionKind::kNursery: {
      // What is only reserved has no memory.
      const std::uint64_t place = number - heap.young().nursery().first;
      if (row->top == 0 && place * kRegionBytes >= heap.young().nursery_size().count()) {
        return std::nullopt;
      }
      break;
    }
    case RegionKind::kBlocks:
      region.type = heap.blocks().is_permanent(number) ? HeapRegionType::kPermanent
                                                       : HeapRegionType::kOldGeneration;
      break;
    case RegionKind::kLargeHead:
      region.type = HeapRegionType::kLargeObject;
      region.size = Bytes{row->link * kRegionBytes};
      break;
    default:
      break;
  }
  return region;
}

// Of what an object takes, the part that it does not use.
std::uint64_t slack_of(Heap& heap, ObjectIndex object, std::uint64_t granules) {
  const RegionRow& region = heap.row(object);
  if (region.kind == RegionKind::kLargeHead) {
    return std::uint64_t{region.link} * kGranulesPerRegion - granules;
  }
  if (region.kind != RegionKind::kBlocks) {
    return 0;
  }
  const BlockRow& block = heap.cage().blocks()[block_of(object)];
  return block.kind == BlockKind::kRunHead
             ? std::uint64_t{block.link} * kGranulesPerBlock - granules
             : block.cell - granules;
}

// What is left behind the cells of a region's blocks.
std::uint64_t tails_of(Heap& heap, std::uint32_t number) {
  std::uint64_t granules = 0;
  for (std::uint32_t k = 0; k < kBlocksPerRegion; ++k) {
    const BlockRow& block = heap.cage().blocks()[number * kBlocksPerRegion + k];
    if (block.kind == BlockKind::kCells) {
      granules += kGranulesPerBlock - cells_per_block(block.cell) * block.cell;
    }
  }
  return granules;
}

// In a region of the nursery, behind what is cut; the nursery's other objects go elsewhere.
bool has_room_young(Heap& heap, std::uint32_t number, std::uint64_t granules) {
  const RegionRow& row = heap.cage().regions()[number];
  const std::uint32_t place = number - heap.young().nursery().first;
  return row.kind == RegionKind::kNursery && (row.flags & RegionRow::kHeld) == 0 &&
         place * kRegionBytes < heap.young().nursery_size().count() &&
         granules <= kGranulesPerRegion - row.top && !heap.young().has_cut_beyond(number);
}

// A free cell of the class, or as many free blocks side by side as a cell or a run takes.
bool has_room_old(Heap& heap, std::uint32_t number, std::uint64_t granules) {
  if (heap.cage().regions()[number].leaf != 0) {
    return false;
  }
  const bool is_cell = granules <= kLargestCell;
  const std::uint32_t wanted =
      is_cell ? 1
              : static_cast<std::uint32_t>((granules + kGranulesPerBlock - 1) / kGranulesPerBlock);
  const std::uint32_t size_class =
      is_cell ? size_class_of(static_cast<std::uint32_t>(granules)) : 0;
  std::uint32_t free = 0;
  for (std::uint32_t k = 0; k < kBlocksPerRegion; ++k) {
    const BlockRow& block = heap.cage().blocks()[number * kBlocksPerRegion + k];
    if (is_cell && block.kind == BlockKind::kCells && block.size_class == size_class &&
        block.used < cells_per_block(block.cell)) {
      return true;
    }
    free = block.kind == BlockKind::kFree ? free + 1 : 0;
    if (free == wanted) {
      return true;
    }
  }
  return false;
}

std::vector<HeapRegionUse> measure(Heap& heap) {
  std::vector<HeapRegionUse> found;
  std::unordered_map<std::uint32_t, std::size_t> places;
  for (std::uint32_t number = 0; number < kRegions; ++number) {
    const RegionRow& row = heap.cage().regions()[number];
    if (row.heap != heap.id() || row.kind == RegionKind::kLargeTail) {
      continue;
    }
    if (const std::optional<HeapRegion> region = region_of_row(heap, number)) {
      places.emplace(number, found.size());
      found.push_back({.region = *region});
      if (row.kind == RegionKind::kBlocks) {
        found.back().metadata = Bytes{tails_of(heap, number) * kGranuleBytes};
      }
    }
  }
  heap.for_each_object([&](ObjectIndex object) {
    const std::uint64_t granules = detail::header_of(object).size;
    HeapRegionUse& use = found[places.at(region_of(object))];
    ++use.objects;
    use.used_bytes += Bytes{granules * kGranuleBytes};
    use.metadata += Bytes{slack_of(heap, object, granules) * kGranuleBytes};
  });
  for (HeapRegionUse& use : found) {
    use.free_bytes = use.region.size - use.used_bytes - use.metadata;
  }
  return found;
}

}  // namespace

std::string_view to_string(HeapRegionType type) {
  switch (type) {
    case HeapRegionType::kYoungGeneration:
      return "young generation";
    case HeapRegionType::kOldGeneration:
      return "old generation";
    case HeapRegionType::kLargeObject:
      return "large object";
    case HeapRegionType::kPermanent:
      return "permanent";
  }
  fail("a type of region that does not exist");
}

bool HeapRegion::contains_address(const void* at) const {
  return reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(address) <
         size.count();
}

double HeapRegionUse::utilization() const {
  return static_cast<double>(used_bytes.count()) / static_cast<double>(region.size.count());
}

std::vector<HeapRegionUse> heap_regions(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  std::vector<HeapRegionUse> found;
  state.conductor().in_stop(state.self(), [&] { found = measure(state.heap()); });
  return found;
}

Result<bool> has_room(Runtime& runtime, const HeapRegion& region, Bytes data) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "a region was asked for in a runtime that was closed"};
  }
  RuntimeState& state = runtime.state();
  Heap& heap = state.heap();
  const std::uint64_t granules = 1 + granules_for(data.count());
  const auto number = static_cast<std::uint32_t>((region.address - heap.cage().base()) /
                                                 static_cast<std::ptrdiff_t>(kRegionBytes));
  Result<bool> has = false;
  state.conductor().in_stop(state.self(), [&] {
    const std::optional<HeapRegion> now =
        number < kRegions ? region_of_row(heap, number) : std::nullopt;
    if (!now || now->address != region.address || now->type != region.type) {
      has = Error{ErrorCode::kBadArgument, "a region was asked for that is none any more"};
    } else if (now->type == HeapRegionType::kYoungGeneration) {
      has = has_room_young(heap, number, granules);
    } else if (now->type == HeapRegionType::kOldGeneration ||
               now->type == HeapRegionType::kPermanent) {
      has = has_room_old(heap, number, granules);
    }
  });
  return has;
}

std::optional<HeapRegion> heap_region_at(Runtime& runtime, const void* address) {
  RuntimeState& state = runtime.state();
  Heap& heap = state.heap();
  const std::uint64_t number = (reinterpret_cast<std::uintptr_t>(address) -
                                reinterpret_cast<std::uintptr_t>(heap.cage().base())) /
                               kRegionBytes;
  if (number >= kRegions) {
    return std::nullopt;
  }
  std::optional<HeapRegion> found;
  // Why held up: a collection gives regions back.
  state.safepoint().while_going(state.self(), [&](const std::vector<MutatorState*>&) {
    found = region_of_row(heap, static_cast<std::uint32_t>(number));
  });
  return found;
}

}  // namespace tenure
