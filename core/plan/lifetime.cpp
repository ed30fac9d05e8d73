#include "core/plan/lifetime.hpp"

#include <map>
#include <tuple>

namespace tenure {

namespace {

// A block comes or goes. What goes at a moment does so before what comes.
struct Change {
  std::uint32_t at;
  bool comes;
  std::uint32_t block;
};

std::vector<Change> changes_of(std::span<const Lifetime> blocks) {
  std::vector<Change> changes;
  changes.reserve(2 * blocks.size());
  for (std::uint32_t k = 0; k < blocks.size(); ++k) {
    changes.push_back({blocks[k].begin, true, k});
    changes.push_back({blocks[k].end, false, k});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return std::tuple(a.at, a.comes, a.block) < std::tuple(b.at, b.comes, b.block);
  });
  return changes;
}

}  // namespace

std::uint64_t peak_of(std::span<const Lifetime> blocks) {
  std::uint64_t live = 0;
  for (const Lifetime& block : blocks) {
    live += block.goes_round() ? block.bytes : 0;
  }
  std::uint64_t peak = live;
  for (const Change& change : changes_of(blocks)) {
    const Lifetime& block = blocks[change.block];
    if (block.begin == block.end) {
      continue;  // it is there all the time
    }
    live = change.comes ? live + block.bytes : live - block.bytes;
    peak = std::max(peak, live);
  }
  return peak;
}

std::string fault_of(std::span<const Lifetime> blocks, const Layout& layout) {
  if (layout.offsets.size() != blocks.size()) {
    return std::to_string(layout.offsets.size()) + " places for " + std::to_string(blocks.size()) +
           " blocks";
  }
  std::map<std::uint64_t, std::uint32_t> live;  // by offset
  const auto put = [&](std::uint32_t k) -> std::string {
    const std::uint64_t low = layout.offsets[k];
    const std::uint64_t high = low + blocks[k].bytes;
    if (high > layout.height || high < low) {
      return "block " + std::to_string(k) + " ends at " + std::to_string(high) + ", above " +
             std::to_string(layout.height);
    }
    const auto above = live.lower_bound(low);
    const bool meets_above = above != live.end() && above->first < high;
    const bool meets_below = above != live.begin() &&
                             std::prev(above)->first + blocks[std::prev(above)->second].bytes > low;
    if (meets_above || meets_below) {
      const std::uint32_t other = meets_above ? above->second : std::prev(above)->second;
      return "blocks " + std::to_string(k) + " and " + std::to_string(other) +
             " share bytes at the same time";
    }
    live.emplace(low, k);
    return {};
  };
  std::string fault;
  for (std::uint32_t k = 0; k < blocks.size() && fault.empty(); ++k) {
    fault = blocks[k].bytes != 0 && blocks[k].goes_round() ? put(k) : std::string();
  }
  for (const Change& change : changes_of(blocks)) {
    const Lifetime& block = blocks[change.block];
    if (!fault.empty()) {
      break;
    }
    if (block.bytes == 0 || block.begin == block.end) {
      continue;
    }
    if (change.comes) {
      fault = put(change.block);
    } else {
      live.erase(layout.offsets[change.block]);
    }
  }
  return fault;
}

}  // namespace tenure
