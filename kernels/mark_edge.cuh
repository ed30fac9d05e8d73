// What a lane does with one reference: claim the target's bit, and follow chains a bounded number of
// steps.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_view.hpp"

namespace tenure::kernels {

/// What one lane has done.
struct Tally {
  std::uint32_t objects = 0;
  std::uint32_t references = 0;
  std::uint32_t chased = 0;
};

template <class View>
__device__ __forceinline__ bool is_marked_now(const View& view, ObjectIndex object) {
  const std::uint32_t bit = bit_of(view, object);
  return (__ldcg(&marks_of(view)[bit / 32]) >> (bit % 32) & 1) != 0;
}

// Sets the bit. True for exactly one of the lanes that reach the object.
template <class View>
__device__ __forceinline__ bool flip(const View& view, ObjectIndex object) {
  const std::uint32_t bit = 1u << (bit_of(view, object) % 32);
  return (atomicOr(&marks_of(view)[bit_of(view, object) / 32], bit) & bit) == 0;
}

// The same. Why a load first: most objects reached are marked already, and a stale 0 does no harm.
template <class View>
__device__ __forceinline__ bool claim(const View& view, ObjectIndex object) {
  return !is_marked_now(view, object) && flip(view, object);
}

/// Objects with more references are not followed: a lane would read them alone.
inline constexpr std::uint32_t kChaseWidth = 4;

// Follows a chain for as long as an object has few references and exactly one of their targets is
// unmarked, so single and double links alike. True when `object`, moved along, has to be queued:
// then its references are yet to be counted.
template <class View>
__device__ __forceinline__ bool chase(const View& view, ObjectIndex& object, std::uint32_t bound,
                                      Tally& tally) {
  for (std::uint32_t step = 0; step < bound; ++step) {
    const Opened opened = open(view, object);
    if (opened.count > kChaseWidth) {
      return true;
    }
    std::uint32_t references = 0;
    ObjectIndex next = ObjectIndex::kNull;
    for (std::uint32_t k = 0; k < opened.count; ++k) {
      const ObjectIndex child = target_at(view, opened.from, k);
      if (child == ObjectIndex::kNull) {
        continue;
      }
      ++references;
      const std::uint32_t code = code_of(view, child);
      if ((code & kCovered) == 0) {
        continue;
      }
      if ((code & kLeaf) != 0) {
        tally.objects += claim(view, child) ? 1 : 0;
      } else if (!is_marked_now(view, child)) {
        if (next != ObjectIndex::kNull) {
          return true;
        }
        next = child;
      }
    }
    tally.references += references;
    if (next == ObjectIndex::kNull || !flip(view, next)) {  // it was just seen unmarked
      return false;
    }
    ++tally.objects;
    ++tally.chased;
    object = next;
  }
  return true;
}

// Marks the object. True when it, or another at the end of a chain, has to be queued.
template <class View>
__device__ __forceinline__ bool visit(const View& view, ObjectIndex& object, std::uint32_t bound,
                                      Tally& tally) {
  const std::uint32_t code = code_of(view, object);
  if ((code & kCovered) == 0 || !claim(view, object)) {
    return false;
  }
  ++tally.objects;
  return (code & kLeaf) == 0 && chase(view, object, bound, tally);
}

// All lanes of a warp call it, once.
template <class View>
__device__ __forceinline__ void report(const View& view, const Tally& tally) {
  const std::uint32_t objects = device::warp_sum(tally.objects);
  const std::uint32_t references = device::warp_sum(tally.references);
  const std::uint32_t chased = device::warp_sum(tally.chased);
  if (threadIdx.x % 32 != 0) {
    return;
  }
  MarkCounters& counters = view.control->counters;
  if (objects != 0) {
    atomicAdd(&counters.objects, Count{objects});
  }
  if (references != 0) {
    atomicAdd(&counters.references, Count{references});
  }
  if (chased != 0) {
    atomicAdd(&counters.chased, Count{chased});
  }
}

}  // namespace tenure::kernels
