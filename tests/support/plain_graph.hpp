// Large heaps of one shape in plain arrays, for markers alone: cells of one size, one behind the other,
// or one long array in front of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/memory/size_class.hpp"
#include "core/model/heap_view.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/marker.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::testing {

/// `count` objects of `references` slots each, and before them an array of `slots`, if any.
class PlainGraph {
 public:
  PlainGraph(std::uint32_t count, std::uint32_t references, std::uint32_t slots = 0)
      : cell_(1 + (references + 1) / 2 < kSmallestObject ? kSmallestObject
                                                         : 1 + (references + 1) / 2),
        array_regions_(slots == 0 ? 0 : (1 + slots / 2 + 1) / kGranulesPerRegion + 1),
        regions_(1 + array_regions_ + (count / cells_per_block(cell_) + 1) / kBlocksPerRegion + 1) {
    words_.resize(std::size_t{2} * regions_ * kGranulesPerRegion);
    marks_.resize(words_.size() / (2 * kGranulesPerMark) / 32);
    types_ = {{}, {}, {references, 0}, {slots, 0}, {TypeRow::kFill, 0}};  // the last has no objects
    rows_.resize(regions_,
                 {.heap = HeapId{1}, .kind = RegionKind::kBlocks, .flags = RegionRow::kMarking});
    blocks_.resize(std::size_t{regions_} * kBlocksPerRegion);
    for (std::uint32_t block = (1 + array_regions_) * kBlocksPerRegion; block < blocks_.size();
         ++block) {
      blocks_[block] = {.kind = BlockKind::kCells, .cell = static_cast<std::uint16_t>(cell_)};
    }
    for (std::uint32_t k = 0; k < count; ++k) {
      set_header(object(k), 2, cell_);
    }
    if (slots > 0) {
      rows_[1].kind = RegionKind::kLargeHead;
      rows_[1].link = array_regions_;
      for (std::uint32_t k = 1; k < array_regions_; ++k) {
        rows_[1 + k].kind = RegionKind::kLargeTail;
        rows_[1 + k].link = k;
      }
      set_header(array(), 3, 1 + (slots + 1) / 2);
    }
  }

  [[nodiscard]] ObjectIndex array() const { return static_cast<ObjectIndex>(kGranulesPerRegion); }
  [[nodiscard]] ObjectIndex object(std::uint32_t k) const {
    const std::uint32_t block =
        (1 + array_regions_) * kBlocksPerRegion + k / cells_per_block(cell_);
    return static_cast<ObjectIndex>(first_granule_of_block(block) +
                                    k % cells_per_block(cell_) * cell_);
  }
  void set_slot(ObjectIndex holder, std::uint32_t slot, ObjectIndex value) {
    words_[first_word_of(holder) + 2 + slot] = static_cast<std::uint32_t>(value);
  }
  void set_header(ObjectIndex object, std::uint32_t meta, std::uint32_t size) {
    words_[first_word_of(object)] = meta;
    words_[first_word_of(object) + 1] = size;
  }

  [[nodiscard]] MarkJob job(std::span<const ObjectIndex> roots) {
    return {.heap = {.words = words_.data(),
                     .types = types_.data(),
                     .regions = rows_.data(),
                     .blocks = blocks_.data(),
                     .marks = marks_.data(),
                     .heap = HeapId{1}},
            .roots = roots,
            .regions = regions_,
            .types = static_cast<std::uint32_t>(types_.size())};
  }
  void clear_marks() { std::fill(marks_.begin(), marks_.end(), 0u); }
  [[nodiscard]] std::uint32_t cell() const { return cell_; }  // granules of an object
  [[nodiscard]] HeapArrays arrays() const { return {words_, types_, rows_, blocks_, marks_}; }
  [[nodiscard]] std::uint64_t marked() const {
    std::uint64_t count = 0;
    for (const std::uint32_t word : marks_) {
      count += static_cast<std::uint64_t>(std::popcount(word));
    }
    return count;
  }

 private:
  std::uint32_t cell_;
  std::uint32_t array_regions_;
  std::uint32_t regions_;
  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> marks_;
  std::vector<TypeRow> types_;
  std::vector<RegionRow> rows_;
  std::vector<BlockRow> blocks_;
};

}  // namespace tenure::testing
