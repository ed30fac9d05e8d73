// From a mark bit to its object, for a block at a time: a bit stands for two granules, and cells of an
// odd size start on either.
#pragma once

#include <array>
#include <cstdint>

#include "core/memory/size_class.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/region.hpp"

namespace tenure {

namespace detail {
// 2^32 / cell, rounded up: a product with it, shifted, is a quotient for what is below 2^21. A block
// that a run starts in has cell 0; it is one cell, as large as the block.
constexpr auto make_cell_inverses() {
  std::array<std::uint32_t, kLargestCell + 1> inverses{};
  inverses[0] = (std::uint64_t{1} << 32) / kGranulesPerBlock;
  for (std::uint64_t cell = kSmallestObject; cell <= kLargestCell; ++cell) {
    inverses[cell] = static_cast<std::uint32_t>(((std::uint64_t{1} << 32) + cell - 1) / cell);
  }
  return inverses;
}
inline constexpr auto kCellInverses = make_cell_inverses();
}  // namespace detail

/// Where the objects of one block start. The same answer as `object_of_mark`, without dividing.
class CellPlaces {
 public:
  /// heap    its rows are read once, here
  CellPlaces(const HeapView& heap, std::uint32_t block)
      : first_(first_granule_of_block(block)),
        cell_(heap.blocks[block].cell),
        inverse_(detail::kCellInverses[cell_]) {}

  /// bit   of an object in this block
  [[nodiscard]] ObjectIndex object_of(std::uint32_t bit) const {
    // The pair's later granule is in the cell that starts in the pair.
    const std::uint64_t later = bit * kGranulesPerMark + 1 - first_;
    return static_cast<ObjectIndex>(first_ +
                                    cell_ * static_cast<std::uint32_t>(later * inverse_ >> 32));
  }

 private:
  std::uint32_t first_;
  std::uint32_t cell_;
  std::uint32_t inverse_;
};

}  // namespace tenure
