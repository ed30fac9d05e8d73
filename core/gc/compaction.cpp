#include "core/gc/compaction.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/bitmap.hpp"
#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {

// What a choice weighs: a region, or a block.
struct Sparse {
  std::uint32_t place = 0;
  std::uint32_t live = 0;  // granules
};

bool is_sparser(const Sparse& a, const Sparse& b) {
  return a.live != b.live ? a.live < b.live : a.place < b.place;
}

// Whether what leaves some blocks fits into others: holes of its size class first, then free blocks.
class Room {
 public:
  void add_block(const BlockRow& block) { of(block).holes += free_cells(block); }
  void add_free_blocks(std::uint32_t content, std::uint32_t count) { blocks_[content] += count; }

  // The block's own holes count no more, and its objects want others.
  void leave(const BlockRow& block) {
    of(block).holes -= free_cells(block);
    of(block).wanted += block.used;
  }
  void stay(const BlockRow& block) {
    of(block).holes += free_cells(block);
    of(block).wanted -= block.used;
  }
  void leave_free_blocks(std::uint32_t content, std::uint32_t count) { blocks_[content] -= count; }
  void stay_free_blocks(std::uint32_t content, std::uint32_t count) { blocks_[content] += count; }

  // By holes and free blocks together.
  [[nodiscard]] bool suffices(std::uint32_t content) const {
    std::int64_t needed = 0;
    for (std::uint32_t size_class = 0; size_class < kSizeClasses; ++size_class) {
      const Cells& cells = cells_[size_class][content];
      const std::int64_t a_block = cells_per_block(kCellSizes[size_class]);
      needed += std::max(std::int64_t{0}, cells.wanted - cells.holes + a_block - 1) / a_block;
    }
    return needed <= blocks_[content];
  }
  // By the holes of the block's own class alone.
  [[nodiscard]] bool has_holes(const BlockRow& block) {
    return of(block).wanted + block.used <= of(block).holes - free_cells(block);
  }

  [[nodiscard]] static std::uint32_t content_of(const BlockRow& block) {
    return block.flags & BlockRow::kLeaf;
  }

 private:
  struct Cells {
    std::int64_t holes = 0;   // of blocks that stay
    std::int64_t wanted = 0;  // by what leaves the others
  };
  [[nodiscard]] static std::int64_t free_cells(const BlockRow& block) {
    return std::int64_t{cells_per_block(block.cell)} - block.used;
  }
  [[nodiscard]] Cells& of(const BlockRow& block) {
    return cells_[block.size_class][content_of(block)];
  }

  std::array<std::array<Cells, 2>, kSizeClasses> cells_{};
  std::array<std::int64_t, 2> blocks_{};  // free, in regions that stay
};

// Which blocks are emptied: those of the sparsest regions, so that whole regions go back; then, of
// the regions that stay, the sparsest blocks. None with something pinned.
class Choice {
 public:
  explicit Choice(Heap& heap)
      : heap_(heap), regions_(heap.cage().regions()), blocks_(heap.cage().blocks()) {
    heap.roots().pins().for_each([this](ObjectIndex object) { pinned_.insert(block_of(object)); });
    heap.old().for_each_partly_filled([this](std::uint32_t block) {
      if (!pinned_.contains(block)) {
        movable_.add(blocks_[block]);
      }
    });
  }

  // Of the blocks that could be emptied.
  [[nodiscard]] Fragmentation fragmentation() const { return movable_.total(); }

  // By address: what was made side by side stays so.
  [[nodiscard]] std::vector<std::uint32_t> choose(Bytes most) {
    look_around();
    left_ = most;
    choose_regions();
    choose_blocks();
    std::sort(chosen_.begin(), chosen_.end());
    return std::move(chosen_);
  }
  [[nodiscard]] const std::vector<std::uint32_t>& chosen_regions() const { return emptied_; }

 private:
  template <class Visit>
  void for_each_cells(std::uint32_t region, Visit visit) const {
    const std::uint32_t first = region * kBlocksPerRegion;
    for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
      if (blocks_[block].kind == BlockKind::kCells) {
        visit(block);
      }
    }
  }
  [[nodiscard]] std::uint32_t free_blocks(std::uint32_t region) const {
    return static_cast<std::uint32_t>(std::popcount(regions_[region].top));
  }
  [[nodiscard]] std::uint32_t live_in(std::uint32_t block) const {
    return std::uint32_t{blocks_[block].used} * blocks_[block].cell;
  }

  void look_around() {
    for (const std::uint32_t region : heap_.blocks().regions()) {
      if (heap_.blocks().is_permanent(region)) {
        continue;  // nothing moves there, or from elsewhere to it
      }
      Sparse sparse{region, 0};
      std::uint32_t known = free_blocks(region);
      for_each_cells(region, [&](std::uint32_t block) {
        room_.add_block(blocks_[block]);
        sparse.live += live_in(block);
        ++known;
      });
      room_.add_free_blocks(regions_[region].leaf, free_blocks(region));
      const bool has_runs = known < kBlocksPerRegion;
      if (!has_runs && regions_[region].pins == 0) {
        sparse_regions_.push_back(sparse);
      }
    }
  }

  void choose_regions() {
    std::sort(sparse_regions_.begin(), sparse_regions_.end(), is_sparser);
    for (const Sparse& sparse : sparse_regions_) {
      const Bytes live{std::uint64_t{sparse.live} * kGranuleBytes};
      if (live > left_) {
        return;
      }
      if (try_to_empty(sparse.place)) {
        left_ -= live;
      }
    }
  }
  bool try_to_empty(std::uint32_t region) {
    const std::uint32_t content = regions_[region].leaf;
    room_.leave_free_blocks(content, free_blocks(region));
    for_each_cells(region, [this](std::uint32_t block) { room_.leave(blocks_[block]); });
    if (!room_.suffices(content)) {
      for_each_cells(region, [this](std::uint32_t block) { room_.stay(blocks_[block]); });
      room_.stay_free_blocks(content, free_blocks(region));
      return false;
    }
    for_each_cells(region, [this](std::uint32_t block) { chosen_.push_back(block); });
    emptied_.push_back(region);
    return true;
  }

  void choose_blocks() {
    const std::unordered_set<std::uint32_t> emptied(emptied_.begin(), emptied_.end());
    std::vector<Sparse> sparse_blocks;
    heap_.old().for_each_partly_filled([&](std::uint32_t block) {
      if (!pinned_.contains(block) && !emptied.contains(block / kBlocksPerRegion)) {
        sparse_blocks.push_back({block, live_in(block)});
      }
    });
    std::sort(sparse_blocks.begin(), sparse_blocks.end(), is_sparser);
    for (const Sparse& sparse : sparse_blocks) {
      const Bytes live{std::uint64_t{sparse.live} * kGranuleBytes};
      if (live > left_) {
        return;
      }
      if (room_.has_holes(blocks_[sparse.place])) {
        room_.leave(blocks_[sparse.place]);
        chosen_.push_back(sparse.place);
        left_ -= live;
      }
    }
  }

  Heap& heap_;
  const RegionRow* regions_;
  const BlockRow* blocks_;
  std::unordered_set<std::uint32_t> pinned_;  // blocks
  FragmentationCount movable_;
  Room room_;
  Bytes left_;  // that may be moved still
  std::vector<Sparse> sparse_regions_;
  std::vector<std::uint32_t> chosen_;   // blocks
  std::vector<std::uint32_t> emptied_;  // regions
};

// One compaction of chosen blocks.
class Packing {
 public:
  Packing(Heap& heap, std::vector<std::uint32_t> blocks)
      : heap_(heap), blocks_(std::move(blocks)), moving_(kBlocks / kBitsPerWord) {
    for (const std::uint32_t block : blocks_) {
      set_bit(moving_.data(), block);
    }
  }

  CompactionStats run(Team& team) {
    heap_.old().withdraw(blocks_);
    for (const std::uint32_t block : blocks_) {
      auto move_one = [this](ObjectIndex object) { move(object); };
      heap_.old().for_each_object_in(block, move_one);
    }
    heap_.old().flush(cells_);
    heap_.for_each_outer_slot([this](ObjectIndex& slot) { rewrite(slot); });
    rewrite_slots(team);
    for (const std::uint32_t block : blocks_) {
      heap_.old().give_back_moved(block);
    }
    stats_.blocks_emptied = blocks_.size();
    return stats_;
  }

 private:
  static constexpr std::uint32_t kPieceSlots = 1u << 16;  // of a long array, for one member

  void move(ObjectIndex object) {
    ObjectHeader& header = detail::header_of(object);
    const std::uint32_t granules = header.size;
    const ObjectIndex copy =
        heap_.old().take(cells_, granules, Heap::content_of(header.type(), granules));
    check(copy != ObjectIndex::kNull, "a compaction counted on a hole that is not there");
    const std::uint64_t bytes = std::uint64_t{granules} * kGranuleBytes;
    std::memcpy(detail::address_of(copy), detail::address_of(object), bytes);
    header.meta |= static_cast<std::uint32_t>(ObjectFlag::kForwarded);
    header.size = granule_of(copy);
    if (is_marked(heap_.cage().marks(), object)) {
      set_bit(heap_.cage().marks(), mark_bit(copy));  // so that it can be told what was reached
    }
    remember_young(copy);
    ++stats_.objects_moved;
    stats_.bytes_moved += Bytes{bytes};
  }

  // What is young does not move here, so that the copy's cards can be told from its slots as they are.
  void remember_young(ObjectIndex copy) {
    const ObjectIndex* const slots = slots_of(copy);
    const std::uint32_t count = slot_count(copy);
    for (std::uint32_t k = 0; k < count; ++k) {
      if (slots[k] != ObjectIndex::kNull && heap_.generation_of(slots[k]) < heap_.oldest()) {
        heap_.cards().remembered().add(card_of(granule_of(copy) + 1 + k / 2));
      }
    }
  }

  // Why a bit a block: of most slots the target's own memory is not touched.
  void rewrite(ObjectIndex& slot) const {
    if (!test_bit(moving_.data(), block_of(slot))) {
      return;
    }
    const ObjectHeader header = detail::header_of(slot);
    if (header.has(ObjectFlag::kForwarded)) {
      slot = object_on(header.size);
    }
  }
  void rewrite_object(ObjectIndex object) const { rewrite_between(object, 0, slot_count(object)); }
  void rewrite_between(ObjectIndex object, std::uint32_t first, std::uint32_t end) const {
    ObjectIndex* const slots = slots_of(object);
    for (std::uint32_t k = first; k < end; ++k) {
      rewrite(slots[k]);
    }
  }

  // Regions, then pieces of large objects, are handed out by one counter.
  void rewrite_slots(Team& team) {
    list_work();
    std::atomic<std::size_t> next{0};
    team.run([&](std::uint32_t) {
      for (std::size_t k = next.fetch_add(1, std::memory_order_relaxed);
           k < regions_.size() + pieces_.size(); k = next.fetch_add(1, std::memory_order_relaxed)) {
        if (k < regions_.size()) {
          rewrite_region(regions_[k]);
        } else {
          const Piece& piece = pieces_[k - regions_.size()];
          rewrite_between(piece.object, piece.first, piece.end);
        }
      }
    });
  }
  void list_work() {
    heap_.young().for_each_region([this](std::uint32_t region) { regions_.push_back(region); });
    for (const std::uint32_t region : heap_.blocks().regions()) {
      if (heap_.cage().regions()[region].leaf == 0) {
        regions_.push_back(region);
      }
    }
    heap_.large().for_each_object([this](ObjectIndex object) {
      const std::uint32_t count = slot_count(object);
      for (std::uint32_t first = 0; first < count;) {
        const std::uint32_t end = first + std::min(kPieceSlots, count - first);
        pieces_.push_back({object, first, end});
        first = end;
      }
    });
  }
  void rewrite_region(std::uint32_t region) {
    const RegionRow& row = heap_.cage().regions()[region];
    if (row.kind == RegionKind::kBlocks) {
      rewrite_blocks(region * kBlocksPerRegion);
      return;
    }
    const std::uint32_t first = first_granule_of_region(region);
    for (std::uint32_t at = first; at < first + row.top;
         at += detail::header_of(object_on(at)).size) {
      rewrite_object(object_on(at));
    }
  }
  void rewrite_blocks(std::uint32_t first) {
    auto rewrite_one = [this](ObjectIndex object) { rewrite_object(object); };
    for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
      const bool has_cells = heap_.cage().blocks()[block].kind == BlockKind::kCells;
      // What has left a block is rewritten where it is now.
      if (has_cells && !test_bit(moving_.data(), block)) {
        heap_.old().for_each_object_in(block, rewrite_one);
      }
    }
  }

  struct Piece {
    ObjectIndex object;
    std::uint32_t first;
    std::uint32_t end;
  };

  Heap& heap_;
  std::vector<std::uint32_t> blocks_;
  std::vector<std::uint32_t> moving_;  // a bit a block of the cage
  CellCache cells_;
  std::vector<std::uint32_t> regions_;  // whose objects' slots are to be rewritten
  std::vector<Piece> pieces_;
  CompactionStats stats_;
};

}  // namespace

CompactionStats compact(Heap& heap, Team& team, Compact how) {
  check(!heap.is_marking(), "a compaction began while a marking went on");
  const HeapOptions& options = heap.options();
  if (!options.compaction || how == Compact::kNever) {
    return {};
  }
  heap.flush_born_old();
  heap.settle_cells();
  Choice choice(heap);
  const double found = choice.fragmentation().ratio();
  CompactionStats stats;
  if (how == Compact::kAlways || found > options.compact_at) {
    std::vector<std::uint32_t> chosen = choice.choose(options.compact_most);
    if (!chosen.empty()) {
      for (const std::uint32_t region : choice.chosen_regions()) {
        heap.blocks().withdraw(region);
      }
      stats = Packing(heap, std::move(chosen)).run(team);
      heap.cards().written().lose_count();
    }
  }
  stats.fragmentation = found;
  return stats;
}

}  // namespace tenure
