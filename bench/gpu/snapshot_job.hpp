// A marking over a snapshot of the edges, as the host launches it: plain C++, defined once by nvcc
// (snapshot.cu), and once by the emulator of the tests. As kernels/launch.hpp has it for the heap.
#pragma once

#include <cstdint>

#include "kernels/launch.hpp"
#include "kernels/mark_job.hpp"

namespace tenure::bench {

/// In a column, or a root: the object refers to nothing, and has no row.
inline constexpr std::uint32_t kLeafColumn = 1u << 31;

/// All pointers are device memory. Passed by value to every launch of a marking, unchanged.
struct SnapshotLaunch {
  const std::uint32_t* rows = nullptr;     // [row_count + 1], as EdgeSnapshot has them
  const std::uint32_t* columns = nullptr;  // [rows[row_count]]
  std::uint32_t* marks = nullptr;  // [mark_words(numbers)] a bit a number, clear before the roots
  std::uint32_t row_count = 1;
  std::uint32_t numbers = 1;
  const std::uint32_t* roots = nullptr;  // [root_count] columns; 0 and twins are allowed
  std::uint32_t root_count = 0;
  kernels::MarkWorkspace workspace;  // [workspace_bytes(queue_entries)], no more of it
  std::uint32_t blocks = 1;          // 1 to query_snapshot_grid().blocks
  kernels::MarkTuning tuning;        // nothing is contracted

  /// Why more than a bit a number: an overflow is looked for by 2 KiB of them.
  [[nodiscard]] static constexpr std::uint64_t mark_words(std::uint32_t numbers) {
    constexpr std::uint64_t kWords = kGranulesPerRegion / kGranulesPerMark / 32;
    return (numbers / 32 / kWords + 1) * kWords;
  }
  /// Counters, overflow bits, big objects and two queues: a table to contract with is not there.
  [[nodiscard]] static constexpr std::uint64_t workspace_bytes(std::uint32_t queue_entries) {
    using Workspace = kernels::MarkWorkspace;
    const std::uint64_t words = std::uint64_t{Workspace::kOverflowWords} +
                                Workspace::big_entries(queue_entries) +
                                std::uint64_t{2} * queue_entries;
    return Workspace::kControlBytes + words * sizeof(std::uint32_t);
  }
};

/// As query_mark_grid.
[[nodiscard]] kernels::MarkGrid query_snapshot_grid();

/// Empties the workspace, and marks and queues the roots.
[[nodiscard]] kernels::LaunchStatus launch_snapshot_roots(kernels::StreamHandle stream,
                                                          const SnapshotLaunch& launch);

/// Marks all that the roots reach, in one cooperative launch. Counters are at the workspace's start.
[[nodiscard]] kernels::LaunchStatus launch_snapshot_to_end(kernels::StreamHandle stream,
                                                           const SnapshotLaunch& launch);

}  // namespace tenure::bench
