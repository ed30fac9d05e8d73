// The heap's copy on a device, at the same offsets as the original: words of the regions that hold
// references, the rows that say what lies where, and a bitmap of the device's own.
//
//   host     cage  [ nursery | A refs | B leaves | C refs | free ... ]       rows, types
//                              |                   |   cards written            |
//   device   range [         | A refs |          | C refs |        ]         rows, types, bits
//                  memory only where a region holds references, at 2 MiB or so
//
// It lives from marking to marking: of a region that was copied before, only cards that were written
// since are sent again. Leaf regions are never copied; the law reads none of their objects.
//
// What it lacks can be sent beside mutators, in rounds: a stop notes it, and what is written while it is
// sent is noted by the next. A word that changes as it is read is on a card of that next round.
//
// Where the device reads the host's memory through the host's own page tables there is no copy: kernels
// read the heap where it lies, and rows and bits alone are sent.
//
// Invariant: after an `update` that succeeded, and what it put on the stream is done, every word that
// a marker may read is as it was on the host at that call. After one that failed, nothing is promised,
// and the mirror is to be dropped.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/team.hpp"
#include "core/model/marker.hpp"
#include "cuda/device_block.hpp"
#include "cuda/mirror_range.hpp"
#include "cuda/staging.hpp"
#include "kernels/mark_job.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Bytes over the link, for one marking.
struct MirrorTraffic {
  Bytes beside{};  // of bulk and cards, while mutators ran
  Bytes bulk{};    // words of whole regions
  Bytes cards{};   // words of cards written since the last marking, and their numbers
  Bytes tables{};  // rows of regions, blocks and types
  Bytes roots{};
  Bytes home{};  // mark bits and counters

  [[nodiscard]] Bytes to_device() const { return bulk + cards + tables + roots; }
};

/// threads  one at a time, any; its device is the current one of the calling thread
class Mirror {
 public:
  /// team     shares the host's part of copies; outlives the mirror, and nobody else runs it meanwhile
  /// errors   kUnsupported: no mapping of memory; kOutOfMemory; kDeviceRefused; kDeviceLost
  [[nodiscard]] static Result<std::unique_ptr<Mirror>> open(int device, Team& team);
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  /// Waits for what is on its stream.
  ~Mirror();

  /// Has the copy be as the original is, and clears its mark bits. The words may change once it
  /// returned; the stream goes on with what was gathered.
  ///
  /// cost     O(regions), the words sent, and 10 us or so a run of them
  /// errors   kOutOfMemory, kDeviceRefused, kDeviceLost
  [[nodiscard]] Result<void> update(const MarkJob& job);

  /// Takes note of what the copy lacks: regions that were never sent, cards written since. Stopped
  /// world; what is noted is sent by `send_some`, or by the next `update`.
  void note(const MarkJob& job);
  /// What was noted and not sent.
  [[nodiscard]] Bytes due() const;
  /// Sends about 256 KiB of it, beside running mutators.
  ///
  /// returns  whether all is sent
  /// errors   as `update`
  [[nodiscard]] Result<bool> send_some();

  /// Sends objects for a kernel to take as roots.
  [[nodiscard]] Result<void> send_roots(std::span<const ObjectIndex> roots);

  /// What kernels are told: the copy, the roots sent last, room to work in.
  [[nodiscard]] kernels::MarkLaunch launch() const;

  /// The counters that a marking left. The host waits for the stream.
  [[nodiscard]] Result<kernels::MarkCounters> counters();

  /// Writes the bits of the regions covered into the host's bitmap. The host waits for the stream.
  [[nodiscard]] Result<void> bring_bits_home(const HeapView& heap);
  /// The same in pieces, beside running mutators: so far as `next_bits` says, which begins at 0.
  ///
  /// returns  whether all are home
  [[nodiscard]] Result<bool> bring_some_bits_home(const HeapView& heap, std::uint64_t& next_bits);

  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  /// Since the `note` that began it, or the `update`.
  [[nodiscard]] const MirrorTraffic& traffic() const { return traffic_; }
  void forget_traffic() { traffic_ = {}; }
  /// Whether kernels read the heap where it lies: what they see is not as it was at the last `update`.
  [[nodiscard]] bool shares_memory() const { return shares_memory_; }
  /// Of the device's memory, staging left out.
  [[nodiscard]] Bytes device_bytes() const;

 private:
  // What the marking under way has with a region.
  enum class Part : std::uint8_t { kNone, kTail, kLeaf, kReferences };
  struct Run {
    std::uint32_t first;
    std::uint32_t count;
  };

  explicit Mirror(Team& team) : team_(team) {}
  [[nodiscard]] Result<void> open_parts(int device);

  // Bits of a run of regions, as bytes of the bitmap.
  struct Piece {
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  enum class Covers : std::uint8_t { kMarked, kOld };
  void survey(const MarkJob& job, Covers covers);
  void note(const MarkJob& job, Covers covers);
  [[nodiscard]] std::vector<Piece> pieces_home(std::uint64_t most) const;
  [[nodiscard]] Result<void> send_region_beside(std::uint32_t region);
  // Of the regions surveyed, those that are wanted, as runs.
  template <class Wanted>
  [[nodiscard]] std::vector<Run> runs_of(Wanted wanted) const {
    std::vector<Run> runs;
    const auto end = static_cast<std::uint32_t>(parts_.size());
    for (std::uint32_t region = 0; region < end; ++region) {
      if (!wanted(region)) {
        continue;
      }
      if (!runs.empty() && runs.back().first + runs.back().count == region) {
        ++runs.back().count;
      } else {
        runs.push_back({region, 1});
      }
    }
    return runs;
  }
  [[nodiscard]] Result<void> make_room();
  [[nodiscard]] Result<void> make_room_for_tables();
  [[nodiscard]] Result<void> send_tables(const MarkJob& job);
  [[nodiscard]] Result<void> send_regions(const HeapView& heap);
  [[nodiscard]] Result<void> send_cards();
  template <class Gather>
  [[nodiscard]] Result<void> send_some_cards(std::span<const std::uint32_t> cards, Gather gather);
  [[nodiscard]] Result<void> send_cards_beside(std::span<const std::uint32_t> cards);
  void gather_by_team(std::byte* to, std::span<const std::uint32_t> cards);
  [[nodiscard]] Result<void> send(std::byte* to, const void* from, std::uint64_t bytes,
                                  Bytes& counted);
  void copy_by_team(std::byte* to, const std::byte* from, std::uint64_t bytes);

  [[nodiscard]] const std::byte* word_at(std::uint64_t offset) const {
    return reinterpret_cast<const std::byte*>(original_) + offset;
  }

  Team& team_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<Staging> staging_;
  bool shares_memory_ = false;
  std::unique_ptr<MirrorRange> words_;  // null where memory is shared
  DeviceBlock marks_;                   // a bit for two granules
  DeviceBlock regions_;                 // RegionRow a region
  DeviceBlock blocks_;                  // BlockRow a block
  DeviceBlock types_;                   // TypeRow a type
  DeviceBlock roots_;                   // ObjectIndex each
  DeviceBlock workspace_;               // kernels::MarkWorkspace
  std::uint32_t root_count_ = 0;
  std::uint32_t queue_entries_ = 0;
  kernels::DeviceHeap heap_;

  const std::uint32_t* original_ = nullptr;  // words of the heap that was copied last
  std::vector<Part> parts_;                  // [regions up to the last one covered]
  std::vector<std::uint32_t> sent_;          // a bit a region: its words were copied once
  std::vector<std::uint32_t> due_;           // cards of regions that were sent; each once
  std::uint32_t next_region_ = 0;            // `send_some` has sent those before it
  std::uint32_t type_count_ = 0;             // rows that the survey's objects use
  bool has_room_ = false;                    // for what was surveyed
  MirrorTraffic traffic_;
};

}  // namespace tenure
