#include "core/plan/first_fit.hpp"

#include <algorithm>

namespace tenure {

namespace {

constexpr std::uint64_t kSlices[] = {64, 8, 1};  // each divides the one before
// What putting a block into a slice costs, in pairs.
constexpr std::uint64_t kPairsInPutting = 50;

// Placed blocks that lie side by side in memory at the most: 8 KiB.
constexpr std::ptrdiff_t kChunk = 256;
constexpr std::uint32_t kNever = ~std::uint32_t{0};

}  // namespace

FirstFit::FirstFit(std::span<const Lifetime> blocks) : blocks_(blocks) {
  for (const Lifetime& block : blocks) {
    horizon_ = std::max<std::uint64_t>({horizon_, block.begin + std::uint64_t{1}, block.end});
  }
  for (const std::uint64_t slices : kSlices) {
    levels_.emplace_back(slices);
  }
}

FirstFit::Placed FirstFit::stretched(const Lifetime& block) {
  return block.goes_round() ? Placed{0, 0, block.begin, kNever, block.end}
                            : Placed{0, 0, block.begin, block.end, 0};
}

const FirstFit::Slice& FirstFit::slice_around(const Placed& block) const {
  if (block.end != kNever) {
    for (const std::vector<Slice>& level : levels_) {
      const std::uint64_t first = block.begin * level.size() / horizon_;
      if (first == (block.end - std::uint64_t{1}) * level.size() / horizon_) {
        return level[first];
      }
    }
  }
  return levels_.back().front();
}

void FirstFit::Slice::put(const Placed& block) {
  if (chunks_.empty()) {
    chunks_.emplace_back().reserve(kChunk);
  }
  const auto by_low = [](std::uint64_t low, const Placed& other) { return low < other.low; };
  auto chunk = std::upper_bound(
      chunks_.begin(), chunks_.end(), block.low,
      [](std::uint64_t low, const std::vector<Placed>& other) { return low < other.front().low; });
  chunk -= chunk == chunks_.begin() ? 0 : 1;
  chunk->insert(std::upper_bound(chunk->begin(), chunk->end(), block.low, by_low), block);
  if (chunk->size() == std::size_t{kChunk}) {
    const auto middle = chunk->begin() + kChunk / 2;
    std::vector<Placed> upper;
    upper.reserve(kChunk);
    upper.assign(middle, chunk->end());
    chunk->erase(middle, chunk->end());
    chunks_.insert(chunk + 1, std::move(upper));
  }
}

void FirstFit::put(const Placed& block) {
  const std::uint64_t end = std::min<std::uint64_t>(block.end, horizon_);
  for (std::vector<Slice>& level : levels_) {
    const auto slice_of = [&](std::uint64_t moment) { return moment * level.size() / horizon_; };
    const auto put_in = [&](std::uint64_t first, std::uint64_t last) {
      for (std::uint64_t k = first; k < last; ++k) {
        level[k].put(block);
        pairs_ += kPairsInPutting;
      }
    };
    const std::uint64_t first = slice_of(block.begin);
    put_in(first, slice_of(end - 1) + 1);
    if (block.turn != 0) {  // a slice that both stretches reach has it already
      put_in(0, std::min(first, slice_of(block.turn - 1) + 1));
    }
  }
}

Layout FirstFit::place(std::span<const std::uint32_t> order) {
  Layout layout;
  layout.offsets.resize(blocks_.size());
  for (std::vector<Slice>& level : levels_) {
    for (Slice& slice : level) {
      slice.clear();
    }
  }
  for (const std::uint32_t k : order) {
    const std::uint64_t bytes = blocks_[k].bytes;
    Placed mine = stretched(blocks_[k]);
    std::uint64_t top = 0;
    std::uint64_t looks = 0;
    slice_around(mine).visit([&](const Placed& other) {
      ++looks;
      const bool meets = (other.begin < mine.end && mine.begin < other.end) ||
                         mine.begin < other.turn || other.begin < mine.turn;
      if (!meets) {
        return true;
      }
      if (other.low >= top + bytes) {
        return false;
      }
      top = std::max(top, other.high);
      return true;
    });
    pairs_ += looks;
    mine.low = top;
    mine.high = top + bytes;
    layout.offsets[k] = top;
    layout.height = std::max(layout.height, mine.high);
    put(mine);
  }
  return layout;
}

}  // namespace tenure
