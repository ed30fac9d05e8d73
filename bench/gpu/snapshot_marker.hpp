// A marker over a snapshot of the edges: the host walks the heap, rows and columns are shipped as the
// walk goes on, kernels mark, the bits come home and are translated. For measuring against the heap's
// copy, so a call that fails ends the section.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bench/gpu/device.hpp"
#include "bench/gpu/edge_snapshot.hpp"
#include "bench/gpu/snapshot_job.hpp"
#include "core/base/team.hpp"
#include "core/model/marker.hpp"

namespace tenure::bench {

/// What the last marking was like.
struct SnapshotFigures {
  double ship_s = 0;  // the walk, with the copies that went beside it, and those behind it
  double mark_s = 0;  // from the roots until the counters were home
  double home_s = 0;  // bits home, and translated
  std::uint64_t row_bytes = 0;     // shipped
  std::uint64_t column_bytes = 0;  // shipped
  std::uint64_t home_bytes = 0;
  kernels::MarkCounters counters;
};

/// threads  one at a time
class SnapshotMarker final : public Marker {
 public:
  // Words that are copied at once beside a walk: 4 MiB, as the heap's copy is sent by.
  static constexpr std::uint64_t kCopyWords = std::uint64_t{1} << 20;

  /// team        shares the host's part; outlives this, and nobody else runs it meanwhile
  /// copy_words  of rows or columns, that a copy beside a walk has at the least
  explicit SnapshotMarker(Team& team, std::uint64_t copy_words = kCopyWords);
  ~SnapshotMarker() override;

  /// Whether the device launches grids that can wait for themselves: else it cannot mark.
  [[nodiscard]] bool can_mark() const { return grid_.is_cooperative; }

  /// Walks and ships all of the heap, unless `job.written` says that nothing was written.
  ///
  /// Why all of it: where a hundredth of the cards is written, spread evenly, 99 regions of 100 have one,
  /// and the places of all rows and columns behind the first that grew are others.
  void begin(const MarkJob& job) override;
  /// Marks all there is to mark.
  bool advance(std::uint64_t budget) override;
  /// Throws: roots given late are not measured.
  void add(std::span<const ObjectIndex> objects) override;
  MarkStats complete() override;

  [[nodiscard]] const SnapshotFigures& figures() const { return figures_; }
  [[nodiscard]] const EdgeSnapshot& snapshot() const { return snapshot_; }
  /// Of rows, columns, bits, roots and workspace.
  [[nodiscard]] std::uint64_t device_bytes() const;

  /// Seconds for the walk alone, and for the copies alone, of what is there.
  [[nodiscard]] double time_walk();
  [[nodiscard]] double time_copies();

 private:
  // An array on the device, and the host's pages that it is filled from, page-locked.
  struct Shipped {
    std::unique_ptr<DeviceArray<std::uint32_t>> there;
    const std::uint32_t* here = nullptr;
    std::uint64_t room = 0;    // words, on both sides
    std::uint64_t copied = 0;  // words of the walk's that were put on the stream
    std::uint64_t sent = 0;    // words put there for it in all
  };

  void ship();
  void copy_up_to(Shipped& part, std::uint64_t end, std::uint64_t least);
  void make_room(Shipped& part, std::span<const std::uint32_t> words);
  void make_room_for_marking();
  void mark();
  void bring_home();
  static void unlock(Shipped& part);

  kernels::MarkGrid grid_;
  std::uint64_t copy_words_;
  EdgeSnapshot snapshot_;
  cudaStream_t stream_ = nullptr;
  Shipped rows_;
  Shipped columns_;
  std::unique_ptr<DeviceArray<std::uint32_t>> marks_;
  std::unique_ptr<DeviceArray<std::uint32_t>> roots_;
  std::unique_ptr<DeviceArray<std::byte>> workspace_;
  std::unique_ptr<LockedBytes> home_;  // counters, then the bits
  std::uint32_t queue_entries_ = 0;
  bool is_there_ = false;   // the heap was shipped
  bool is_marked_ = false;  // since `begin`
  MarkJob job_;
  SnapshotFigures figures_;
};

}  // namespace tenure::bench
