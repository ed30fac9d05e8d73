// How much a young collection may take on, so that its stop keeps the pause target: what survives is
// what a stop costs. Numbers in, decisions out: no clock of its own.
#pragma once

#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

class PauseBudget {
 public:
  /// target_ns   of a stop; what is aimed at is less, since survivors come in bursts
  /// nursery     the most that is ever used of it
  PauseBudget(std::uint64_t target_ns, Bytes nursery) : target_ns_(target_ns), most_(nursery) {}

  /// Learns from a young collection.
  ///
  /// taken       bytes of the generations it collected
  /// survived    bytes it copied
  void learn(Bytes taken, Bytes survived, std::uint64_t pause_ns);

  /// What to use of the nursery before it is collected.
  [[nodiscard]] Bytes nursery() const { return nursery_.is_zero() ? most_ : nursery_; }
  /// What a middle generation may hold before it is: nearly all of it has to be copied.
  [[nodiscard]] Bytes survivors() const;

  /// The program asked for a nursery of another size.
  void limit_nursery(Bytes nursery);

 private:
  static constexpr double kAim = 0.5;      // of the target
  static constexpr double kForget = 0.25;  // weight of the newest collection
  static constexpr double kGrowth =
      1.5;  // a nursery grows by no more at a time; it shrinks at once
  // Below, collections are so frequent that stopping alone costs more than what they save.
  static constexpr Bytes kLeast{512u << 10};
  // A survivor's cost before any was seen. Measured: bench `young`, 34 to 125 ns each.
  static constexpr double kFirstNsPerByte = 3.0;

  std::uint64_t target_ns_;
  Bytes most_;
  Bytes nursery_;  // zero until something was learnt
  double ns_per_byte_ = kFirstNsPerByte;
  double survival_ = 0.0;  // of a byte
};

}  // namespace tenure
