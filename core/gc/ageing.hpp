// When objects leave a young generation: as soon as one collection more would let too few of them die
// to be worth copying the others again. Numbers in, decisions out.
//
//   age in generation g    0 --> 1 --> 2 --> up
//   died on the way           40 %  25 %          of the last step: keeps the age, or takes it back
//
// Invariant: an age is between 1 and the most that was allowed.
#pragma once

#include <array>
#include <cstdint>

#include "tenure/object.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// Granules that survived a collection, by the generation and the age that they had before it.
using Survivors = std::array<std::array<std::uint64_t, kAgeLimit + 1>, kMaxGenerations>;

/// source  Ungar and Jackson, "Tenuring policies for generation-based storage reclamation" (OOPSLA
///         1988): the threshold follows what survives. Here by deaths a step, not by a target size.
class Ageing {
 public:
  /// most   survivals before promotion, by young generation; what it begins with
  Ageing(const PerGeneration& most, std::uint32_t generations);

  /// A young collection of generations 0 to `last` is over.
  void learn(std::uint32_t last, const Survivors& survivors);

  /// Takes `age` from now on, and as the most that is learnt.
  void set(std::uint32_t generation, std::uint32_t age) {
    rows_[generation].most = age;
    rows_[generation].waiting = 0;
    set_age(rows_[generation], age);
  }

  /// Survivals in `generation` before an object leaves it, in the next collection.
  [[nodiscard]] std::uint32_t age(std::uint32_t generation) const { return rows_[generation].age; }

 private:
  // The last step is from age - 1 to age, where an object goes up.
  struct Row {
    std::uint32_t most = 1;
    std::uint32_t age = 1;
    std::uint64_t waiting = 0;   // granules that have all steps but the last behind them
    std::uint64_t came = 0;      // to the last step, in the collections that were measured
    std::uint64_t survived = 0;  // it
    std::uint32_t measured = 0;
    std::uint32_t quiet = 0;                  // collections since the age was last decided on
    std::uint32_t patience = kLeastPatience;  // of them, before one more step is tried
  };

  static void learn(Row& row, const std::array<std::uint64_t, kAgeLimit + 1>& survivors);
  static void decide(Row& row);
  static void set_age(Row& row, std::uint32_t age);

  // Copying what waits costs as much as promoting it; what dies saves that, and its part in markings.
  static constexpr double kWorth = 0.3;
  static constexpr std::uint32_t kEnough = 4;  // collections measured before it is decided
  static constexpr std::uint32_t kLeastPatience = 16;
  static constexpr std::uint32_t kMostPatience = 1024;

  std::array<Row, kMaxGenerations> rows_{};
};

}  // namespace tenure
