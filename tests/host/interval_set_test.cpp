#include "host/interval_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tenure {
namespace {

TEST(IntervalSetTest, JoinsNeighbours) {
  IntervalSet set;
  set.add(0, 10);
  set.add(20, 30);

  set.add(10, 20);

  EXPECT_EQ(set.covered(0, 30), 30u);
  EXPECT_EQ(set.stretches(), 1u);
}

TEST(IntervalSetTest, ErasesTheMiddleOfAStretch) {
  IntervalSet set;
  set.add(0, 30);

  EXPECT_EQ(set.erase(10, 20), 10u);

  EXPECT_EQ(set.covered(0, 10), 10u);
  EXPECT_EQ(set.covered(10, 20), 0u);
  EXPECT_EQ(set.covered(20, 30), 10u);
}

TEST(IntervalSetTest, ErasesAcrossStretchesAndWhatIsNotThere) {
  IntervalSet set;
  set.add(0, 10);
  set.add(20, 30);

  EXPECT_EQ(set.erase(5, 25), 10u);

  EXPECT_EQ(set.total(), 10u);
  EXPECT_EQ(set.erase(100, 200), 0u);
}

TEST(IntervalSetDeathTest, StopsWhereSomethingIsAddedTwice) {
  IntervalSet set;
  set.add(0, 10);

  EXPECT_DEATH(set.add(9, 12), "new to the set");
  EXPECT_DEATH(set.add(12, 12), "new to the set");
}

TEST(IntervalSetTest, AgreesWithABitForEachNumber) {
  constexpr std::uint64_t kLine = 200;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    IntervalSet set;
    std::vector<bool> bits(kLine);
    for (int step = 0; step < 500; ++step) {
      std::uint64_t first = random() % kLine;
      std::uint64_t end = random() % kLine;
      if (first > end) std::swap(first, end);
      const auto from = bits.begin() + static_cast<std::ptrdiff_t>(first);
      const auto to = bits.begin() + static_cast<std::ptrdiff_t>(end);
      const auto inside = static_cast<std::uint64_t>(std::count(from, to, true));

      ASSERT_EQ(set.covered(first, end), inside) << "seed " << seed << ", step " << step;
      if (inside == 0 && first < end) {
        set.add(first, end);
        std::fill(from, to, true);
      } else {
        ASSERT_EQ(set.erase(first, end), inside) << "seed " << seed << ", step " << step;
        std::fill(from, to, false);
      }
      ASSERT_EQ(set.total(), static_cast<std::uint64_t>(std::count(bits.begin(), bits.end(), true)))
          << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace tenure
