// Payloads with random bytes in them, which can be asked whether they are still there.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "tenure/payload.hpp"

namespace tenure::testing {

/// Writes the bytes that belong to a seed: each word tells its place, so that bytes of another payload,
/// or moved ones, are told apart.
inline void fill_from_seed(std::byte* at, Bytes size, std::uint64_t seed) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  std::uint64_t word = seed * kOdd + 1;
  for (std::uint64_t k = 0; k < size.count(); k += sizeof word, word = word * kOdd + seed) {
    std::memcpy(at + k, &word, std::min<std::uint64_t>(sizeof word, size.count() - k));
  }
}
inline bool is_from_seed(const std::byte* at, Bytes size, std::uint64_t seed) {
  std::vector<std::byte> expected(size.count());
  fill_from_seed(expected.data(), size, seed);
  return std::memcmp(at, expected.data(), size.count()) == 0;
}

struct FilledPayload {
  PayloadLease lease;
  std::byte* at = nullptr;
  std::uint64_t seed = 0;

  FilledPayload(PayloadLease of, std::uint64_t seed_of)
      : lease(std::move(of)), at(lease.data()), seed(seed_of) {}
  void fill() const { fill_from_seed(at, lease.size(), seed); }
  [[nodiscard]] bool is_whole() const {
    return lease.data() == at && is_from_seed(at, lease.size(), seed);
  }
};

/// How many of them have other bytes than were put there.
inline std::size_t count_broken(const std::vector<FilledPayload>& payloads) {
  std::size_t broken = 0;
  for (const FilledPayload& payload : payloads) {
    broken += payload.is_whole() ? 0 : 1;
  }
  return broken;
}

/// From `least` to `most` bytes, small ones as often as large ones.
inline Bytes random_size(std::mt19937_64& random, Bytes least, Bytes most) {
  const std::uint64_t scale = random() % 64;
  return least +
         Bytes{random() % ((most - least).count() >> std::min<std::uint64_t>(scale % 12, 11))};
}

}  // namespace tenure::testing
