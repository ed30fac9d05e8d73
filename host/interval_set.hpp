// Stretches of a line of numbers: which bytes of a range are mapped, which addresses are locked.
//
// Invariant: the stretches are disjoint, none is empty, and none begins where another ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace tenure {

/// Half-open stretches [first, end). Each call costs O(log n), and what it erases.
///
/// threads  one at a time
class IntervalSet {
 public:
  /// Adds [first, end), none of which is in the set.
  void add(std::uint64_t first, std::uint64_t end);

  /// Takes [first, end) out, as far as it is in the set.
  ///
  /// returns  how much of it was
  std::uint64_t erase(std::uint64_t first, std::uint64_t end);

  /// How much of [first, end) is in the set.
  [[nodiscard]] std::uint64_t covered(std::uint64_t first, std::uint64_t end) const;

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::size_t stretches() const { return stretches_.size(); }

  /// Each stretch as its first and its end, in order.
  using Map = std::map<std::uint64_t, std::uint64_t>;
  [[nodiscard]] Map::const_iterator begin() const { return stretches_.begin(); }
  [[nodiscard]] Map::const_iterator end() const { return stretches_.end(); }

 private:
  // The first stretch that ends behind `place`.
  [[nodiscard]] Map::const_iterator behind(std::uint64_t place) const;

  Map stretches_;
  std::uint64_t total_ = 0;
};

}  // namespace tenure
