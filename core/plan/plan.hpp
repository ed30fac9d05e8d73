// An iteration laid out: a place for each of its leases, and what follows from the places.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/plan/packing.hpp"
#include "core/plan/tape.hpp"

namespace tenure {

/// Numbers by slot: `of(k)` are those of slot k.
struct SlotLists {
  std::vector<std::uint32_t> first;  // [slots + 1]
  std::vector<std::uint32_t> all;

  [[nodiscard]] std::span<const std::uint32_t> of(std::uint32_t slot) const {
    return std::span(all).subspan(first[slot], first[slot + 1] - first[slot]);
  }
};

/// One slot a lease, in the order of the leases, which goes round. Never changes.
struct Plan {
  std::vector<std::uint64_t> keys;
  std::vector<std::uint64_t> bytes;  // 0: no place, as the block outlives the iteration
  std::vector<std::uint64_t> offsets;
  SlotLists due;     // slots that are to be handed back before that slot's lease
  SlotLists before;  // slots that had a byte of that slot last, itself included
  std::uint64_t height = 0;
  std::uint64_t aside = 0;          // bytes of an iteration that have no place
  std::uint64_t carried = 0;        // bytes that live before the first slot, in places of the plan
  std::uint64_t start_context = 0;  // of the leases right before the first slot
  bool from_empty = false;

  [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(keys.size()); }
  [[nodiscard]] bool overlap(std::uint32_t a, std::uint32_t b) const {
    return offsets[a] < offsets[b] + bytes[b] && offsets[b] < offsets[a] + bytes[a];
  }
};

/// Lays an iteration out, from the moment on at which the least lives. Null where it is not worth it:
/// where much of what it leases outlives it, as in a loop that fills memory.
///
/// cost   that of `pack`
[[nodiscard]] std::shared_ptr<const Plan> make_plan(const Iteration& iteration,
                                                    const PackingEffort& effort = {});

}  // namespace tenure
