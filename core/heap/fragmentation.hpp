// How much of the oldest generation's memory is holes: free cells of blocks that hold something.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/memory/size_class.hpp"
#include "core/model/region.hpp"
#include "tenure/bytes.hpp"

namespace tenure {

struct Fragmentation {
  Bytes free;    // inside partly filled blocks
  Bytes blocks;  // of those blocks

  /// 0 where nothing could be packed closer, towards 1 where blocks are nearly empty.
  [[nodiscard]] double ratio() const {
    return blocks.is_zero()
               ? 0.0
               : static_cast<double>(free.count()) / static_cast<double>(blocks.count());
  }
};

/// Sums blocks up. The emptiest of each class and content does not count: it is the one that is being
/// filled, and no packing saves it.
class FragmentationCount {
 public:
  void add(const BlockRow& block) {
    const std::uint32_t free =
        (cells_per_block(block.cell) - block.used) * std::uint32_t{block.cell};
    Sum& sum = sums_[block.size_class][block.flags & BlockRow::kLeaf];
    sum.free += free;
    sum.most_free = std::max(sum.most_free, free);
    ++sum.blocks;
  }

  [[nodiscard]] Fragmentation total() const {
    std::uint64_t free = 0;
    std::uint64_t blocks = 0;
    for (const auto& by_content : sums_) {
      for (const Sum& sum : by_content) {
        free += sum.free - sum.most_free;
        blocks += sum.blocks - (sum.blocks > 0 ? 1 : 0);
      }
    }
    return {.free = Bytes{free * kGranuleBytes},
            .blocks = Bytes{blocks * kGranulesPerBlock * kGranuleBytes}};
  }

 private:
  struct Sum {
    std::uint64_t free = 0;       // granules
    std::uint32_t most_free = 0;  // of one block, granules
    std::uint64_t blocks = 0;
  };
  std::array<std::array<Sum, 2>, kSizeClasses> sums_{};
};

}  // namespace tenure
