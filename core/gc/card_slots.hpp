// The slots of one remembered card that matter to an evacuation. Cards are looked at before anything
// moves, because promotion fills free cells, and a card may hold cells of which one is being filled.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/heap/card_scan.hpp"
#include "core/heap/heap.hpp"

namespace tenure {

struct CardSlots {
  static constexpr std::uint32_t kSlots = 2 * kGranulesPerCard;
  static constexpr std::uint32_t kBitsPerMap = 64;

  std::uint32_t card = 0;
  bool has_younger = false;  // names something younger that does not move
  std::array<std::uint64_t, kSlots / kBitsPerMap> moving{};  // a bit for each slot that names one

  [[nodiscard]] bool matters() const { return has_younger || (moving[0] | moving[1]) != 0; }

  [[nodiscard]] ObjectIndex* slots() const {
    return reinterpret_cast<ObjectIndex*>(detail::address_of(object_on(card * kGranulesPerCard)));
  }

  /// Calls `visit(ObjectIndex&)` for each slot that names something condemned.
  template <class Visit>
  void for_each_moving(Visit visit) const {
    for (std::uint32_t map = 0; map < moving.size(); ++map) {
      for (std::uint64_t rest = moving[map]; rest != 0; rest &= rest - 1) {
        visit(slots()[map * kBitsPerMap + static_cast<std::uint32_t>(std::countr_zero(rest))]);
      }
    }
  }
};

/// Fetches what `look_at_card` will read. Stores come to cards at random: without it, each is a dozen
/// cache misses one behind the other.
[[gnu::always_inline]] inline void fetch_card(Cage& cage, std::uint32_t card) {
  constexpr std::size_t kLine = 64;
  __builtin_prefetch(cage.blocks() + block_of(object_on(card * kGranulesPerCard)));
  const std::byte* const first = detail::address_of(object_on(card * kGranulesPerCard));
  for (std::size_t at = 0; at < kCardBytes; at += kLine) {
    __builtin_prefetch(first + at);
  }
}

/// What is on a card, nothing condemned having moved. Any worker.
[[nodiscard]] inline CardSlots look_at_card(Heap& heap, std::uint32_t card) {
  CardSlots found{.card = card};
  const RegionRow* const regions = heap.cage().regions();
  const RegionRow& row = regions[card / kCardsPerRegion];
  // The card of a region that was given back since, or moves itself.
  if (row.heap != heap.id() || row.kind == RegionKind::kFree ||
      (row.flags & RegionRow::kCondemned) != 0) {
    return found;
  }
  for_each_slot_on_card(heap.cage(), card, [&](ObjectIndex& slot) {
    const RegionRow& target = regions[region_of(slot)];
    if ((target.flags & RegionRow::kCondemned) != 0) {
      const auto k = static_cast<std::uint32_t>(&slot - found.slots());
      found.moving[k / CardSlots::kBitsPerMap] |= std::uint64_t{1} << (k % CardSlots::kBitsPerMap);
    } else {
      found.has_younger |= slot != ObjectIndex::kNull && target.generation < row.generation;
    }
  });
  return found;
}

}  // namespace tenure
