// A shuffle of [0, count) that needs no memory: the place of any number is computed, by any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace tenure::bench {

/// Source: the finaliser of MurmurHash3 (public domain).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  return x ^ x >> 33;
}

class Shuffle {
 public:
  explicit Shuffle(std::uint32_t count)
      : count_(count), bits_(static_cast<std::uint32_t>(std::bit_width(std::max(count, 4u) - 1))) {}

  // Why a loop: the rounds shuffle a power of two; what falls outside goes round again, and each
  // number comes to lie inside at last, since the rounds can be undone.
  [[nodiscard]] std::uint32_t operator()(std::uint32_t number) const {
    do {
      number = rounds(number);
    } while (number >= count_);
    return number;
  }

 private:
  // Each step, a product with an odd number or a shift by half the width, can be undone.
  [[nodiscard]] std::uint32_t rounds(std::uint32_t x) const {
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << bits_) - 1);
    const std::uint32_t half = (bits_ + 1) / 2;
    for (const std::uint32_t factor : {0x9E3779B1u, 0x85EBCA6Bu, 0xC2B2AE35u}) {
      x = (x * factor + 0x27D4EB2Fu) & mask;
      x ^= x >> half;
    }
    return x;
  }

  std::uint32_t count_;
  std::uint32_t bits_;
};

}  // namespace tenure::bench
