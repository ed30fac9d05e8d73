// From an object's place to its number among all objects, by counting bits: two kinds of loads where a
// hash table of 10^6 places would miss the cache at each look.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/model/region.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Places are added in rising order, and get the numbers 0, 1, 2, ...
class StartIndex {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  StartIndex() : pages_(kRegions, kNone) {}

  void add(ObjectIndex object) {
    std::uint32_t& page = pages_[region_of(object)];
    if (page == kNone) {
      page = static_cast<std::uint32_t>(rows_.size());
      rows_.emplace_back();
    }
    const std::uint32_t bit = bit_of(object);
    Row& row = rows_[page];
    row.bits[bit / 64] |= std::uint64_t{1} << (bit % 64);
    if (last_page_ != page || last_word_ != bit / 64) {
      row.before[bit / 64] = count_;
      last_page_ = page;
      last_word_ = bit / 64;
    }
    ++count_;
  }

  /// The number of the object there; kNone where there is none.
  [[nodiscard]] std::uint32_t find(ObjectIndex object) const {
    const std::uint32_t page = pages_[region_of(object)];
    if (page == kNone) {
      return kNone;
    }
    const Row& row = rows_[page];
    const std::uint32_t bit = bit_of(object);
    const std::uint64_t below = row.bits[bit / 64] << (63 - bit % 64);
    return (below >> 63) == 0
               ? kNone
               : row.before[bit / 64] + static_cast<std::uint32_t>(std::popcount(below)) - 1;
  }

 private:
  static constexpr std::size_t kWords = kGranulesPerRegion / kGranulesPerMark / 64;
  struct Row {
    std::array<std::uint64_t, kWords>
        bits{};  // one for two granules, of which one can start an object
    std::array<std::uint32_t, kWords> before{};  // objects before the word's first
  };
  static std::uint32_t bit_of(ObjectIndex object) {
    return static_cast<std::uint32_t>(object) % kGranulesPerRegion / kGranulesPerMark;
  }

  std::vector<std::uint32_t> pages_;  // by region
  std::vector<Row> rows_;
  std::uint32_t count_ = 0;
  std::uint32_t last_page_ = kNone;
  std::uint32_t last_word_ = 0;
};

}  // namespace tenure
