#include "core/memory/size_class.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

TEST(SizeClass, GivesTheSmallestCellThatHoldsTheObject) {
  for (std::uint32_t granules = kSmallestObject; granules <= kLargestCell; ++granules) {
    const std::uint32_t size_class = size_class_of(granules);
    ASSERT_GE(kCellSizes[size_class], granules);
    if (size_class > 0) {
      ASSERT_LT(kCellSizes[size_class - 1], granules);
    }
  }
}

TEST(SizeClass, WastesAThirdOfACellAtTheMost) {
  for (std::uint32_t granules = 4; granules <= kLargestCell; ++granules) {
    const std::uint32_t cell = kCellSizes[size_class_of(granules)];
    ASSERT_LE(3 * (cell - granules), cell) << granules << " granules";
  }
}

TEST(SizeClass, CountsTheCellsOfABlock) {
  EXPECT_EQ(cells_per_block(2), 1024u);
  EXPECT_EQ(cells_per_block(682), 3u);
  EXPECT_EQ(cells_per_block(kLargestCell), 2u);
}

}  // namespace
}  // namespace tenure
