#include "core/payload/thread_cache.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace tenure {
namespace {

class ThreadCachesTest : public ::testing::Test {
 protected:
  ThreadCachesTest() {
    caches.keep_up_to(1 << 20);
    std::uint64_t size = 0;
    for (PayloadBlock& block : blocks) ready(block, size += 512);
  }
  // As a block is that was leased for all its bytes and handed back.
  static void ready(PayloadBlock& block, std::uint64_t size, StreamId stream = StreamId::kDefault,
                    ClientId client = ClientId::kNone) {
    block.size = size;
    block.set_asked(Bytes{size}, client);
    block.uses.begin(stream);
    block.state = BlockState::kReturned;
  }
  std::vector<PayloadBlock*> overflowed() {
    std::vector<PayloadBlock*> taken;
    overflow.take_all([&](PayloadBlock& block) { taken.push_back(&block); });
    return taken;
  }
  PayloadBlock* take(std::uint64_t asked, StreamId stream = StreamId::kDefault) {
    return caches.take(asked, stream).block;
  }

  RemoteFreeList overflow;
  ThreadCaches caches{overflow};
  std::array<PayloadBlock, 16> blocks;  // of 512, 1024, ... bytes
};

TEST_F(ThreadCachesTest, GiveBackWhatWasLeasedForTheSameAndNothingElse) {
  caches.put(blocks[0]);
  caches.put(blocks[1]);

  EXPECT_EQ(take(1536), nullptr);
  EXPECT_EQ(take(512, StreamId{1}), nullptr);
  EXPECT_EQ(take(1023), nullptr) << "less was asked for";
  EXPECT_EQ(take(1024), &blocks[1]);
  EXPECT_EQ(take(1024), nullptr);
  EXPECT_EQ(take(512), &blocks[0]);
  EXPECT_EQ(caches.hits(), 2u);
  EXPECT_EQ(overflowed(), std::vector<PayloadBlock*>{});
}

TEST_F(ThreadCachesTest, KeepAFewAndLeaveTheRestToThePool) {
  for (PayloadBlock& block : blocks) caches.put(block);

  EXPECT_EQ(overflowed().size(), blocks.size() - ThreadCaches::kPlaces);
  EXPECT_EQ(caches.drain(), ThreadCaches::kPlaces);
  EXPECT_EQ(overflowed().size(), ThreadCaches::kPlaces);
  EXPECT_EQ(caches.drain(), 0u);
}

TEST_F(ThreadCachesTest, KeepNoBlockThatIsLargeOrAClientsOrOfSeveralStreams) {
  ready(blocks[0], (1 << 20) + 512);
  ready(blocks[1], 512, StreamId::kDefault, ClientId{1});
  ASSERT_TRUE(blocks[2].uses.try_add_ongoing(StreamId{7}));

  for (int k = 0; k < 3; ++k) caches.put(blocks[static_cast<std::size_t>(k)]);

  EXPECT_EQ(overflowed().size(), 3u);
  EXPECT_EQ(caches.drain(), 0u);
}

TEST_F(ThreadCachesTest, SayWhatStandsInThem) {
  caches.put(blocks[1]);
  caches.put(blocks[3]);

  EXPECT_EQ(caches.kept().asked, 1024u + 2048u);
  EXPECT_EQ(caches.kept().size, 1024u + 2048u);
  EXPECT_EQ(caches.fault(), "");
  EXPECT_EQ(overflowed().size(), 2u) << "they were emptied";
  caches.put(blocks[1]);
  blocks[1].state = BlockState::kLeased;
  EXPECT_EQ(caches.fault(), "a block in a thread's cache was not handed back");
  caches.put(blocks[3]);
  blocks[3].set_asked(Bytes{2000}, ClientId::kNone);
  EXPECT_EQ(caches.fault(), "a block in a thread's cache has another request's mark");
}

TEST_F(ThreadCachesTest, AreAThreadsOwnAsLongAsThereAreStripes) {
  caches.put(blocks[0]);
  std::thread([&] {
    EXPECT_EQ(take(512), nullptr);
    caches.put(blocks[1]);
    EXPECT_EQ(take(1024), &blocks[1]);
    EXPECT_EQ(caches.stripes_in_use(), 1u);
  }).join();

  EXPECT_EQ(take(512), &blocks[0]);
  EXPECT_EQ(caches.stripes_in_use(), 1u);
  EXPECT_EQ(caches.stripes_in_use(), 0u);
}

TEST_F(ThreadCachesTest, GiveNoBlockToOneWhoAskedForAnotherSizeOfTheSameMark) {
  for (std::uint64_t asked = 1; asked < 512; ++asked) {  // of 64 marks there are
    caches.put(blocks[0]);
    ASSERT_EQ(take(asked), nullptr) << asked;
    caches.drain();
    ASSERT_EQ(overflowed().size(), 1u);
  }
}

TEST_F(ThreadCachesTest, GiveNoBlockToTwoWhoEmptyThemAtOnce) {
  constexpr std::uint64_t kDrained = 100;
  constexpr std::uint64_t kMostRounds = 3'000'000;
  std::atomic<PayloadBlock*> lent{nullptr};  // by the drainer
  std::atomic<bool> is_owned{false};
  std::atomic<std::uint64_t> drained{0};
  std::atomic<std::uint64_t> twice{0};
  std::atomic<bool> over{false};
  const auto own_for_a_while = [&] {
    twice += is_owned.exchange(true) ? 1 : 0;
    for (int k = 0; k < 20; ++k) (void)is_owned.load();
    is_owned = false;
  };
  std::thread drainer([&] {
    while (!over) {
      caches.drain();
      for (PayloadBlock* const block : overflowed()) {
        own_for_a_while();
        lent = block;
        ++drained;
      }
    }
  });

  caches.put(blocks[4]);
  for (std::uint64_t k = 0; k < kMostRounds && drained < kDrained && twice == 0; ++k) {
    PayloadBlock* mine = take(blocks[4].size);
    mine = mine == nullptr ? lent.exchange(nullptr) : mine;
    if (mine != nullptr) {
      own_for_a_while();
      caches.put(*mine);
    }
  }
  over = true;
  drainer.join();

  EXPECT_EQ(twice, 0u);
  EXPECT_GT(drained, 0u);
}

}  // namespace
}  // namespace tenure
