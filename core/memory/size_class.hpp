// Sizes of cells: an object of the oldest generation takes the smallest cell that holds it.
//
// Invariant: from 4 granules on a class is at most a third larger than the one below, the last at
// most half; what is left of a block behind its cells is under a sixtieth. Both are asserted below.
#pragma once

#include <array>
#include <cstdint>

#include "tenure/object.hpp"

namespace tenure {

/// Granules of a cell, by class.
inline constexpr std::array<std::uint16_t, 36> kCellSizes{
    2,  3,  4,  5,  6,   7,   8,   10,  12,  14,  16,  20,  24,  28,  32,  36,  40,  48,
    56, 64, 78, 93, 113, 128, 146, 170, 186, 204, 227, 256, 292, 341, 409, 512, 682, 1024};
inline constexpr std::uint32_t kSizeClasses = kCellSizes.size();
inline constexpr std::uint32_t kLargestCell = kCellSizes.back();  // 8 KiB
inline constexpr std::uint32_t kMostCellsPerBlock = kGranulesPerBlock / kCellSizes[0];

[[nodiscard]] constexpr std::uint32_t cells_per_block(std::uint32_t cell) {
  return kGranulesPerBlock / cell;
}

namespace detail {
constexpr auto make_class_table() {
  std::array<std::uint8_t, kLargestCell + 1> table{};
  std::uint8_t size_class = 0;
  for (std::uint32_t granules = 0; granules <= kLargestCell; ++granules) {
    while (kCellSizes[size_class] < granules) {
      ++size_class;
    }
    table[granules] = size_class;
  }
  return table;
}
inline constexpr auto kClassOfSize = make_class_table();
}  // namespace detail

/// The class whose cells hold `granules`, 1 to kLargestCell.
[[nodiscard]] constexpr std::uint32_t size_class_of(std::uint32_t granules) {
  return detail::kClassOfSize[granules];
}

namespace detail {
constexpr bool classes_are_sound() {
  for (std::uint32_t k = 1; k < kSizeClasses; ++k) {
    const std::uint32_t below = kCellSizes[k - 1];
    const std::uint32_t cell = kCellSizes[k];
    const bool is_last = k + 1 == kSizeClasses;
    const bool steep = is_last ? 2 * cell > 3 * below + 2 : 3 * cell > 4 * below;
    const std::uint32_t unused = kGranulesPerBlock - cells_per_block(cell) * cell;
    if (cell <= below || (cell > 4 && steep) || 60 * unused > kGranulesPerBlock) {
      return false;
    }
  }
  return kLargestCell == kGranulesPerBlock / 2;
}
}  // namespace detail
static_assert(detail::classes_are_sound());

}  // namespace tenure
