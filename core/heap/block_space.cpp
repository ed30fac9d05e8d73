#include "core/heap/block_space.hpp"

#include <algorithm>
#include <bit>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// The lowest place of `count` set bits side by side in `mask`, or kBlocksPerRegion.
std::uint32_t find_run(std::uint32_t mask, std::uint32_t count) {
  std::uint32_t runs = mask;  // a bit stays where `k + 1` set bits begin
  for (std::uint32_t k = 1; k < count; ++k) {
    runs &= mask >> k;
  }
  return std::min(static_cast<std::uint32_t>(std::countr_zero(runs)), kBlocksPerRegion);
}

std::uint32_t mask_of(std::uint32_t first, std::uint32_t count) {
  return ((1u << count) - 1) << first;
}

}  // namespace

BlockSpace::~BlockSpace() {
  for (const std::uint32_t region : regions_) {
    std::fill_n(source_.cage().blocks() + region * kBlocksPerRegion, kBlocksPerRegion, BlockRow{});
    source_.give_back({region, 1});
  }
}

std::optional<std::uint32_t> BlockSpace::take(std::uint32_t count, Content content) {
  std::vector<std::uint32_t>& open = open_[static_cast<std::size_t>(content)];
  for (std::size_t k = open.size(); k-- > 0;) {
    const std::uint32_t region = open[k];
    const std::uint32_t at = find_run(row(region).top, count);
    if (at == kBlocksPerRegion) {
      continue;
    }
    row(region).top &= ~mask_of(at, count);
    if (row(region).top == 0) {
      unlist(region);
    }
    return region * kBlocksPerRegion + at;
  }
  return add_region(content) ? take(count, content) : std::nullopt;
}

void BlockSpace::withdraw(std::uint32_t region) {
  if (row(region).link != 0) {
    unlist(region);
  }
}

void BlockSpace::give_back(std::uint32_t first, std::uint32_t count) {
  const std::uint32_t region = first / kBlocksPerRegion;
  std::fill_n(source_.cage().blocks() + first, count, BlockRow{});
  if (row(region).top == 0) {
    list(region);
  }
  row(region).top |= mask_of(first % kBlocksPerRegion, count);
  if (row(region).top == kAllFree) {
    withdraw(region);
    std::erase(regions_, region);
    permanent_.erase(region);
    source_.give_back({region, 1});
  }
}

bool BlockSpace::add_region(Content content) {
  const std::optional<RegionRun> run = source_.take(
      1, RegionRow{.kind = RegionKind::kBlocks,
                   .generation = generation_,
                   .flags = fresh_flags_,
                   .leaf = content == Content::kLeaves ? std::uint8_t{1} : std::uint8_t{0},
                   .top = kAllFree});
  if (!run) {
    return false;
  }
  regions_.push_back(run->first);
  if (content == Content::kPermanent) {
    permanent_.insert(run->first);
  }
  list(run->first);
  return true;
}

void BlockSpace::list(std::uint32_t region) {
  std::vector<std::uint32_t>& open = open_list(region);
  open.push_back(region);
  row(region).link = static_cast<std::uint32_t>(open.size());
}

void BlockSpace::unlist(std::uint32_t region) {
  std::vector<std::uint32_t>& open = open_list(region);
  const std::uint32_t place = row(region).link - 1;
  check(place < open.size() && open[place] == region,
        "a region of blocks is not where it is listed");
  open[place] = open.back();
  row(open[place]).link = place + 1;
  open.pop_back();
  row(region).link = 0;
}

}  // namespace tenure
