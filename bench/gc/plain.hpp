// The programs over bare pointers: for malloc and mimalloc, which free what they drop, and for bdwgc,
// which finds it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bench/gc/sizes.hpp"

namespace tenure::bench {

/// threads  the main thread: its stack is where bdwgc looks for roots
struct PlainHeap {
  void* (*allocate)(std::size_t size) = nullptr;
  void* (*allocate_leaf)(std::size_t size) = nullptr;  // holds no pointer
  void (*free)(void* block) = nullptr;                 // null where nothing is freed by hand
  void (*collect)() = nullptr;                         // null likewise
};

/// Runs a program once.
///
/// returns  a sum over what it made, the same for every side
/// throws   std::bad_alloc: the heap found no room; what was made is left to it
[[nodiscard]] std::uint64_t run_plain(const PlainHeap& heap, GcProgram program,
                                      const GcSizes& sizes);

}  // namespace tenure::bench
