// Numbers drawn at random, the same in every run, fast enough to stand inside a timed loop.
#pragma once

#include <cstdint>

namespace tenure::bench {

/// Source: xorshift64* (Vigna, ACM TOMS 42.4, 2016). Three shifts, each behind the one before, and a
/// multiplication.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0x9E3779B97F4A7C15u) : state_(seed) {}

  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }

  /// 0 to `limit` - 1. Not quite even, which no bench can tell.
  std::uint32_t below(std::uint32_t limit) {
    return static_cast<std::uint32_t>((next() >> 32) * limit >> 32);
  }

 private:
  std::uint64_t state_;  // never 0
};

}  // namespace tenure::bench
