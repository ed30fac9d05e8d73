// The oldest generation's part in a compaction: which blocks have holes, and how blocks are taken out
// of use while their objects move to others.
#include <algorithm>

#include "core/base/check.hpp"
#include "core/heap/old.hpp"

namespace tenure {

Fragmentation Old::fragmentation() const {
  FragmentationCount count;
  for_each_partly_filled([&](std::uint32_t block) { count.add(row(block)); });
  return count.total();
}

void Old::withdraw(std::span<const std::uint32_t> blocks) {
  for (const std::uint32_t block : blocks) {
    row(block).flags |= BlockRow::kMoving;
  }
  const auto is_moving = [this](std::uint32_t block) {
    return (row(block).flags & BlockRow::kMoving) != 0;
  };
  // Why sorted: cells are taken from the list's end, and the fullest block leaves no hole soonest.
  const auto is_emptier = [this](std::uint32_t a, std::uint32_t b) {
    return row(a).used < row(b).used;
  };
  for (Lists* const lists : {&partial_, &unswept_}) {
    for (auto& by_content : *lists) {
      for (std::vector<std::uint32_t>& listed : by_content) {
        std::erase_if(listed, is_moving);
        std::sort(listed.begin(), listed.end(), is_emptier);
      }
    }
  }
}

void Old::give_back_moved(std::uint32_t block) {
  const BlockRow& moved = row(block);
  check((moved.flags & BlockRow::kMoving) != 0, "a block was given back that was not withdrawn");
  used_granules_ -= std::uint64_t{moved.used} * moved.cell;
  blocks_.give_back(block, 1);
}

}  // namespace tenure
