// Arenas that kernels allocate from: a view passed to them by value, counters by size class, and a
// report that the host reads while they run. `arena.cuh` has what a kernel calls.
//
//   memory  [ allocated ......... | free ................. ]
//           0                    top                    capacity
//
// Invariant: nothing is freed by itself; going back to a mark, in stream order, frees all that was
// allocated since. A request that finds no room is refused and counted; nothing is ever written
// behind the end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

struct CUstream_st;  // what a cudaStream_t points to

namespace tenure::device {

/// What the 64-bit atomics of a device count in.
using Count = unsigned long long;

inline constexpr std::uint32_t kArenaAlignment = 16;  // bytes; what a lane moves at once
inline constexpr std::uint32_t kSizeClasses = 32;  // class k: 2^k bytes and more, less than 2^(k+1)
/// Copies of the counters, by block. Why: the warps of one device would queue up at one.
inline constexpr std::uint32_t kCounterShards = 32;

/// What was asked for in one size class. 32 bytes: the unit of an access.
struct ClassCounts {
  Count count = 0;     // allocations served
  Count bytes = 0;     // of them, as asked for
  Count failures = 0;  // allocations refused
  Count refused_bytes = 0;
};

/// An arena's state, in device memory. `reset_arena` readies it, whatever was in it.
struct ArenaState {
  Count top = 0;                       // may lie behind the end after a refusal: read it clamped
  Count top_peak = 0;                  // the highest that was left by a mark or a rewind
  Count released[kSizeClasses] = {};   // bytes freed by rewinds
  Count live_peak[kSizeClasses] = {};  // most bytes live at once, at a rewind or a report
  ClassCounts counts[kCounterShards][kSizeClasses] = {};
};

/// Where an arena stood, in device memory. Good until an earlier mark is rewound.
struct ArenaMark {
  Count top = 0;
  Count live[kSizeClasses] = {};
};

/// An arena as kernels see it. Owns nothing.
struct ArenaView {
  std::byte* memory = nullptr;  // [capacity], aligned to kArenaAlignment
  Count capacity = 0;           // bytes
  ArenaState* state = nullptr;
};

struct ClassReport {
  Count count = 0;
  Count bytes = 0;
  Count live_bytes = 0;
  Count live_peak_bytes = 0;
  Count failures = 0;
  Count refused_bytes = 0;
};

/// What the arena had counted when `publish_arena` ran. Lies in registered host memory, so that the
/// host reads it without asking the device.
struct ArenaReport {
  Count version = 0;  // odd while it is being written
  Count used = 0;     // bytes, padding included
  Count used_peak = 0;
  ClassReport classes[kSizeClasses] = {};
};

// Each enqueues one small kernel on `stream` and gives the value of its cudaError_t: 0, or why not.
// They neither allocate nor wait. Defined where the library is built with CUDA.

/// Empties the arena and forgets all counts.
[[nodiscard]] int reset_arena(CUstream_st* stream, const ArenaView& arena);
/// Notes where the arena stands. `mark` is device memory.
[[nodiscard]] int mark_arena(CUstream_st* stream, const ArenaView& arena, ArenaMark* mark);
/// Frees all that was allocated since the mark.
[[nodiscard]] int rewind_arena(CUstream_st* stream, const ArenaView& arena, const ArenaMark* mark);
/// Writes the report, as of the work before it on the stream.
///
/// report  as the device addresses it; zeroed before the first time; one stream at a time
[[nodiscard]] int publish_arena(CUstream_st* stream, const ArenaView& arena, ArenaReport* report);

/// The report as it stands; nothing where it is just being written. No call to the device.
[[nodiscard]] inline std::optional<ArenaReport> try_read(const ArenaReport& report) {
  constexpr std::size_t kWords = sizeof(ArenaReport) / sizeof(Count);
  const auto load = [&](std::size_t word) {
    // Why the cast: an atomic_ref of a const type cannot be made before C++26. Nothing is written.
    Count& place = const_cast<Count&>(reinterpret_cast<const Count*>(&report)[word]);
    return std::atomic_ref(place).load(std::memory_order_acquire);
  };
  const Count before = load(0);
  ArenaReport copy;
  for (std::size_t word = 1; word < kWords; ++word) {
    reinterpret_cast<Count*>(&copy)[word] = load(word);
  }
  copy.version = load(0);
  if (before % 2 != 0 || copy.version != before) {
    return std::nullopt;
  }
  return copy;
}

}  // namespace tenure::device
