// The door between cuda/ and the kernels: plain C++, no header and no syntax of the toolkit. Defined
// once by nvcc (kernels/*.cu), and once by the emulator of the tests (tests/simt).
//
// Invariant: no function here allocates or waits. Each enqueues its kernels on `stream`, in order,
// and says at once whether the runtime took them; what a kernel meets later, the stream's next
// synchronising call says. Nothing is kept between calls, so that any thread may call, for any
// device: the current one.
//
// A marking, by the host, all on one stream:
//   1  the view's tables, words and roots are on the device; the mark bits of covered regions clear
//   2  launch_mark_roots
//   3  launch_mark_to_end, where MarkGrid::is_cooperative; else launch_mark_levels, the counters
//      copied home, and again while `left` is not 0
//   4  MarkCounters copied home from the workspace's start; launch_live where counts are wanted;
//      the mark bits copied home
// Further roots: launch_mark_roots and 3 once more, on the same bits. Counters begin anew.
#pragma once

#include <cstdint>

#include "kernels/mark_job.hpp"

struct CUstream_st;  // what a cudaStream_t points to

namespace tenure::kernels {

/// A cudaStream_t; null is the default stream.
using StreamHandle = CUstream_st*;

/// What the runtime said of a launch: the value of its cudaError_t. No error of ours stays behind
/// for cudaGetLastError.
enum class LaunchStatus : int { kOk = 0 };

/// How wide a marking may be on the current device.
struct MarkGrid {
  LaunchStatus status = LaunchStatus::kOk;  // else the rest says nothing
  bool is_cooperative = false;              // a whole grid can wait for itself
  std::uint32_t processors = 0;             // multiprocessors
  std::uint32_t blocks = 0;                 // resident at once; more would deadlock step 3
};

/// Asks the runtime. Costs some ten microseconds: once a device is enough.
[[nodiscard]] MarkGrid query_mark_grid();

/// Empties the workspace, whatever is in it, sums up the region rows, and marks and queues the
/// roots.
[[nodiscard]] LaunchStatus launch_mark_roots(StreamHandle stream, const MarkLaunch& launch);

/// Marks all that the roots reach, level by level and with long chains contracted, in one cooperative
/// launch. `left` is 0 after it.
///
/// launch  as it was for the roots; `blocks` at most MarkGrid::blocks
[[nodiscard]] LaunchStatus launch_mark_to_end(StreamHandle stream, const MarkLaunch& launch);

/// Marks at most `levels` further levels, three launches a level, for devices that cannot launch
/// cooperatively or are shared. Levels past the end cost empty launches only.
[[nodiscard]] LaunchStatus launch_mark_levels(StreamHandle stream, const MarkLaunch& launch,
                                              std::uint32_t levels);

/// Copies staged cards to their places: card k of the staging replaces card `cards[k]` of the words.
///
/// words   the copy's, as HeapView::words; 16-byte aligned
/// staged  [count * kCardBytes], 16-byte aligned; device memory, or registered host memory
/// cards   [count] numbers in the cage, none twice; same choice
[[nodiscard]] LaunchStatus launch_apply_cards(StreamHandle stream, std::uint32_t* words,
                                              const std::uint32_t* staged,
                                              const std::uint32_t* cards, std::uint32_t count);

/// What lives, by the mark bits, one row for each region covered; other rows become 0.
///
/// regions  [heap.regions]
/// blocks   [heap.regions * kBlocksPerRegion] marked objects that start in each block, or null
[[nodiscard]] LaunchStatus launch_live(StreamHandle stream, const DeviceHeap& heap,
                                       RegionLive* regions, std::uint16_t* blocks);

}  // namespace tenure::kernels
