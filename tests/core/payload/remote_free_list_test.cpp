#include "core/payload/remote_free_list.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace tenure {
namespace {

std::vector<PayloadBlock*> take(RemoteFreeList& list) {
  std::vector<PayloadBlock*> taken;
  list.take_all([&](PayloadBlock& block) { taken.push_back(&block); });
  return taken;
}

using Blocks = std::vector<PayloadBlock*>;

TEST(RemoteFreeList, GivesTheLatestFirstAndAllAtOnce) {
  RemoteFreeList list;
  PayloadBlock first;
  PayloadBlock second;

  list.put(first);
  list.put(second);

  EXPECT_EQ(take(list), (Blocks{&second, &first}));
  EXPECT_EQ(take(list), Blocks{});
}

TEST(RemoteFreeList, DoesNotWaitForAPutThatWasInterrupted) {
  RemoteFreeList list;
  PayloadBlock below;
  PayloadBlock interrupted;
  PayloadBlock above;

  list.put(below);
  PayloadBlock* const before = list.announce(interrupted);
  list.put(above);

  EXPECT_EQ(take(list), Blocks{&above});
  EXPECT_TRUE(list.has_aside());
  EXPECT_EQ(take(list), Blocks{});
  RemoteFreeList::link(interrupted, before);
  EXPECT_EQ(take(list), (Blocks{&interrupted, &below}));
  EXPECT_FALSE(list.has_aside());
}

TEST(RemoteFreeList, ForgetsWhatTheParentOfAForkHad) {
  RemoteFreeList list;
  PayloadBlock interrupted;
  PayloadBlock above;

  (void)list.announce(interrupted);
  list.put(above);
  (void)take(list);
  list.put(above);
  list.abandon();

  EXPECT_EQ(take(list), Blocks{});
  EXPECT_FALSE(list.has_aside());
}

// Threads that put blocks of their own again and again, by halves, and one that takes.
class Schedule {
 public:
  Schedule(std::size_t putters, int rounds)
      : putters_(putters), rounds_(rounds), blocks_(std::make_unique<PayloadBlock[]>(putters)) {}

  // Puts every order of steps to the test. Gives how many there are.
  std::uint64_t explore(int takes) {
    std::string path;
    walk(path, takes);
    return schedules_;
  }

 private:
  struct Putter {
    int halves = 0;  // done so far, of 2 a round
    int taken = 0;   // times that its block was taken
    PayloadBlock* before = nullptr;
  };

  // Runs a path anew, since the list is no value; letters are putters, '-' is a take.
  void run(const std::string& path) {
    list_ = std::make_unique<RemoteFreeList>();
    state_.assign(putters_, {});
    for (const char step : path) {
      if (step == '-') {
        take_once(path);
      } else {
        go_on(static_cast<std::size_t>(step - 'a'));
      }
    }
  }
  [[nodiscard]] bool may_go_on(std::size_t number) const {
    const Putter& putter = state_[number];
    return putter.halves < 2 * rounds_ &&
           (putter.halves % 2 == 1 || putter.taken == putter.halves / 2);  // it owns its block
  }
  void go_on(std::size_t number) {
    Putter& putter = state_[number];
    if (putter.halves++ % 2 == 0) {
      putter.before = list_->announce(blocks_[number]);
    } else {
      RemoteFreeList::link(blocks_[number], putter.before);
    }
  }
  void take_once(const std::string& path) {
    list_->take_all([&](PayloadBlock& block) {
      Putter& putter = state_[static_cast<std::size_t>(&block - blocks_.get())];
      ++putter.taken;
      ASSERT_EQ(putter.halves, 2 * putter.taken) << "taken early, or twice, in " << path;
    });
  }
  void walk(std::string& path, int takes) {
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
    bool moved = false;
    run(path);
    std::vector<char> steps;
    for (std::size_t number = 0; number < putters_; ++number) {
      if (may_go_on(number)) steps.push_back(static_cast<char>('a' + number));
    }
    if (takes > 0) steps.push_back('-');
    for (const char step : steps) {
      moved = true;
      path.push_back(step);
      walk(path, takes - (step == '-' ? 1 : 0));
      path.pop_back();
    }
    if (!moved) {
      finish(path);
    }
  }
  // Whoever is under way goes on. Then all that was put is there.
  void finish(const std::string& path) {
    ++schedules_;
    run(path);
    for (std::size_t number = 0; number < putters_; ++number) {
      if (state_[number].halves % 2 == 1) go_on(number);
    }
    take_once(path);
    for (const Putter& putter : state_) {
      ASSERT_EQ(2 * putter.taken, putter.halves) << "lost in " << path;
    }
    ASSERT_FALSE(list_->has_aside()) << path;
  }

  const std::size_t putters_;
  const int rounds_;
  const std::unique_ptr<PayloadBlock[]> blocks_;
  std::unique_ptr<RemoteFreeList> list_;
  std::vector<Putter> state_;
  std::uint64_t schedules_ = 0;
};

TEST(RemoteFreeList, LosesNothingAndGivesNothingTwiceInAnyOrderOfSteps) {
  EXPECT_GT(Schedule(2, 2).explore(3), 1'000u);
  EXPECT_GT(Schedule(3, 1).explore(3), 1'000u);
  EXPECT_GT(Schedule(4, 1).explore(1), 10'000u);
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
    for (PayloadBlock* const block : take(list)) {
      taken.insert(block);
      ++count;
    }
  }
  for (std::thread& putter : putters) putter.join();

  EXPECT_EQ(taken.size(), kThreads * kEach);
  EXPECT_EQ(take(list), Blocks{});
}

// A block goes round: whoever takes it puts it again at once, while its last putter may still be at it.
TEST(RemoteFreeList, GivesABlockToOneWhereItComesBackAtOnce) {
  constexpr std::size_t kThreads = 2;
  constexpr std::size_t kBlocks = 4;
  constexpr std::uint64_t kRounds = 50'000;
  RemoteFreeList list;
  const auto blocks = std::make_unique<PayloadBlock[]>(kBlocks);
  std::array<std::atomic<PayloadBlock*>, kBlocks> lent{};  // by the taker, to whoever comes first
  std::atomic<bool> over{false};
  std::vector<std::thread> putters;

  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    putters.emplace_back([&] {
      while (!over) {
        for (std::atomic<PayloadBlock*>& place : lent) {
          if (PayloadBlock* const block = place.exchange(nullptr)) list.put(*block);
        }
        std::this_thread::yield();
      }
    });
  }
  for (std::size_t k = 0; k < kBlocks; ++k) list.put(blocks[k]);
  std::uint64_t taken = 0;
  while (taken < kRounds) {
    list.take_all([&](PayloadBlock& block) {
      ++taken;
      const auto number = static_cast<std::size_t>(&block - blocks.get());
      ASSERT_EQ(lent[number].exchange(&block), nullptr) << "it was taken twice";
    });
    std::this_thread::yield();
  }
  over = true;
  for (std::thread& putter : putters) putter.join();

  std::size_t left = take(list).size();
  for (const std::atomic<PayloadBlock*>& place : lent) left += place != nullptr ? 1 : 0;
  EXPECT_EQ(left, kBlocks);
}

}  // namespace
}  // namespace tenure
