// Which references marked objects hold on a card, read beside running mutators: what a marking under
// way may have missed there.
//
// Invariant: of the oldest generation alone. No block of it is freed, and no object in it moves,
// while a marking goes on; an object that is marked has its header and size for good.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/model/heap_view.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/region.hpp"
#include "core/model/shared_marks.hpp"

namespace tenure {

namespace detail {

// References of `object`, if it is marked, that lie on granules [first, end).
template <class Visit>
void visit_marked_between(const HeapView& heap, ObjectIndex object, std::uint64_t first,
                          std::uint64_t end, Visit& visit) {
  constexpr AcquireReader kRead;
  const std::uint32_t bit = mark_bit(object);
  if ((kRead(heap.marks[bit / 32]) >> (bit % 32) & 1) == 0) {
    return;  // whoever marks it reads it whole
  }
  const std::uint64_t data = std::uint64_t{static_cast<std::uint32_t>(object)} + 1;
  const std::uint64_t count = reference_count(heap, object, kRead);
  const std::uint64_t from = first > data ? 2 * (first - data) : 0;
  const std::uint64_t to = end > data ? std::min(count, 2 * (end - data)) : 0;
  for (std::uint64_t k = from; k < to; ++k) {
    visit(reference_at(heap, object, static_cast<std::uint32_t>(k), kRead));
  }
}

}  // namespace detail

/// Calls `visit(child)` for each slot on the card that a marked object holds, null ones too.
///
/// blocks   the cage's rows
/// threads  who advances the marking
template <class Visit>
void for_each_marked_reference_on_card(const HeapView& heap, const BlockRow* blocks,
                                       std::uint32_t card, Visit visit) {
  const std::uint64_t first = std::uint64_t{card} * kGranulesPerCard;
  const std::uint64_t end = first + kGranulesPerCard;
  const auto look = [&](std::uint32_t granule) {
    detail::visit_marked_between(heap, static_cast<ObjectIndex>(granule), first, end, visit);
  };

  std::uint32_t region = card / kCardsPerRegion;
  if (heap.regions[region].kind == RegionKind::kLargeTail) {
    region -= heap.regions[region].link;
  }
  const RegionRow& row = heap.regions[region];
  if (row.heap != heap.heap || (row.flags & RegionRow::kMarking) == 0 || row.leaf != 0) {
    return;
  }
  if (row.kind == RegionKind::kLargeHead) {
    look(first_granule_of_region(region));
    return;
  }
  const std::uint32_t block = card / (kGranulesPerBlock / kGranulesPerCard);
  const BlockRow& cells = blocks[block];
  if (cells.kind == BlockKind::kRunHead || cells.kind == BlockKind::kRunTail) {
    look(first_granule_of_block(cells.kind == BlockKind::kRunHead ? block : block - cells.link));
  } else if (cells.kind == BlockKind::kCells) {
    const std::uint32_t base = first_granule_of_block(block);
    const auto from = static_cast<std::uint32_t>(first) - base;
    for (std::uint32_t at = from / cells.cell * cells.cell;
         at < from + kGranulesPerCard && at + cells.cell <= kGranulesPerBlock; at += cells.cell) {
      look(base + at);
    }
  }
}

}  // namespace tenure
