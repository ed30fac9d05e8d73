// Copying: every live object of the youngest generations leaves its region, and the regions are
// empty again. What cannot move, or finds no room, stays, and its region with it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/team.hpp"
#include "core/gc/ageing.hpp"
#include "core/heap/heap.hpp"
#include "tenure/bytes.hpp"

namespace tenure {

/// Where survivors go.
enum class Promotion : std::uint8_t {
  kByAge,       // up one generation once they have survived often enough
  kAllToOldest  // straight to the oldest: a full collection follows
};

struct EvacuationStats {
  std::uint64_t objects_copied = 0;                            // that stayed in their generation
  std::uint64_t objects_promoted = 0;                          // that went up
  std::array<std::uint64_t, kMaxGenerations> promoted_from{};  // the same, by where they came from
  std::array<std::uint64_t, kMaxGenerations>
      promoted_early{};            // of these, to the oldest for want of room where they were for
  std::uint64_t objects_held = 0;  // that stayed where they are
  std::array<Bytes, kMaxGenerations> bytes_promoted_from{};
  Bytes bytes_copied;
  Bytes bytes_promoted;
  std::uint64_t cards_scanned = 0;
  Survivors survivors{};      // that moved
  std::uint32_t workers = 1;  // that moved objects
  Retired retired;
  AfterlifeReport afterlife;
  /// Promoted into the oldest generation while a marking goes on: they live, and are to be read.
  std::vector<ObjectIndex> promoted_while_marking;
};

/// What is moved before others are called: less than this is done by the time they have come.
/// Not tuned by a measurement.
inline constexpr Bytes kMovedAlone{512u << 10};

/// Moves every live object of generations 0 to `last` out of its region, and empties the regions.
///
/// Live is what a root, or a card remembered for an older generation, reaches through these
/// generations alone; nothing older is looked at. Slots hold the new places afterwards. Logs were
/// drained and buffers retired before.
///
/// last     not the oldest generation
/// alone    bytes moved by the caller before the others of the team are called
/// cost     O(live bytes condemned + remembered cards), whatever the heap's size
/// errors   none: for want of room an object stays where it is
/// threads  stopped world; objects are claimed without a lock, one is taken for a fresh region or block
/// source   generation scavenging (ACM SIGPLAN Notices 19.5, 1984)
EvacuationStats evacuate(Heap& heap, std::uint32_t last, Promotion promotion, Team& team,
                         Bytes alone = kMovedAlone);

/// Moves every live object of these regions, which are held back, into the oldest generation, and
/// empties them. All that lies in other regions counts as live.
///
/// cost     O(bytes of all young regions in use + remembered cards)
/// errors, threads  as `evacuate`
EvacuationStats evacuate_held(Heap& heap, std::span<const std::uint32_t> regions, Team& team);

}  // namespace tenure
