#include "core/payload/recent_returns.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace tenure {
namespace {

constexpr StreamId kOther{1};

void come_back(PayloadBlock& block, std::uint64_t size, StreamId stream = StreamId::kDefault) {
  block.size = size;
  block.uses.begin(stream);
}

TEST(RecentReturns, GiveTheLatestBlockOfASize) {
  RecentReturns recent;
  PayloadBlock first;
  PayloadBlock second;
  come_back(first, 512);
  come_back(second, 512);
  recent.put(first);
  recent.put(second);

  EXPECT_EQ(recent.take(1024, StreamId::kDefault), nullptr);
  EXPECT_EQ(recent.take(512, StreamId::kDefault), &second);
  EXPECT_EQ(recent.take(512, StreamId::kDefault), &first);
  EXPECT_EQ(recent.take(512, StreamId::kDefault), nullptr);
}

TEST(RecentReturns, GiveNoStreamWhatAnotherUsed) {
  RecentReturns recent;
  PayloadBlock alone;
  PayloadBlock shared;
  come_back(alone, 512, kOther);
  come_back(shared, 1024);
  shared.uses.add_ongoing(kOther);
  recent.put(alone);
  recent.put(shared);

  EXPECT_EQ(recent.take(512, StreamId::kDefault), nullptr);
  EXPECT_EQ(recent.take(1024, StreamId::kDefault), nullptr);
  EXPECT_EQ(recent.take(512, kOther), &alone);
}

TEST(RecentReturns, GiveAllOfThemOnce) {
  RecentReturns recent;
  std::vector<PayloadBlock> blocks(300);  // many share a place
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    come_back(blocks[k], 512 * (1 + k % 200));
    recent.put(blocks[k]);
  }

  std::set<PayloadBlock*> seen;
  recent.take_all([&](PayloadBlock& block) { EXPECT_TRUE(seen.insert(&block).second); });
  EXPECT_EQ(seen.size(), blocks.size());
  recent.take_all([](PayloadBlock&) { FAIL() << "one was left"; });
  EXPECT_EQ(recent.take(512, StreamId::kDefault), nullptr);
}

}  // namespace
}  // namespace tenure
