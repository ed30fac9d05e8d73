// What a pool knows while it is asleep.
//
// Invariant: every byte that is to be kept is in the stash until the pool is awake, so that a wake that
// fails can be made again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/payload/stash.hpp"

namespace tenure {

/// Addresses of a pool, in bytes.
struct Stretch {
  std::byte* from = nullptr;
  std::uint64_t size = 0;
};

struct Sleeping {
  struct Kept {
    Stretch bytes;         // of a payload that was leased
    std::uint64_t offset;  // in the stash
  };
  Stash stash;
  std::vector<Kept> kept;  // by address
  /// A wake mapped all memory and could not bring the bytes back, nor wait for those that were on their
  /// way.
  bool has_memory = false;
};

}  // namespace tenure
