#include "core/heap/old.hpp"

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

std::size_t content_of(const BlockRow& row) { return row.flags & BlockRow::kLeaf; }

}  // namespace

std::uint32_t Old::next_free(std::uint32_t cell) { return detail::header_of(object_on(cell)).size; }

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
    partial_[block.size_class][content_of(block)].push_back(slot.block);
  }
  slot = {};
}

bool Old::refill(CellCache::Slot& slot, std::uint32_t size_class, Content content) {
  put_back(slot);
  const auto k = static_cast<std::size_t>(content);
  std::vector<std::uint32_t>& partial = partial_[size_class][k];
  std::vector<std::uint32_t>& unswept = unswept_[size_class][k];
  while (partial.empty() && !unswept.empty()) {
    const std::uint32_t block = unswept.back();
    unswept.pop_back();
    sweep(block);
  }
  if (partial.empty()) {
    return open_fresh(slot, size_class, content);
  }
  slot.block = partial.back();
  partial.pop_back();
  slot.head = std::exchange(row(slot.block).free_head, 0);
  return true;
}

bool Old::open_fresh(CellCache::Slot& slot, std::uint32_t size_class, Content content) {
  const std::optional<std::uint32_t> block = blocks_.take(1, content);
  if (!block) {
    return false;
  }
  const std::uint32_t cell = kCellSizes[size_class];
  row(*block) = BlockRow{.kind = BlockKind::kCells,
                         .flags = content == Content::kLeaves ? BlockRow::kLeaf : std::uint8_t{0},
                         .cell = static_cast<std::uint16_t>(cell),
                         .size_class = static_cast<std::uint16_t>(size_class)};
  const std::uint32_t first = first_granule_of_block(*block);
  std::uint32_t next = 0;
  for (std::uint32_t k = cells_per_block(cell); k-- > 0;) {
    link_free(first + k * cell, next);
    next = first + k * cell;
  }
  // A fresh block's marks are stale where an earlier owner of it was marked and died.
  clear_words(cage_.marks(), first_mark_of(*block), first_mark_of(*block) + kMarksPerBlock);
  slot = {.block = *block, .head = first, .taken = 0};
  return true;
}

void Old::sweep(std::uint32_t block) {
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
    partial_[swept.size_class][content_of(swept)].push_back(block);
  }
}

std::uint32_t Old::count_marked(std::uint32_t block) const {
  return static_cast<std::uint32_t>(
      count_words(cage_.marks(), first_mark_of(block), first_mark_of(block) + kMarksPerBlock));
}

Bytes Old::settle_marks() {
  for (std::uint32_t size_class = 0; size_class < kSizeClasses; ++size_class) {
    for (std::size_t k = 0; k < 2; ++k) {
      partial_[size_class][k].clear();
      unswept_[size_class][k].clear();
    }
  }
  const std::uint64_t before = used_granules_;
  used_granules_ = 0;
  blocks_.for_each_block([this](std::uint32_t block) {
    BlockRow& settled = row(block);
    if (settled.kind != BlockKind::kCells) {
      return;
    }
    const std::uint32_t live = count_marked(block);
    if (live == 0) {
      blocks_.give_back(block, 1);
      return;
    }
    used_granules_ += std::uint64_t{live} * settled.cell;
    settled.used = static_cast<std::uint16_t>(live);
    settled.free_head = 0;
    settled.flags &= static_cast<std::uint8_t>(~BlockRow::kUnswept);
    if (live < cells_per_block(settled.cell)) {
      settled.flags |= BlockRow::kUnswept;
      unswept_[settled.size_class][content_of(settled)].push_back(block);
    }
  });
  return Bytes{(before - used_granules_) * kGranuleBytes};
}

void Old::sweep_all() {
  for (auto& by_content : unswept_) {
    for (std::vector<std::uint32_t>& blocks : by_content) {
      for (const std::uint32_t block : std::exchange(blocks, {})) {
        sweep(block);
      }
    }
  }
}

}  // namespace tenure
