// Draws which allocations are followed: points along all that is allocated, on average so many units
// apart and each where it likes. An allocation that one or more points lie in is drawn.
//
// Invariant: how far it is to the next point does not depend on what was passed, so that points may be
// drawn anew from any place on. An allocation of `size` is drawn with 1 - exp(-size / interval).
#pragma once

#include <cmath>
#include <cstdint>

namespace tenure {

/// How many allocations one of that size stands for.
[[nodiscard]] inline double weight_of(double size, double interval) {
  return 1.0 / -std::expm1(-size / interval);
}

/// threads  one
class ByteSampler {
 public:
  /// What is left until a point while there are none: more than is ever allocated.
  static constexpr std::uint64_t kNever = std::uint64_t{1} << 62;

  /// Draws points from now on, on average `interval` units apart.
  void begin(double interval, std::uint64_t seed) {
    interval_ = interval;
    state_ = (seed + 1) * kMixer;
    (void)next();
    draw();
  }
  /// Draws points further apart, or closer, from the end of what was passed last.
  void set_interval(double interval) {
    interval_ = interval;
    draw();
  }
  void end() {
    interval_ = 0;
    until_ = kNever;
  }
  [[nodiscard]] bool is_on() const { return interval_ > 0; }

  /// Units that pass before the next point.
  [[nodiscard]] std::uint64_t until() const { return until_; }

  /// Lets an allocation of so many units pass.
  ///
  /// returns  whether a point lay in it
  bool pass(std::uint64_t units) {
    if (units <= until_) [[likely]] {
      until_ -= units;
      return false;
    }
    draw();
    return true;
  }

 private:
  static constexpr std::uint64_t kMixer = 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio

  void draw() {
    constexpr double kSteps = 9007199254740992.0;  // 2^53, as many as a double tells apart
    const double even = (static_cast<double>(next() >> 11) + 1.0) / kSteps;  // (0, 1]
    const double units = -std::log(even) * interval_;
    until_ = units < static_cast<double>(kNever) ? static_cast<std::uint64_t>(units) : kNever;
  }
  // Source: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
  std::uint64_t next() {
    state_ += kMixer;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return mixed ^ mixed >> 31;
  }

  std::uint64_t until_ = kNever;
  std::uint64_t state_ = 0;
  double interval_ = 0;  // 0: nothing is drawn
};

/// Keeps samples from taking more than a hundredth of their thread's time: where they come too fast, points
/// move apart. An allocation's chance is known before it is drawn or not, so that sums stay without bias.
///
/// Measured: `bench profile`, leases of 1 MiB that nobody touches: without it most are drawn, at some us
/// each, and a lease takes 50 ns.
///
/// threads  one
class SamplingPace {
 public:
  /// How many times further apart points are than they were asked to be; 1 at least.
  [[nodiscard]] double factor() const { return factor_; }

  /// A sample was taken, in between.
  ///
  /// returns  whether the factor changed
  bool note(std::uint64_t begun_ns, std::uint64_t ended_ns) {
    const std::uint64_t apart = ended_ns - last_ns_;
    const std::uint64_t wanted = kHundred * (ended_ns - begun_ns);
    last_ns_ = ended_ns;
    const double before = factor_;
    if (apart < wanted) {
      factor_ = factor_ < kMostFactor ? factor_ * 2 : factor_;
    } else if (apart / 4 > wanted) {
      factor_ = factor_ > 1 ? factor_ / 2 : 1;
    }
    return factor_ != before;
  }

 private:
  static constexpr std::uint64_t kHundred = 100;
  static constexpr double kMostFactor = 1u << 20;

  double factor_ = 1;
  std::uint64_t last_ns_ = 0;
};

}  // namespace tenure
