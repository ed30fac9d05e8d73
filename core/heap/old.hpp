// The oldest generation's small objects: blocks of equal cells with a free list each, swept when a
// cell is next wanted. Objects move only in a compaction.
//
// Invariant: a free cell is in exactly one list, that of its block or that of the one cache that has
// taken the block. In a block that awaits its sweep only marked objects count.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/heap/block_space.hpp"
#include "core/heap/fragmentation.hpp"
#include "core/heap/object_access.hpp"
#include "core/memory/size_class.hpp"
#include "core/model/region.hpp"
#include "tenure/bytes.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// The blocks that one taker of cells works on: a copying worker's own, or the mutators' common one.
/// One block a class and content; its free list is here until it is given back.
struct CellCache {
  struct Slot {
    std::uint32_t block = 0;  // 0: none
    std::uint32_t head = 0;   // first free cell, a granule; 0: none
    std::uint32_t taken = 0;  // cells taken of it
  };
  std::array<std::array<Slot, 2>, kSizeClasses> slots;
};

/// threads  stopped world, or under the heap's lock
class Old {
 public:
  Old(BlockSpace& blocks, Cage& cage) : blocks_(blocks), cage_(cage) {}
  Old(const Old&) = delete;
  Old& operator=(const Old&) = delete;

  /// A cell for an object of `granules`, kLargestCell at most, or none. Its contents are stale.
  [[nodiscard]] ObjectIndex take(CellCache& cache, std::uint32_t granules, Content content) {
    const std::uint32_t size_class = size_class_of(granules);
    CellCache::Slot& slot = cache.slots[size_class][static_cast<std::size_t>(content)];
    if (slot.head == 0 && !refill(slot, size_class, content)) [[unlikely]] {
      return ObjectIndex::kNull;
    }
    return take_head(slot);
  }

  /// The same for an object that is there for good, whose cells are no others'. The cache is for such alone.
  [[nodiscard]] ObjectIndex take_permanent(CellCache& cache, std::uint32_t granules) {
    const std::uint32_t size_class = size_class_of(granules);
    CellCache::Slot& slot = cache.slots[size_class][0];
    if (slot.head == 0 && !refill(slot, size_class, Content::kPermanent)) {
      return ObjectIndex::kNull;
    }
    return take_head(slot);
  }

  /// The same of what the cache has, or none. Without the lock: the cache's owner.
  [[nodiscard]] static ObjectIndex take_cached(CellCache& cache, std::uint32_t granules,
                                               Content content) {
    CellCache::Slot& slot = cache.slots[size_class_of(granules)][static_cast<std::size_t>(content)];
    return slot.head == 0 ? ObjectIndex::kNull : take_head(slot);
  }

  /// Gives a cell just taken back, unused. Without the lock: the cache's owner.
  static void untake(CellCache& cache, ObjectIndex cell, std::uint32_t granules, Content content);

  /// Gives the cache's blocks back, with what is left of their lists.
  void flush(CellCache& cache);

  /// A marking ended: from now on only marked objects count, and no cell is taken from a block before
  /// its region was settled. Caches were flushed. In a stop; costs a flag a region.
  void begin_settling();
  /// Settles up to `regions` more: counts what lives in them, frees blocks without life, and leaves
  /// the others to be swept on demand.
  ///
  /// returns  bytes of cells that were in use and are not any more
  Bytes settle(std::size_t regions);
  /// The same for all of them.
  Bytes settle_marks();
  [[nodiscard]] bool is_settled() const { return unsettled_.empty(); }

  /// Sweeps up to `blocks` that still wait. True when none does.
  bool sweep(std::size_t blocks);
  /// Sweeps every block that still waits.
  void sweep_all() { sweep(std::numeric_limits<std::size_t>::max()); }

  // For a compaction: all is settled, caches were flushed.

  /// Calls `visit(block)` for each block with a free cell, but for those of permanent objects.
  template <class Visit>
  void for_each_partly_filled(Visit visit) const {
    for (const Lists* const lists : {&partial_, &unswept_}) {
      for (const auto& by_content : *lists) {
        for (const std::vector<std::uint32_t>& listed : by_content) {
          std::for_each(listed.begin(), listed.end(), visit);
        }
      }
    }
  }
  /// Also beside mutators, under the heap's lock; cells not settled do not count yet then.
  [[nodiscard]] Fragmentation fragmentation() const;
  /// Takes blocks with holes out of use: no cell is taken of them any more, and elsewhere cells are
  /// taken from the fullest block first.
  void withdraw(std::span<const std::uint32_t> blocks);
  /// A withdrawn block's objects have left it.
  void give_back_moved(std::uint32_t block);

  /// Bytes of the cells in use; those in caches count as unused until flushed.
  [[nodiscard]] Bytes used() const { return Bytes{used_granules_ * kGranuleBytes}; }

  /// Calls `visit(object)` for each object that counts. Caches were flushed.
  template <class Visit>
  void for_each_object(Visit visit) {
    blocks_.for_each_block([&](std::uint32_t block) {
      if (row(block).kind == BlockKind::kCells) {
        for_each_object_in(block, visit);
      }
    });
  }
  template <class Visit>
  void for_each_object_in(std::uint32_t block, Visit& visit) {
    const BlockRow& cells = row(block);
    const bool unswept = awaits_sweep(cage_.regions()[block / kBlocksPerRegion], cells);
    const std::uint32_t first = first_granule_of_block(block);
    for (std::uint32_t k = 0; k < cells_per_block(cells.cell); ++k) {
      const ObjectIndex object = object_on(first + k * cells.cell);
      const bool counts = unswept ? is_marked(cage_.marks(), object)
                                  : detail::header_of(object).type() != TypeId::kFreeCell;
      if (counts) {
        visit(object);
      }
    }
  }

 private:
  [[nodiscard]] BlockRow& row(std::uint32_t block) const { return cage_.blocks()[block]; }
  // A free cell's header names the next one.
  [[nodiscard]] static std::uint32_t next_free(std::uint32_t cell) {
    return detail::header_of(object_on(cell)).size;
  }
  [[nodiscard]] static ObjectIndex take_head(CellCache::Slot& slot) {
    const auto cell = static_cast<ObjectIndex>(slot.head);
    slot.head = next_free(slot.head);
    ++slot.taken;
    return cell;
  }
  static void link_free(std::uint32_t cell, std::uint32_t next);

  [[nodiscard]] bool refill(CellCache::Slot& slot, std::uint32_t size_class, Content content);
  void put_back(CellCache::Slot& slot);
  [[nodiscard]] bool open_fresh(CellCache::Slot& slot, std::uint32_t size_class, Content content);
  Bytes settle_region(std::uint32_t region);
  void settle_block(std::uint32_t block);
  void sweep_block(std::uint32_t block);
  [[nodiscard]] std::uint32_t count_marked(std::uint32_t block) const;

  using Lists = std::array<std::array<std::vector<std::uint32_t>, 2>, kSizeClasses>;

  BlockSpace& blocks_;
  Cage& cage_;
  // Where blocks with a free cell are listed, swept and not.
  [[nodiscard]] std::vector<std::uint32_t>& partial(std::uint32_t size_class, Content content) {
    return content == Content::kPermanent ? permanent_[size_class][0]
                                          : partial_[size_class][static_cast<std::size_t>(content)];
  }
  [[nodiscard]] std::vector<std::uint32_t>& unswept(std::uint32_t size_class, Content content) {
    return content == Content::kPermanent ? permanent_[size_class][1]
                                          : unswept_[size_class][static_cast<std::size_t>(content)];
  }

  Lists partial_;  // blocks with a free cell, swept, in no cache
  Lists unswept_;
  Lists permanent_;                       // of permanent objects, likewise: swept, and not
  std::vector<std::uint32_t> unsettled_;  // regions; some may have been settled or given back since
  std::uint64_t used_granules_ = 0;
};

}  // namespace tenure
