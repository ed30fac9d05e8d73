// Ranges of bits in arrays of 32-bit words: cleared, counted, walked. Words are 32 bits because a
// device sets bits by a 32-bit atomic; ranges that start and end on words are read by pairs.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace tenure {

inline constexpr std::uint32_t kBitsPerWord = 32;

[[nodiscard]] constexpr bool test_bit(const std::uint32_t* words, std::uint64_t bit) {
  return (words[bit / kBitsPerWord] >> (bit % kBitsPerWord) & 1) != 0;
}
constexpr void set_bit(std::uint32_t* words, std::uint64_t bit) {
  words[bit / kBitsPerWord] |= 1u << (bit % kBitsPerWord);
}
constexpr void clear_bit(std::uint32_t* words, std::uint64_t bit) {
  words[bit / kBitsPerWord] &= ~(1u << (bit % kBitsPerWord));
}

/// Clears bits [first, end), both multiples of 32.
inline void clear_words(std::uint32_t* words, std::uint64_t first, std::uint64_t end) {
  std::memset(words + first / kBitsPerWord, 0, (end - first) / 8);
}

/// How many bits of [first, end) are set; both multiples of 64.
[[nodiscard]] inline std::uint64_t count_words(const std::uint32_t* words, std::uint64_t first,
                                               std::uint64_t end) {
  std::uint64_t count = 0;
  for (std::uint64_t word = first / kBitsPerWord; word < end / kBitsPerWord; word += 2) {
    std::uint64_t pair = 0;
    std::memcpy(&pair, words + word, sizeof(pair));
    count += static_cast<std::uint64_t>(std::popcount(pair));
  }
  return count;
}

/// The first set bit of [from, end), or `end`.
[[nodiscard]] constexpr std::uint64_t next_set_bit(const std::uint32_t* words, std::uint64_t from,
                                                   std::uint64_t end) {
  while (from < end) {
    const std::uint32_t rest = words[from / kBitsPerWord] >> (from % kBitsPerWord);
    if (rest != 0) {
      const std::uint64_t found = from + static_cast<std::uint64_t>(std::countr_zero(rest));
      return found < end ? found : end;
    }
    from = (from / kBitsPerWord + 1) * kBitsPerWord;
  }
  return end;
}

/// The first clear bit of [from, end), or `end`.
[[nodiscard]] constexpr std::uint64_t next_clear_bit(const std::uint32_t* words, std::uint64_t from,
                                                     std::uint64_t end) {
  while (from < end) {
    const std::uint32_t rest = ~words[from / kBitsPerWord] >> (from % kBitsPerWord);
    if (rest != 0) {
      const std::uint64_t found = from + static_cast<std::uint64_t>(std::countr_zero(rest));
      return found < end ? found : end;
    }
    from = (from / kBitsPerWord + 1) * kBitsPerWord;
  }
  return end;
}

}  // namespace tenure
