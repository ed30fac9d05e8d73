// Whether blocks fit into a given height, by search: for hard problems of a few hundred blocks.
//
// Blocks are chosen from the bottom up: each is placed on what lies below it, at the lowest offset that
// its own time leaves, and never lower than the block placed before it, so that each layout is met
// once. A choice is given up where some moment can no longer hold what is still to come there. Where
// what was placed cuts time in two, the sides are searched by themselves.
//
// Source: MiniMalloc (Moffitt, ASPLOS 2023), whose paper has the canonical order, the dominance rule
// and the floors of sections.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/plan/lifetime.hpp"

namespace tenure {

class PackingSearch {
 public:
  /// blocks   none goes round
  explicit PackingSearch(std::span<const Lifetime> blocks);

  /// A layout no higher than `height`; none where the steps did not do, or where there is none.
  [[nodiscard]] std::optional<Layout> fit(std::uint64_t height, std::uint64_t steps);

 private:
  enum class Outcome : std::uint8_t { kFits, kDoesNot, kGaveUp };

  // Moments between two changes.
  struct Section {
    std::uint64_t floor = 0;  // nothing more can be placed lower here
    std::uint64_t to_come = 0;
    std::uint32_t crossing = 0;  // unplaced blocks that live here and in the next section
  };
  struct Block {
    std::uint64_t bytes = 0;
    std::uint32_t length = 0;
    std::uint32_t first = 0;  // sections [first, last)
    std::uint32_t last = 0;
    std::uint64_t lowest = 0;  // offset that what is placed leaves it
    bool is_placed = false;
    std::uint64_t offset = 0;
    std::vector<std::uint32_t> neighbours;  // blocks that live at the same time
  };
  struct Part {
    std::uint32_t first = 0;  // sections [first, last)
    std::uint32_t last = 0;
    std::vector<std::uint32_t> blocks;  // unplaced ones, by preference
  };
  struct Undo {
    std::uint32_t where;
    std::uint64_t was;
  };

  void reset();
  [[nodiscard]] Outcome search_all(std::size_t preference);
  [[nodiscard]] Outcome search(const Part& part, std::uint64_t least, std::uint32_t least_rank);
  [[nodiscard]] Outcome search_sides(const Part& part, std::uint32_t placed, std::uint64_t least,
                                     std::uint32_t least_rank);
  void place(std::uint32_t k, std::vector<Undo>& lowest, std::vector<Undo>& floors);
  void take_back(std::uint32_t k, const std::vector<Undo>& lowest, const std::vector<Undo>& floors);
  [[nodiscard]] bool can_hold(const Part& part, std::uint64_t least) const;

  std::vector<Block> blocks_;
  std::vector<Section> sections_;
  std::vector<std::vector<std::uint32_t>> living_;  // [sections]
  std::vector<std::uint64_t> crowd_;                // [blocks] the most that live during its life
  std::vector<std::uint32_t> rank_;                 // [blocks] by the preference
  std::vector<bool> touched_;                       // [sections]
  Layout found_;
  std::uint64_t height_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace tenure
