// Which reference slots lie on a card, wherever the card is: among survivors, in a block of cells,
// in a run. Objects may be longer than a card, so the card of a slot is asked for, not of an object.
//
// Invariant: dead objects that nobody swept are passed over where that is known; in a bump region a
// dead object's slots are given too, and are valid, since its region is evacuated as a whole.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/heap/object_access.hpp"
#include "core/memory/cage.hpp"
#include "core/memory/size_class.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/region.hpp"

namespace tenure {

namespace detail {

// Slots of `object` that lie on granules [first, end).
template <class Visit>
void visit_slots_between(ObjectIndex object, std::uint64_t first, std::uint64_t end, Visit& visit) {
  const std::uint64_t data = std::uint64_t{granule_of(object)} + 1;
  const std::uint64_t count = slot_count(object);
  const std::uint64_t from = first > data ? 2 * (first - data) : 0;
  const std::uint64_t to = end > data ? std::min(count, 2 * (end - data)) : 0;
  ObjectIndex* const slots = slots_of(object);
  for (std::uint64_t k = from; k < to; ++k) {
    visit(slots[k]);
  }
}

// The object that covers the card's first granule. The region has one on its own first card.
inline std::uint32_t walk_start(const std::uint8_t* starts, std::uint32_t card) {
  if (starts[card] == 0) {
    return card * kGranulesPerCard;
  }
  do {
    --card;
  } while (starts[card] == Cage::kNoStart);
  return card * kGranulesPerCard + starts[card];
}

template <class Visit>
void visit_slots_of_bump(Cage& cage, std::uint32_t card, std::uint32_t region, Visit& visit) {
  const std::uint32_t first = card * kGranulesPerCard;
  const std::uint32_t top = first_granule_of_region(region) + cage.regions()[region].top;
  const std::uint32_t end = std::min(first + kGranulesPerCard, top);
  if (first >= top) {
    return;  // the card was in use by an earlier owner of the region
  }
  for (std::uint32_t at = walk_start(cage.starts(), card); at < end;) {
    visit_slots_between(object_on(at), first, end, visit);
    at += header_of(object_on(at)).size;
  }
}

template <class Visit>
void visit_slots_of_block(Cage& cage, std::uint32_t card, Visit& visit) {
  const std::uint32_t first = card * kGranulesPerCard;
  const std::uint32_t end = first + kGranulesPerCard;
  const std::uint32_t block = first / kGranulesPerBlock;
  const BlockRow& row = cage.blocks()[block];
  if (row.kind == BlockKind::kRunHead || row.kind == BlockKind::kRunTail) {
    const std::uint32_t head = row.kind == BlockKind::kRunHead ? block : block - row.link;
    visit_slots_between(object_on(first_granule_of_block(head)), first, end, visit);
    return;
  }
  if (row.kind == BlockKind::kFree) {
    return;
  }
  const std::uint32_t base = first_granule_of_block(block);
  const std::uint32_t behind = base + cells_per_block(row.cell) * row.cell;
  for (std::uint32_t at = base + (first - base) / row.cell * row.cell; at < std::min(end, behind);
       at += row.cell) {
    const bool counts = awaits_sweep(cage.regions()[block / kBlocksPerRegion], row)
                            ? is_marked(cage.marks(), object_on(at))
                            : header_of(object_on(at)).type() != TypeId::kFreeCell;
    if (counts) {
      visit_slots_between(object_on(at), first, end, visit);
    }
  }
}

}  // namespace detail

/// Calls `visit(slot)` for every reference slot on the card, null ones too.
///
/// visit    takes an ObjectIndex&, in a stop
template <class Visit>
void for_each_slot_on_card(Cage& cage, std::uint32_t card, Visit visit) {
  const std::uint32_t region = card / kCardsPerRegion;
  const RegionRow& row = cage.regions()[region];
  switch (row.kind) {
    case RegionKind::kFree:
    case RegionKind::kNursery:
      return;
    case RegionKind::kBump:
      return detail::visit_slots_of_bump(cage, card, region, visit);
    case RegionKind::kBlocks:
      return detail::visit_slots_of_block(cage, card, visit);
    case RegionKind::kLargeHead:
    case RegionKind::kLargeTail: {
      const std::uint32_t head = row.kind == RegionKind::kLargeHead ? region : region - row.link;
      const std::uint64_t first = std::uint64_t{card} * kGranulesPerCard;
      return detail::visit_slots_between(object_on(first_granule_of_region(head)), first,
                                         first + kGranulesPerCard, visit);
    }
  }
}

}  // namespace tenure
