// How much a young collection may take on, so that its stop keeps the pause target: what survives is
// what a stop costs. Numbers in, decisions out: no clock of its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

/// What a young collection took on, and what it cost.
struct YoungCost {
  Bytes youngest{};           // bytes in generation 0 before
  Bytes youngest_survived{};  // of those
  Bytes survived{};           // all that it copied, of older ones too
  std::uint64_t pause_ns = 0;
};

class PauseBudget {
 public:
  /// target_ns   of a stop; what is aimed at is less, by as much as stops scatter
  /// nursery     the most that is ever used of it
  /// middle      generations between the first and the oldest
  PauseBudget(std::uint64_t target_ns, Bytes nursery, std::uint32_t middle)
      : target_ns_(target_ns), most_(nursery), middle_(middle) {}

  void learn(const YoungCost& cost);

  /// What to use of the nursery before it is collected: its survivors, as they were of late, fit their
  /// part of the target, and all of it, should it survive, fits `kBurst` targets at the cost learnt.
  /// Survivors of earlier collections that share its generation are not counted.
  [[nodiscard]] Bytes nursery() const { return std::min(nursery_, burst()); }
  /// What a middle generation may hold before it is: nearly all of it has to be copied, in the same
  /// stop as what survives of the nursery. What comes to it with the next collection is allowed for.
  [[nodiscard]] Bytes middle() const;

  /// The program asked for a nursery of another size.
  void limit_nursery(Bytes nursery);

 private:
  [[nodiscard]] Bytes fits(double targets) const;
  void follow_misses(std::uint64_t pause_ns);
  [[nodiscard]] double reach() const { return std::max(1.0, reach_); }
  [[nodiscard]] Bytes burst() const { return fits(kBurst); }

  // Of the target, where stops scatter widely; times `reach_`, where they do not.
  static constexpr double kAimNursery = 0.35;
  static constexpr double kAimMiddle = 0.4;  // for all middle generations together
  static constexpr double kMostReach = 2.2;
  // How low it counts, so that what misses took away is not made up for too soon.
  static constexpr double kLeastReach = 0.25;
  // A stop past the target takes back what 200 within it gave: one in 200 is where reach settles.
  static constexpr double kReachUp = 1.004;
  static constexpr double kReachDown = 0.45;
  static constexpr double kBurst = 5.0;    // targets
  static constexpr double kForget = 0.25;  // weight of the newest collection
  // A nursery grows by no more at a time; it shrinks at once.
  static constexpr double kGrowth = 1.5;
  // Four mutators' buffers. Below, stopping alone costs more than what a shorter stop saves.
  static constexpr Bytes kLeast{128u << 10};
  static constexpr Bytes kLeastMiddle{32u << 10};
  // A survivor's cost before any was seen. Measured: bench `young`, 34 to 125 ns each, and `pause`.
  static constexpr double kFirstNsPerByte = 1.4;

  std::uint64_t target_ns_;
  Bytes most_;
  std::uint32_t middle_;
  Bytes nursery_ = most_;
  double ns_per_byte_ = kFirstNsPerByte;
  double survival_ = 0.0;  // of a byte of generation 0
  double reach_ = 1.0;
};

}  // namespace tenure
