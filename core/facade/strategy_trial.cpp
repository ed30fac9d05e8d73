#include "core/facade/strategy_trial.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace tenure {

namespace {

constexpr std::size_t kNone = ~std::size_t{0};
constexpr int kClassesPerPower = 16;  // as a pool's free index has them

// The lowest size of the class that `size` is in.
std::uint64_t class_floor(std::uint64_t size) {
  const std::uint64_t step = std::bit_floor(size) / kClassesPerPower;
  return step == 0 ? size : size / step * step;
}

// What of two holes that fit the strategy likes better.
bool prefers(AllocationStrategy strategy, const HoleMap::Hole& a, const HoleMap::Hole& b) {
  switch (strategy) {
    case AllocationStrategy::kBestFit:
      return a.size < b.size;
    case AllocationStrategy::kWorstFit:
      return a.size > b.size;
    case AllocationStrategy::kSegregatedFit:
      return class_floor(a.size) < class_floor(b.size);
    case AllocationStrategy::kFirstFit:
    case AllocationStrategy::kNextFit:
      break;
  }
  return a.at < b.at;
}

std::size_t choose(AllocationStrategy strategy, const std::vector<HoleMap::Hole>& holes,
                   std::uint64_t size, std::uint64_t placed_end) {
  std::size_t chosen = kNone;
  std::size_t behind = kNone;  // the last placement
  for (std::size_t k = 0; k < holes.size(); ++k) {
    if (holes[k].size < size) {
      continue;
    }
    if (chosen == kNone || prefers(strategy, holes[k], holes[chosen])) {
      chosen = k;
    }
    if (holes[k].at >= placed_end && (behind == kNone || holes[k].at < holes[behind].at)) {
      behind = k;
    }
  }
  return strategy == AllocationStrategy::kNextFit && behind != kNone ? behind : chosen;
}

}  // namespace

TrialOutcome try_strategy(AllocationStrategy strategy, HoleMap map,
                          std::span<const std::uint64_t> requests) {
  TrialOutcome outcome;
  std::uint64_t placed_end = 0;
  for (const std::uint64_t size : requests) {
    const std::size_t chosen = choose(strategy, map.holes, size, placed_end);
    if (chosen == kNone) {
      outcome.without_hole += size;
      map.uncut -= std::min(map.uncut, size);
      continue;
    }
    HoleMap::Hole& hole = map.holes[chosen];
    hole.at += size;
    hole.size -= size;
    placed_end = hole.at;
  }
  outcome.largest_left = map.uncut;
  for (const HoleMap::Hole& hole : map.holes) {
    outcome.largest_left = std::max(outcome.largest_left, hole.size);
  }
  return outcome;
}

}  // namespace tenure
