// One range of addresses that is mapped page by page: PyTorch's expandable segments.
//
// Source: c10/cuda/CUDACachingAllocator.cpp of PyTorch 2.x: get_free_block, find_expandable_block,
// try_allocate_expandable_block, map_block, unmap_block.
#pragma once

#include <cstdint>
#include <set>

#include "core/policy/budget.hpp"
#include "core/policy/chain.hpp"

namespace tenure {

class ExpandableArena {
 public:
  /// page   bytes that are mapped at once
  ExpandableArena(Budget& budget, std::uint64_t page);
  ExpandableArena(const ExpandableArena&) = delete;
  ExpandableArena& operator=(const ExpandableArena&) = delete;

  /// The smallest free stretch that is large enough, where one that could grow upwards counts as large
  /// as it could grow; null where there is none.
  [[nodiscard]] Stretch* take(std::uint64_t bytes);

  /// Maps more at the lowest address where it helps. Null where the device has no room for it.
  [[nodiscard]] Stretch* take_fresh(std::uint64_t bytes);

  /// Takes a stretch back, joined with what is free beside it.
  void give(Stretch* stretch);

  /// Unmaps the whole pages in which nothing is used.
  void release_idle();

 private:
  [[nodiscard]] Stretch* use(Stretch* stretch, std::uint64_t bytes);
  [[nodiscard]] Stretch* place_to_grow(std::uint64_t bytes) const;
  [[nodiscard]] Stretch* map(Stretch* unmapped, std::uint64_t bytes);
  Stretch* join_free(Stretch* stretch);
  void unmap_inside(Stretch* stretch);

  Budget& budget_;
  const std::uint64_t page_;
  Chain chain_;
  std::set<Stretch*, BySize> free_;
  std::set<Stretch*, ByAddress> unmapped_;
};

}  // namespace tenure
