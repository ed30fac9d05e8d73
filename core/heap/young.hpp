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
#include <span>
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

/// One copying worker's room in one generation: what is left of a region, which nobody else fills.
struct SurvivorRoom {
  static constexpr std::uint32_t kNoCard = 0xFFFFFFFF;

  std::uint32_t next = 0;  // granules [next, limit)
  std::uint32_t limit = 0;
  std::uint32_t card = kNoCard;  // where an object last started
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

  /// Uses another size, up to what was reserved: from the next collection on, or at once while nothing
  /// was allocated.
  void resize_nursery(Bytes nursery);

  /// A fresh buffer for at least `granules`, its bytes stale, or none: the nursery is used up.
  ///
  /// threads  anyone
  [[nodiscard]] std::optional<BufferRun> take_buffer(std::uint32_t granules);

  /// Whether buffers are cut from later regions already, and so no more from this one. Stopped world.
  [[nodiscard]] bool has_cut_beyond(std::uint32_t region) const {
    return cursor_ > first_granule_of_region(region + 1);
  }

  [[nodiscard]] RegionRun nursery() const { return nursery_; }
  [[nodiscard]] bool is_in_nursery(ObjectIndex object) const {
    return static_cast<std::uint32_t>(object) / kGranulesPerRegion - nursery_.first <
           nursery_.count;
  }
  /// Bytes handed out as buffers since the last collection, and held back.
  ///
  /// cost   a look at each of its regions
  [[nodiscard]] Bytes nursery_used() const;
  /// Whether no buffer can be cut before the next collection, as each region is held back.
  [[nodiscard]] bool is_blocked() const;
  [[nodiscard]] Bytes nursery_size() const;
  /// Bytes up to the top of a generation's regions; the nursery counts to generation 0.
  [[nodiscard]] Bytes used(std::uint32_t generation) const;

  // The rest: stopped world.

  /// Marks the regions of generations 0 to `last` condemned.
  void condemn(std::uint32_t last);

  /// Marks these regions condemned, and no others: each is held back.
  void condemn_held(std::span<const std::uint32_t> regions);

  /// Room for a survivor in `generation`, or none: the object stays where it is. The room's owner;
  /// takes a lock for a fresh region.
  [[nodiscard]] ObjectIndex take_for_survivor(SurvivorRoom& room, std::uint32_t generation,
                                              std::uint32_t granules) {
    if (granules > room.limit - room.next) [[unlikely]] {
      if (!refill(room, generation, granules)) {
        return ObjectIndex::kNull;
      }
    }
    const std::uint32_t at = room.next;
    room.next += granules;
    if (card_of(at) != room.card) {
      note_start(room, at);
    }
    return static_cast<ObjectIndex>(at);
  }
  /// Gives back what is left of the room, for the next worker or collection.
  void close(SurvivorRoom& room, std::uint32_t generation);

  /// Says that the region holds an object that stayed.
  void hold_back(std::uint32_t region) { row(region).flags |= RegionRow::kHeld; }

  /// Whether no buffer is cut from what is in use of the region: it is not the nursery's, or held
  /// back, or was cut from since the last collection.
  [[nodiscard]] bool keeps(std::uint32_t region) const;

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
  [[nodiscard]] RegionRow& row(std::uint32_t region) const {
    return source_.cage().regions()[region];
  }
  void give_back_condemned();
  void settle_size(const std::scoped_lock<std::mutex>&);
  [[nodiscard]] std::uint32_t held_in(std::uint32_t first, std::uint32_t count) const;
  [[nodiscard]] bool refill(SurvivorRoom& room, std::uint32_t generation, std::uint32_t granules);
  void publish_top(const SurvivorRoom& room);
  void note_start(SurvivorRoom& room, std::uint32_t granule);

  RegionSource& source_;
  mutable std::mutex mutex_;   // of the nursery's cursor, and of the survivors' regions
  RegionRun nursery_;          // reserved
  std::uint32_t in_use_ = 0;   // regions of it that buffers may be cut from; guarded by mutex_
  std::uint32_t wanted_ = 0;   // the same, after the next collection; guarded by mutex_
  std::uint32_t counted_ = 0;  // in use, or behind that and held back; guarded by mutex_
  std::uint32_t cursor_ = 0;   // granule; buffers are cut from here on; guarded by mutex_
  std::array<std::vector<std::uint32_t>, kMaxGenerations> survivors_;  // regions by generation
  std::array<std::vector<std::uint32_t>, kMaxGenerations> open_;  // those with room, in no worker's
  std::vector<std::uint32_t> condemned_;                          // regions
};

}  // namespace tenure
