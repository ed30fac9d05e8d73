// Reading beside running mutators, and marking beside other markers: what the law's Reader and claim
// are there.
//
// Invariant: whoever sets the mark bit of an object wrote the object's header before.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/model/mark_law.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Reads a word that mutators write meanwhile. A reference so read names an object whose header is
/// written, since the barrier releases it.
struct AcquireReader {
  std::uint32_t operator()(const std::uint32_t& word) const {
    // Why the cast: an atomic_ref of a const type cannot be made before C++26. Nothing is written.
    return std::atomic_ref(const_cast<std::uint32_t&>(word)).load(std::memory_order_acquire);
  }
};

/// Sets the bit. True for exactly one of the threads that reach the object.
inline bool claim_shared(std::uint32_t* marks, ObjectIndex object) {
  const std::uint32_t bit = 1u << (mark_bit(object) % 32);
  const std::atomic_ref word(marks[mark_bit(object) / 32]);
  // Why a load first: most objects reached are marked already, and a stale 0 does no harm.
  if ((word.load(std::memory_order_relaxed) & bit) != 0) {
    return false;
  }
  // Why seq_cst: a marker then says elsewhere that the object awaits its reading, and whoever clears
  // that reads the bits afterwards. One of the two must see the other.
  return (word.fetch_or(bit, std::memory_order_seq_cst) & bit) == 0;
}

}  // namespace tenure
