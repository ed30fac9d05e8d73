#include "core/base/bitmap.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tenure {
namespace {

TEST(Bitmap, FindsTheNextSetAndClearBitAsAWalkDoes) {
  const std::uint64_t seed = 42;
  std::mt19937_64 random(seed);
  constexpr std::uint64_t kBits = 512;
  std::vector<std::uint32_t> words(kBits / kBitsPerWord);
  std::vector<bool> plain(kBits);
  for (std::uint64_t bit = 0; bit < kBits; ++bit) {
    if (random() % 9 == 0 || (bit > 200 && bit < 300)) {
      set_bit(words.data(), bit);
      plain[bit] = true;
    }
  }

  for (std::uint64_t from = 0; from <= kBits; ++from) {
    std::uint64_t set = from;
    while (set < kBits && !plain[set]) ++set;
    std::uint64_t clear = from;
    while (clear < kBits && plain[clear]) ++clear;
    ASSERT_EQ(next_set_bit(words.data(), from, kBits), set) << "seed " << seed;
    ASSERT_EQ(next_clear_bit(words.data(), from, kBits), clear) << "seed " << seed;
  }
}

TEST(Bitmap, StopsAtAnEndWithinAWord) {
  std::uint32_t word = 1u << 20;

  EXPECT_EQ(next_set_bit(&word, 0, 20), 20u);
  EXPECT_EQ(next_set_bit(&word, 0, 21), 20u);
  EXPECT_EQ(next_clear_bit(&word, 20, 21), 21u);
}

TEST(Bitmap, CountsAndClearsWholeWords) {
  std::vector<std::uint32_t> words(8, 0xFFFFFFFFu);

  clear_words(words.data(), 64, 128);

  EXPECT_EQ(count_words(words.data(), 0, 256), 192u);
  EXPECT_EQ(count_words(words.data(), 64, 128), 0u);
}

TEST(Bitmap, SetsAndClearsSingleBits) {
  std::uint32_t words[2] = {};

  set_bit(words, 33);
  set_bit(words, 34);
  clear_bit(words, 33);

  EXPECT_FALSE(test_bit(words, 33));
  EXPECT_TRUE(test_bit(words, 34));
}

}  // namespace
}  // namespace tenure
