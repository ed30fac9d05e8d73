#include "core/payload/stream_use.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tenure {
namespace {

constexpr StreamId kOne{1};
constexpr StreamId kTwo{2};

std::map<StreamId, std::uint64_t> epochs_of(const UseSet& set) {
  std::map<StreamId, std::uint64_t> epochs;
  set.for_each([&](StreamUse use) {
    EXPECT_TRUE(epochs.emplace(use.stream(), use.epoch()).second) << "a stream stands in it twice";
  });
  return epochs;
}

TEST(StreamUse, KeepsStreamAndEpochApart) {
  const StreamUse use(StreamId{kMaxStreams - 1}, StreamUse::kOngoing - 1);

  EXPECT_EQ(use.stream(), StreamId{kMaxStreams - 1});
  EXPECT_EQ(use.epoch(), StreamUse::kOngoing - 1);
  EXPECT_FALSE(use.is_none());
}

TEST(UseSet, KeepsTheLatestUseOfEachStreamAsAMapDoes) {
  const std::uint64_t seed = 11;
  std::mt19937_64 random(seed);
  UseSet set;
  std::map<StreamId, std::uint64_t> plain;

  for (int i = 0; i < 2000; ++i) {
    const StreamId stream{static_cast<std::uint32_t>(random() % 6)};
    const std::uint64_t epoch = 1 + random() % 1000;
    if (random() % 50 == 0) {
      set.erase_if([&](StreamUse use) { return use.epoch() < epoch; });
      std::erase_if(plain, [&](const auto& entry) { return entry.second < epoch; });
    } else {
      set.add(StreamUse(stream, epoch));
      plain[stream] = std::max(plain[stream], epoch);
    }

    ASSERT_EQ(epochs_of(set), plain) << "seed " << seed << ", step " << i;
    ASSERT_EQ(set.is_empty(), plain.empty());
    ASSERT_EQ(set.is_single(), plain.size() == 1);
  }
}

TEST(UseSet, CopiesWhatStandsBehind) {
  UseSet set;
  for (std::uint32_t stream = 0; stream < 5; ++stream) {
    set.add(StreamUse(StreamId{stream}, stream + 1));
  }

  const UseSet copy(set);
  set.clear();

  EXPECT_EQ(epochs_of(copy).size(), 5u);
  EXPECT_TRUE(set.is_empty());
}

TEST(UseSet, BeginsWithTheHomeStreamAlone) {
  UseSet set;
  set.add(StreamUse(kOne, 3));
  set.add(StreamUse(kTwo, 4));

  set.begin(kTwo);

  EXPECT_EQ(set.home(), kTwo);
  EXPECT_TRUE(set.is_only_ongoing(kTwo));
  EXPECT_FALSE(set.is_only_ongoing(kOne));
}

TEST(UseSet, TakesOneMoreUserWithoutTheLock) {
  UseSet set;
  set.begin(kOne);

  EXPECT_TRUE(set.try_add_ongoing(kOne));
  EXPECT_TRUE(set.try_add_ongoing(kTwo));
  EXPECT_TRUE(set.try_add_ongoing(kTwo));
  EXPECT_FALSE(set.try_add_ongoing(StreamId{3}));
  EXPECT_FALSE(set.is_only_ongoing(kOne));
  EXPECT_EQ(epochs_of(set).size(), 2u);
}

}  // namespace
}  // namespace tenure
