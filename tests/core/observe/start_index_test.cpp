#include "core/observe/start_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tenure {
namespace {

TEST(StartIndex, NumbersPlacesInTheirOrderAndKnowsNoOthers) {
  constexpr std::uint64_t kSeed = 11;
  std::mt19937_64 draw(kSeed);
  StartIndex index;
  std::map<std::uint32_t, std::uint32_t> numbers;
  std::uint32_t place = 1;
  while (numbers.size() < 20'000) {
    index.add(static_cast<ObjectIndex>(place));
    numbers.emplace(place, static_cast<std::uint32_t>(numbers.size()));
    place += kSmallestObject + static_cast<std::uint32_t>(draw() % (draw() % 8 == 0 ? 90'000 : 6));
  }

  for (const auto& [at, number] : numbers) {
    ASSERT_EQ(index.find(static_cast<ObjectIndex>(at)), number) << "seed " << kSeed;
  }
  EXPECT_EQ(index.find(static_cast<ObjectIndex>(place + kGranulesPerRegion)), StartIndex::kNone);
  EXPECT_EQ(index.find(static_cast<ObjectIndex>(kGranulesPerRegion * 100'000u)), StartIndex::kNone);
}

TEST(StartIndex, FindsNothingBetweenTwoPlaces) {
  StartIndex index;
  index.add(static_cast<ObjectIndex>(64));
  index.add(static_cast<ObjectIndex>(70));

  EXPECT_EQ(index.find(static_cast<ObjectIndex>(66)), StartIndex::kNone);
  EXPECT_EQ(index.find(static_cast<ObjectIndex>(70)), 1u);
}

}  // namespace
}  // namespace tenure
