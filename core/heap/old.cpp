#include "core/heap/old.hpp"

#include <atomic>
#include <utility>

#include "core/base/bitmap.hpp"
#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {

std::uint64_t first_mark_of(std::uint32_t block) {
  return std::uint64_t{first_granule_of_block(block)} / kGranulesPerMark;
}
constexpr std::uint64_t kMarksPerBlock = kGranulesPerBlock / kGranulesPerMark;

constexpr std::size_t kRegionsPerRefill = 4;  // settled for one block, some 10 us

Content content_of(const BlockRow& row) {
  if ((row.flags & BlockRow::kPermanent) != 0) {
    return Content::kPermanent;
  }
  return (row.flags & BlockRow::kLeaf) != 0 ? Content::kLeaves : Content::kReferences;
}

}  // namespace

void Old::link_free(std::uint32_t cell, std::uint32_t next) {
  detail::header_of(object_on(cell)) =
      ObjectHeader{static_cast<std::uint32_t>(TypeId::kFreeCell), next};
}

void Old::untake(CellCache& cache, ObjectIndex cell, std::uint32_t granules, Content content) {
  CellCache::Slot& slot = cache.slots[size_class_of(granules)][static_cast<std::size_t>(content)];
  check(slot.taken > 0, "a cell was given back to a cache that gave none");
  link_free(granule_of(cell), slot.head);
  slot.head = granule_of(cell);
  --slot.taken;
}

void Old::flush(CellCache& cache) {
  for (auto& by_content : cache.slots) {
    for (CellCache::Slot& slot : by_content) {
      put_back(slot);
    }
  }
}

void Old::put_back(CellCache::Slot& slot) {
  if (slot.block == 0) {
    return;
  }
  BlockRow& block = row(slot.block);
  block.used = static_cast<std::uint16_t>(block.used + slot.taken);
  block.free_head = slot.head;
  used_granules_ += std::uint64_t{slot.taken} * block.cell;
  if (slot.head != 0) {
    partial(block.size_class, content_of(block)).push_back(slot.block);
  }
  slot = {};
}

bool Old::refill(CellCache::Slot& slot, std::uint32_t size_class, Content content) {
  put_back(slot);
  std::vector<std::uint32_t>& partial = this->partial(size_class, content);
  std::vector<std::uint32_t>& unswept = this->unswept(size_class, content);
  // Why a limit: a mutator that wants one cell must not settle the whole heap first.
  for (std::size_t tries = 0; tries < kRegionsPerRefill; ++tries) {
    while (partial.empty() && !unswept.empty()) {
      const std::uint32_t block = unswept.back();
      unswept.pop_back();
      sweep_block(block);
    }
    if (!partial.empty() || unsettled_.empty()) {
      break;
    }
    settle(1);
  }
  if (partial.empty()) {
    return open_fresh(slot, size_class, content);
  }
  slot.block = partial.back();
  partial.pop_back();
  slot.head = std::exchange(row(slot.block).free_head, 0);
  blocks_.note_handed_out(slot.block, 1);
  return true;
}

bool Old::open_fresh(CellCache::Slot& slot, std::uint32_t size_class, Content content) {
  const std::optional<std::uint32_t> block = blocks_.take(1, content);
  if (!block) {
    return false;
  }
  // The block itself is free still, and passed over.
  settle_region(*block / kBlocksPerRegion);
  const std::uint32_t cell = kCellSizes[size_class];
  row(*block) = BlockRow{.kind = BlockKind::kCells,
                         .flags = flags_of(content),
                         .cell = static_cast<std::uint16_t>(cell),
                         .size_class = static_cast<std::uint16_t>(size_class)};
  const std::uint32_t first = first_granule_of_block(*block);
  std::uint32_t next = 0;
  for (std::uint32_t k = cells_per_block(cell); k-- > 0;) {
    link_free(first + k * cell, next);
    next = first + k * cell;
  }
  // A fresh block's marks are stale where an earlier owner of it was marked and died. While a marking
  // goes on none are: they were cleared with their region's, and the marker reads words beside ours.
  if ((cage_.regions()[*block / kBlocksPerRegion].flags & RegionRow::kMarking) == 0) {
    clear_words(cage_.marks(), first_mark_of(*block), first_mark_of(*block) + kMarksPerBlock);
  }
  slot = {.block = *block, .head = first, .taken = 0};
  blocks_.note_handed_out(*block, 1);
  return true;
}

void Old::sweep_block(std::uint32_t block) {
  BlockRow& swept = row(block);
  const std::uint32_t first = first_granule_of_block(block);
  std::uint32_t next = 0;
  for (std::uint32_t k = cells_per_block(swept.cell); k-- > 0;) {
    const std::uint32_t cell = first + k * swept.cell;
    if (!is_marked(cage_.marks(), object_on(cell))) {
      link_free(cell, next);
      next = cell;
    }
  }
  swept.free_head = next;
  swept.flags &= static_cast<std::uint8_t>(~BlockRow::kUnswept);
  if (next != 0) {
    partial(swept.size_class, content_of(swept)).push_back(block);
  }
}

std::uint32_t Old::count_marked(std::uint32_t block) const {
  return static_cast<std::uint32_t>(
      count_words(cage_.marks(), first_mark_of(block), first_mark_of(block) + kMarksPerBlock));
}

void Old::begin_settling() {
  for (std::uint32_t size_class = 0; size_class < kSizeClasses; ++size_class) {
    for (std::size_t k = 0; k < 2; ++k) {
      partial_[size_class][k].clear();
      unswept_[size_class][k].clear();
      permanent_[size_class][k].clear();
    }
  }
  unsettled_ = blocks_.regions();
  for (const std::uint32_t region : unsettled_) {
    cage_.regions()[region].flags |= RegionRow::kUnsettled;
  }
}

Bytes Old::settle(std::size_t regions) {
  Bytes freed;
  for (; regions > 0 && !unsettled_.empty(); --regions) {
    const std::uint32_t region = unsettled_.back();
    unsettled_.pop_back();
    freed += settle_region(region);
  }
  return freed;
}

Bytes Old::settle_marks() {
  begin_settling();
  return settle(unsettled_.size());
}

Bytes Old::settle_region(std::uint32_t region) {
  RegionRow& settled = cage_.regions()[region];
  if ((settled.flags & RegionRow::kUnsettled) == 0) {
    return {};  // settled before its turn, when a block of it was taken
  }
  // Why atomic: other copying workers ask beside us whether the region is condemned.
  std::atomic_ref(settled.flags)
      .fetch_and(static_cast<std::uint8_t>(~RegionRow::kUnsettled), std::memory_order_relaxed);
  const std::uint64_t before = used_granules_;
  const std::uint32_t first = region * kBlocksPerRegion;
  // Invariant: giving the last block back gives the region back, and nothing of it is read after.
  for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
    if (row(block).kind == BlockKind::kCells) {
      settle_block(block);
    }
  }
  return Bytes{(before - used_granules_) * kGranuleBytes};
}

void Old::settle_block(std::uint32_t block) {
  BlockRow& settled = row(block);
  const std::uint32_t live = count_marked(block);
  used_granules_ -= std::uint64_t{settled.used - live} * settled.cell;
  if (live == 0) {
    blocks_.give_back(block, 1);
    return;
  }
  settled.used = static_cast<std::uint16_t>(live);
  settled.free_head = 0;
  settled.flags &= static_cast<std::uint8_t>(~BlockRow::kUnswept);
  if (live < cells_per_block(settled.cell)) {
    settled.flags |= BlockRow::kUnswept;
    unswept(settled.size_class, content_of(settled)).push_back(block);
  }
}

bool Old::sweep(std::size_t blocks) {
  for (std::uint32_t size_class = 0; size_class < kSizeClasses; ++size_class) {
    for (const Content content : {Content::kReferences, Content::kLeaves, Content::kPermanent}) {
      std::vector<std::uint32_t>& waiting = unswept(size_class, content);
      for (; blocks > 0 && !waiting.empty(); --blocks) {
        const std::uint32_t block = waiting.back();
        waiting.pop_back();
        sweep_block(block);
      }
    }
  }
  return blocks > 0;
}

}  // namespace tenure
