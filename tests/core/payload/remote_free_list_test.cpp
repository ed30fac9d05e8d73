#include "core/payload/remote_free_list.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace tenure {
namespace {

TEST(RemoteFreeList, GivesTheLatestFirstAndAllAtOnce) {
  RemoteFreeList list;
  PayloadBlock first;
  PayloadBlock second;

  list.put(first);
  list.put(second);

  PayloadBlock* const taken = list.take_all();
  EXPECT_EQ(taken, &second);
  EXPECT_EQ(taken->link, &first);
  EXPECT_EQ(first.link, nullptr);
  EXPECT_EQ(list.take_all(), nullptr);
}

TEST(RemoteFreeList, LosesNothingWhileManyPutAndOneTakes) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kEach = 20'000;
  RemoteFreeList list;
  const auto blocks = std::make_unique<PayloadBlock[]>(kThreads * kEach);
  std::vector<std::thread> putters;
  std::set<PayloadBlock*> taken;

  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    putters.emplace_back([&, thread] {
      for (std::size_t i = 0; i < kEach; ++i) list.put(blocks[thread * kEach + i]);
    });
  }
  std::size_t count = 0;
  while (count < kThreads * kEach) {
    for (PayloadBlock* block = list.take_all(); block != nullptr; block = block->link) {
      taken.insert(block);
      ++count;
    }
  }
  for (std::thread& putter : putters) putter.join();

  EXPECT_EQ(taken.size(), kThreads * kEach);
  EXPECT_EQ(list.take_all(), nullptr);
}

}  // namespace
}  // namespace tenure
