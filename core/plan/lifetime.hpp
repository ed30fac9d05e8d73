// What a layout is made for: blocks whose whole lives are known. It knows neither pools nor traces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenure {

/// A block that needs `bytes` at one offset from time `begin` up to, not including, `end`. Times are
/// counts of events.
///
/// Where the times go round, as in an iteration that repeats, `end` <= `begin` is a life that goes on
/// past the last moment and ends in the next round; `end` = `begin` is one that never ends.
struct Lifetime {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint64_t bytes = 0;

  [[nodiscard]] bool goes_round() const { return end <= begin; }
};

/// Whether two lives have a moment in common.
[[nodiscard]] inline bool meet(const Lifetime& a, const Lifetime& b) {
  if (a.goes_round() && b.goes_round()) {
    return true;  // at the turn
  }
  if (a.goes_round() || b.goes_round()) {
    const Lifetime& round = a.goes_round() ? a : b;
    const Lifetime& other = a.goes_round() ? b : a;
    return other.begin < round.end || other.end > round.begin;
  }
  return a.begin < b.end && b.begin < a.end;
}

/// The most bytes that live at once: no layout is lower.
[[nodiscard]] std::uint64_t peak_of(std::span<const Lifetime> blocks);

/// A place for each block.
struct Layout {
  std::uint64_t height = 0;            // bytes
  std::vector<std::uint64_t> offsets;  // [blocks]
};

/// Whether no two blocks share a byte at the same time and all lie below the height; the fault, in a
/// sentence, or empty. It shares nothing with what makes layouts.
///
/// cost     O(n log n)
[[nodiscard]] std::string fault_of(std::span<const Lifetime> blocks, const Layout& layout);

}  // namespace tenure
