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

  /// Sends objects for a kernel to take as roots.
  [[nodiscard]] Result<void> send_roots(std::span<const ObjectIndex> roots);

  /// What kernels are told: the copy, the roots sent last, room to work in.
  [[nodiscard]] kernels::MarkLaunch launch() const;

  /// The counters that a marking left. The host waits for the stream.
  [[nodiscard]] Result<kernels::MarkCounters> counters();

  /// Writes the bits of the regions covered into the host's bitmap. The host waits for the stream.
  [[nodiscard]] Result<void> bring_bits_home(const HeapView& heap);

  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] const MirrorTraffic& traffic() const { return traffic_; }  // since `update` began
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

  void survey(const MarkJob& job);
  template <class Wanted>
  [[nodiscard]] std::vector<Run> runs_of(Wanted wanted) const;
  [[nodiscard]] Result<void> make_room(const MarkJob& job);
  [[nodiscard]] Result<void> send_tables(const MarkJob& job);
  [[nodiscard]] Result<void> send_regions(const HeapView& heap);
  [[nodiscard]] Result<void> send_cards(const HeapView& heap, std::span<const std::uint32_t> cards);
  [[nodiscard]] Result<void> send_some_cards(const HeapView& heap,
                                             std::span<const std::uint32_t> cards);
  [[nodiscard]] Result<void> send(std::byte* to, const void* from, std::uint64_t bytes,
                                  Bytes& counted);
  void copy_by_team(std::byte* to, const std::byte* from, std::uint64_t bytes);

  Team& team_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<MirrorRange> words_;
  DeviceBlock marks_;      // a bit for two granules
  DeviceBlock regions_;    // RegionRow a region
  DeviceBlock blocks_;     // BlockRow a block
  DeviceBlock types_;      // TypeRow a type
  DeviceBlock roots_;      // ObjectIndex each
  DeviceBlock workspace_;  // kernels::MarkWorkspace
  std::uint32_t root_count_ = 0;
  std::uint32_t queue_entries_ = 0;
  kernels::DeviceHeap heap_;

  const std::uint32_t* original_ = nullptr;  // words of the heap that was copied last
  std::vector<Part> parts_;                  // [regions up to the last one covered]
  std::vector<std::uint32_t> sent_;          // a bit a region: its words were copied once
  MirrorTraffic traffic_;
};

}  // namespace tenure
