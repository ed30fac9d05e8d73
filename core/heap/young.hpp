// The generations that are evacuated: the nursery that mutators' buffers are cut from, and the bump
// regions that survivors are copied to.
//
// Invariant: in a stop every region here can be walked from its start to its top, object by object;
// what no object uses is filler. A region that holds an object which could not move is held back:
// it keeps its generation, and no buffer is cut from it until it was evacuated.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/heap/region_source.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// Granules [first, limit), for one mutator.
struct BufferRun {
  std::uint32_t first = 0;
  std::uint32_t limit = 0;
};

class Young {
 public:
  /// What a buffer is cut to, unless an object asks for more: 32 KiB. It divides a region, so that
  /// no buffer lies in two.
  static constexpr std::uint32_t kBufferGranules = 4096;
  static_assert(kGranulesPerRegion % kBufferGranules == 0);

  explicit Young(RegionSource& source) : source_(source) {}
  Young(const Young&) = delete;
  Young& operator=(const Young&) = delete;
  ~Young();

  /// Reserves the nursery at its largest, and commits what is used of it.
  ///
  /// nursery     used before it is collected; rounded up to regions
  /// reserve     its largest ever
  /// errors      kOutOfMemory
  [[nodiscard]] Result<void> open(Bytes nursery, Bytes reserve);

  /// Uses another size from the next collection on, up to what was reserved.
  void resize_nursery(Bytes nursery);

  /// A fresh buffer for at least `granules`, its bytes zero, or none: the nursery is used up.
  ///
  /// threads  anyone
  [[nodiscard]] std::optional<BufferRun> take_buffer(std::uint32_t granules);

  [[nodiscard]] RegionRun nursery() const { return nursery_; }
  [[nodiscard]] bool is_in_nursery(ObjectIndex object) const {
    return static_cast<std::uint32_t>(object) / kGranulesPerRegion - nursery_.first <
           nursery_.count;
  }
  /// Bytes handed out as buffers since the last collection, and held back.
  [[nodiscard]] Bytes nursery_used() const;
  [[nodiscard]] Bytes nursery_size() const;
  /// Bytes up to the top of a generation's regions; the nursery counts to generation 0.
  [[nodiscard]] Bytes used(std::uint32_t generation) const;

  // The rest: stopped world.

  /// Marks the regions of generations 0 to `last` condemned.
  void condemn(std::uint32_t last);

  /// Room for a survivor in `generation`, or none: the object stays where it is.
  [[nodiscard]] ObjectIndex take_for_survivor(std::uint32_t generation, std::uint32_t granules);

  /// Says that the region of `object` has an object that stayed.
  void hold_back(ObjectIndex object);

  /// Gives the condemned regions back, but for those held back, which `clean` makes walkable.
  template <class Clean>
  void finish(Clean clean) {
    for (const std::uint32_t region : condemned_) {
      if ((row(region).flags & RegionRow::kHeld) != 0) {
        clean(region);
      }
    }
    give_back_condemned();
  }

  /// Calls `visit(region)` for each region in use, the nursery's included.
  template <class Visit>
  void for_each_region(Visit visit) const {
    for (std::uint32_t region = nursery_.first; region < nursery_.first + nursery_.count;
         ++region) {
      if (row(region).top > 0) {
        visit(region);
      }
    }
    for (const std::vector<std::uint32_t>& regions : survivors_) {
      for (const std::uint32_t region : regions) {
        visit(region);
      }
    }
  }

 private:
  static constexpr std::uint32_t kNoRegion = 0;

  [[nodiscard]] RegionRow& row(std::uint32_t region) const {
    return source_.cage().regions()[region];
  }
  void give_back_condemned();
  void settle_size(const std::scoped_lock<std::mutex>&);
  void note_start(std::uint32_t granule);

  RegionSource& source_;
  mutable std::mutex mutex_;  // of the nursery's cursor
  RegionRun nursery_;         // reserved
  std::uint32_t in_use_ = 0;  // regions of it that buffers may be cut from; guarded by mutex_
  std::uint32_t wanted_ = 0;  // the same, after the next collection; guarded by mutex_
  std::uint32_t cursor_ = 0;  // granule; buffers are cut from here on; guarded by mutex_
  std::uint32_t held_ = 0;    // regions of the nursery that are held back
  std::array<std::vector<std::uint32_t>, kMaxGenerations> survivors_;  // regions by generation
  std::array<std::uint32_t, kMaxGenerations> open_{};  // that survivors go to; kNoRegion: none
  std::vector<std::uint32_t> condemned_;               // regions
};

}  // namespace tenure
