// What a plain best fit takes of one endless stretch of addresses, where whatever was handed back is free
// for anyone at once: no streams, no pieces, no mapping.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace tenure::testing {

class BestFitOracle {
 public:
  /// Gives the address of a block of `size` bytes: the smallest hole that holds it, of these the lowest,
  /// or the end.
  std::uint64_t take(std::uint64_t size) {
    auto best = holes_.end();
    for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
      if (hole->second >= size && (best == holes_.end() || hole->second < best->second)) {
        best = hole;
      }
    }
    if (best == holes_.end()) {
      const bool last_touches_end =
          !holes_.empty() && holes_.rbegin()->first + holes_.rbegin()->second == end_;
      const std::uint64_t at = last_touches_end ? holes_.rbegin()->first : end_;
      if (last_touches_end) {
        holes_.erase(std::prev(holes_.end()));
      }
      end_ = at + size;
      return at;
    }
    const auto [at, room] = *best;
    holes_.erase(best);
    if (room > size) {
      holes_[at + size] = room - size;
    }
    return at;
  }

  void give(std::uint64_t at, std::uint64_t size) {
    auto hole = holes_.emplace(at, size).first;
    const auto after = std::next(hole);
    if (after != holes_.end() && at + size == after->first) {
      hole->second += after->second;
      holes_.erase(after);
    }
    if (hole != holes_.begin()) {
      const auto before = std::prev(hole);
      if (before->first + before->second == at) {
        before->second += hole->second;
        holes_.erase(hole);
      }
    }
  }

  /// The most bytes that it ever took up.
  [[nodiscard]] std::uint64_t peak() const { return end_; }

 private:
  std::map<std::uint64_t, std::uint64_t> holes_;  // bytes, by address
  std::uint64_t end_ = 0;
};

}  // namespace tenure::testing
