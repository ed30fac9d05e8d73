#include "core/plan/packing_search.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <tuple>

namespace tenure {

namespace {

constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();

// What is placed first among blocks that can lie equally low.
enum class Trait : std::uint8_t { kLength, kSections, kArea, kCrowd };
constexpr std::array<std::array<Trait, 3>, 6> kPreferences = {{
    {Trait::kLength, Trait::kArea, Trait::kCrowd},
    {Trait::kCrowd, Trait::kArea, Trait::kLength},
    {Trait::kCrowd, Trait::kLength, Trait::kArea},
    {Trait::kSections, Trait::kArea, Trait::kCrowd},
    {Trait::kCrowd, Trait::kSections, Trait::kArea},
    {Trait::kArea, Trait::kCrowd, Trait::kLength},
}};

}  // namespace

PackingSearch::PackingSearch(std::span<const Lifetime> blocks) {
  std::vector<std::uint32_t> moments;
  for (const Lifetime& block : blocks) {
    moments.push_back(block.begin);
    moments.push_back(block.end);
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  const auto section_of = [&](std::uint32_t moment) {
    return static_cast<std::uint32_t>(std::lower_bound(moments.begin(), moments.end(), moment) -
                                      moments.begin());
  };
  sections_.resize(moments.empty() ? 0 : moments.size() - 1);
  living_.resize(sections_.size());
  touched_.resize(sections_.size());
  for (std::uint32_t k = 0; k < blocks.size(); ++k) {
    Block& block = blocks_.emplace_back();
    block.bytes = blocks[k].bytes;
    block.length = blocks[k].end - blocks[k].begin;
    block.first = section_of(blocks[k].begin);
    block.last = section_of(blocks[k].end);
    for (std::uint32_t s = block.first; s < block.last; ++s) {
      living_[s].push_back(k);
    }
    for (std::uint32_t other = 0; other < k; ++other) {
      if (meet(blocks[k], blocks[other])) {
        block.neighbours.push_back(other);
        blocks_[other].neighbours.push_back(k);
      }
    }
  }
  reset();
  for (const Block& block : blocks_) {
    std::uint64_t crowd = 0;
    for (std::uint32_t s = block.first; s < block.last; ++s) {
      crowd = std::max(crowd, sections_[s].to_come);
    }
    crowd_.push_back(crowd);
  }
}

void PackingSearch::reset() {
  std::fill(sections_.begin(), sections_.end(), Section());
  for (Block& block : blocks_) {
    block.is_placed = false;
    block.lowest = 0;
    for (std::uint32_t s = block.first; s < block.last; ++s) {
      sections_[s].to_come += block.bytes;
      sections_[s].crossing += s + 1 < block.last ? 1 : 0;
    }
  }
}

std::optional<Layout> PackingSearch::fit(std::uint64_t height, std::uint64_t steps) {
  height_ = height;
  found_ = Layout{.height = height, .offsets = std::vector<std::uint64_t>(blocks_.size())};
  // Each preference gets a little, then each twice as much: which is good is not known beforehand.
  std::uint64_t share = std::max<std::uint64_t>(2 * blocks_.size(), 1);
  while (steps > 0) {
    for (std::size_t preference = 0; preference < kPreferences.size(); ++preference) {
      steps_ = std::min(share, steps);
      const std::uint64_t given = steps_;
      const Outcome outcome = search_all(preference);
      if (outcome == Outcome::kFits) {
        return found_;
      }
      if (outcome == Outcome::kDoesNot) {
        return std::nullopt;
      }
      steps -= given - steps_;
      if (steps == 0) {
        return std::nullopt;
      }
    }
    share *= 2;
  }
  return std::nullopt;
}

PackingSearch::Outcome PackingSearch::search_all(std::size_t preference) {
  reset();
  Part all{.first = 0, .last = static_cast<std::uint32_t>(sections_.size()), .blocks = {}};
  all.blocks.resize(blocks_.size());
  std::iota(all.blocks.begin(), all.blocks.end(), 0u);
  const auto trait = [&](Trait which, std::uint32_t k) -> std::uint64_t {
    const Block& block = blocks_[k];
    switch (which) {
      case Trait::kLength:
        return block.length;
      case Trait::kSections:
        return block.last - block.first;
      case Trait::kArea:
        return block.length * block.bytes;
      case Trait::kCrowd:
        break;
    }
    return crowd_[k];
  };
  const auto key = [&](std::uint32_t k) {
    const auto& [first, second, third] = kPreferences[preference];
    return std::tuple(trait(first, k), trait(second, k), trait(third, k));
  };
  std::stable_sort(all.blocks.begin(), all.blocks.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return key(a) > key(b); });
  rank_.resize(blocks_.size());
  for (std::uint32_t rank = 0; rank < all.blocks.size(); ++rank) {
    rank_[all.blocks[rank]] = rank;
  }
  if (!can_hold(all, 0)) {
    return Outcome::kDoesNot;
  }
  return search_sides(all, ~std::uint32_t{0}, 0, 0);
}

// least, least_rank   where the block placed before lies, and its rank: the next comes behind it
PackingSearch::Outcome PackingSearch::search(const Part& part, std::uint64_t least,
                                             std::uint32_t least_rank) {
  if (steps_ == 0) {
    return Outcome::kGaveUp;
  }
  --steps_;
  std::vector<std::uint32_t> order = part.blocks;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tuple(blocks_[a].lowest, rank_[a]) < std::tuple(blocks_[b].lowest, rank_[b]);
  });
  // What lies at or above the lowest top could have had another block below it.
  std::uint64_t lowest_top = kNowhere;
  for (const std::uint32_t k : order) {
    lowest_top = std::min(lowest_top, blocks_[k].lowest + blocks_[k].bytes);
  }
  std::vector<Undo> lowest;
  std::vector<Undo> floors;
  for (const std::uint32_t k : order) {
    const std::uint64_t offset = blocks_[k].lowest;
    if (offset >= lowest_top) {
      break;
    }
    if (offset < least || (offset == least && rank_[k] < least_rank)) {
      continue;
    }
    place(k, lowest, floors);
    Outcome outcome = Outcome::kDoesNot;
    if (can_hold(part, offset)) {
      outcome = search_sides(part, k, offset, rank_[k]);
    }
    if (outcome == Outcome::kFits) {
      found_.offsets[k] = offset;
    }
    take_back(k, lowest, floors);
    if (outcome != Outcome::kDoesNot) {
      return outcome;
    }
  }
  return Outcome::kDoesNot;
}

// Searches what is left of a part, cut where no unplaced block crosses from one section to the next.
PackingSearch::Outcome PackingSearch::search_sides(const Part& part, std::uint32_t placed,
                                                   std::uint64_t least, std::uint32_t least_rank) {
  std::vector<Part> sides(1);
  std::vector<std::uint32_t> side_of(part.last - part.first);
  sides[0].first = part.first;
  for (std::uint32_t s = part.first; s < part.last; ++s) {
    side_of[s - part.first] = static_cast<std::uint32_t>(sides.size() - 1);
    sides.back().last = s + 1;
    if (sections_[s].crossing == 0 && s + 1 < part.last) {
      sides.emplace_back().first = s + 1;
    }
  }
  for (const std::uint32_t k : part.blocks) {
    if (k != placed) {
      sides[side_of[blocks_[k].first - part.first]].blocks.push_back(k);
    }
  }
  // The small ones first: if one does not fit, the others need not be looked at.
  std::stable_sort(sides.begin(), sides.end(),
                   [](const Part& a, const Part& b) { return a.blocks.size() < b.blocks.size(); });
  for (const Part& side : sides) {
    if (side.blocks.empty()) {
      continue;
    }
    const Outcome outcome = search(side, least, least_rank);
    if (outcome != Outcome::kFits) {
      return outcome;
    }
  }
  return Outcome::kFits;
}

void PackingSearch::place(std::uint32_t k, std::vector<Undo>& lowest, std::vector<Undo>& floors) {
  lowest.clear();
  floors.clear();
  Block& block = blocks_[k];
  block.is_placed = true;
  block.offset = block.lowest;
  const std::uint64_t top = block.offset + block.bytes;
  std::vector<std::uint32_t> sections;
  for (const std::uint32_t other : block.neighbours) {
    Block& raised = blocks_[other];
    if (raised.is_placed || raised.lowest >= top) {
      continue;
    }
    lowest.push_back({other, raised.lowest});
    raised.lowest = top;
    for (std::uint32_t s = raised.first; s < raised.last; ++s) {
      if (!touched_[s]) {
        touched_[s] = true;
        sections.push_back(s);
      }
    }
  }
  for (std::uint32_t s = block.first; s < block.last; ++s) {
    floors.push_back({s, sections_[s].floor});
    sections_[s].floor = top;
    sections_[s].to_come -= block.bytes;
    sections_[s].crossing -= s + 1 < block.last ? 1 : 0;
  }
  // No section's floor is below the lowest that any block can still have there.
  for (const std::uint32_t s : sections) {
    touched_[s] = false;
    std::uint64_t least = kNowhere;
    for (const std::uint32_t other : living_[s]) {
      if (!blocks_[other].is_placed) {
        least = std::min(least, blocks_[other].lowest);
      }
    }
    if (least != kNowhere && sections_[s].floor < least) {
      floors.push_back({s, sections_[s].floor});
      sections_[s].floor = least;
    }
  }
}

void PackingSearch::take_back(std::uint32_t k, const std::vector<Undo>& lowest,
                              const std::vector<Undo>& floors) {
  for (auto undo = floors.rbegin(); undo != floors.rend(); ++undo) {
    sections_[undo->where].floor = undo->was;
  }
  for (auto undo = lowest.rbegin(); undo != lowest.rend(); ++undo) {
    blocks_[undo->where].lowest = undo->was;
  }
  Block& block = blocks_[k];
  block.is_placed = false;
  for (std::uint32_t s = block.first; s < block.last; ++s) {
    sections_[s].to_come += block.bytes;
    sections_[s].crossing += s + 1 < block.last ? 1 : 0;
  }
}

bool PackingSearch::can_hold(const Part& part, std::uint64_t least) const {
  for (std::uint32_t s = part.first; s < part.last; ++s) {
    const Section& section = sections_[s];
    if (section.to_come != 0 && std::max(section.floor, least) + section.to_come > height_) {
      return false;
    }
    if (section.floor > height_) {
      return false;
    }
  }
  return true;
}

}  // namespace tenure
