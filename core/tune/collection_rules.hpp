// Four rules for the parameters of young collections, by what the last of them took and promoted:
//
//   mean pause > 1.5 x target   nursery x 0.8          promoted share > 0.8   age + 1, to 10
//              < 0.5 x target   nursery x 1.1                         < 0.2   age - 1, to 1
//
// Source: the promise to users. Numbers in, numbers out.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenure {

/// Collections, as the rules see them.
struct YoungFigures {
  std::uint64_t collections = 0;
  double mean_pause_ns = 0;
  double target_ns = 0;
  double promoted_share = 0;  // of the bytes that survived
};

struct YoungParameters {
  double nursery = 0;     // bytes: the most that is used of it
  std::uint32_t age = 1;  // survivals in generation 0 before promotion
};

struct YoungBounds {
  double least_nursery = 0;
  double most_nursery = 0;
};

inline constexpr std::uint64_t kEnoughForRules = 10;  // collections
inline constexpr std::uint32_t kMostRuledAge = 10;

/// What the rules make of the parameters; the same where they have nothing to say, or are at a bound.
[[nodiscard]] inline YoungParameters apply_rules(const YoungFigures& of, YoungParameters now,
                                                 const YoungBounds& bounds) {
  constexpr double kLong = 1.5;
  constexpr double kShort = 0.5;
  constexpr double kLess = 0.8;
  constexpr double kMore = 1.1;
  constexpr double kMuch = 0.8;
  constexpr double kLittle = 0.2;
  if (of.collections < kEnoughForRules) {
    return now;
  }
  if (of.mean_pause_ns > kLong * of.target_ns) {
    now.nursery = std::max(kLess * now.nursery, std::min(now.nursery, bounds.least_nursery));
  } else if (of.mean_pause_ns < kShort * of.target_ns) {
    now.nursery = std::max(now.nursery, std::min(kMore * now.nursery, bounds.most_nursery));
  }
  if (of.promoted_share > kMuch) {
    now.age = std::max(now.age, std::min(now.age + 1, kMostRuledAge));
  } else if (of.promoted_share < kLittle) {
    now.age = std::max(now.age, 2u) - 1;
  }
  return now;
}

}  // namespace tenure
