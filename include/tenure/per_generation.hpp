// A number for each generation, or one number for all of them. What the numbers say, and for which
// generations there are any, is said where one is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace tenure {

/// One number for all, a list with the youngest generation's first, or nothing: then the default is
/// what the default is for so many generations.
///
///   config.promotion_age = 2;        // for all
///   config.promotion_age = {3, 1};   // generation 0, generation 1
class PerGeneration {
 public:
  PerGeneration() = default;
  // Why not explicit, these two: a configuration is written with designated initialisers.
  PerGeneration(std::uint32_t for_all) : numbers_{for_all} {}
  PerGeneration(std::initializer_list<std::uint32_t> numbers) : numbers_(numbers) {}
  explicit PerGeneration(std::vector<std::uint32_t> numbers) : numbers_(std::move(numbers)) {}

  [[nodiscard]] bool is_default() const { return numbers_.empty(); }
  /// A list of one number is that number for all.
  [[nodiscard]] bool is_for_all() const { return numbers_.size() == 1; }

  /// The generation's number. `generation` is in the list, where this is one.
  [[nodiscard]] std::uint32_t operator[](std::size_t generation) const {
    return numbers_[is_for_all() ? 0 : generation];
  }
  /// As they were given.
  [[nodiscard]] const std::vector<std::uint32_t>& numbers() const { return numbers_; }

  friend bool operator==(const PerGeneration&, const PerGeneration&) = default;

 private:
  std::vector<std::uint32_t> numbers_;
};

}  // namespace tenure
