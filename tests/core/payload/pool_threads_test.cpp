// Several threads on one pool: leases on some, returns on others, looks at it from a third.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

class PoolThreads : public testing::PoolTest {
 protected:
  static constexpr int kThreads = 4;
  static constexpr int kRounds = 5'000;

  template <class Work>
  void on_threads(Work work) {
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([&work, number] { work(number); });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(PoolThreads, TakesReturnsFromThreadsThatDidNotLease) {
  std::mutex mutex;
  std::vector<PayloadLease> bin;  // guarded by mutex
  std::atomic<int> leasing{kThreads / 2};

  on_threads([&](int number) {
    if (number % 2 == 0) {
      for (int i = 0; i < kRounds; ++i) {
        PayloadLease got =
            lease(Bytes{static_cast<std::uint64_t>(1 + i % 7) * 1000}, number == 0 ? left : right);
        got.used_on(StreamId::kDefault);
        const std::scoped_lock lock(mutex);
        bin.push_back(std::move(got));
      }
      --leasing;
      return;
    }
    while (true) {
      const bool last = leasing == 0;
      std::vector<PayloadLease> taken;
      {
        const std::scoped_lock lock(mutex);
        taken.swap(bin);
      }
      if (last && taken.empty()) return;
    }
  });

  EXPECT_TRUE(is_sound(pool));
  const PoolStatistics statistics = pool.statistics();
  EXPECT_EQ(statistics.live, Bytes{});
  EXPECT_EQ(statistics.leases, static_cast<std::uint64_t>(kThreads / 2 * kRounds));
  EXPECT_EQ(statistics.returns, statistics.leases);
}

TEST_F(PoolThreads, NeverGivesOneBlockToTwo) {
  std::atomic<std::uint64_t> overlaps{0};

  on_threads([&](int number) {
    const auto mark = static_cast<std::byte>(number + 1);
    std::mt19937_64 random(static_cast<std::uint64_t>(number));
    std::vector<PayloadLease> mine(8);
    for (int i = 0; i < kRounds; ++i) {
      PayloadLease& place = mine[random() % mine.size()];
      if (place.owns() && place.data()[0] != mark) ++overlaps;
      place = lease(Bytes{1 + random() % 4000});
      place.data()[0] = mark;
    }
  });

  EXPECT_EQ(overlaps, 0u);
}

TEST_F(PoolThreads, AnswersQuestionsWhileOthersWork) {
  on_threads([&](int number) {
    for (int i = 0; i < kRounds / 10; ++i) {
      if (number == 0) {
        EXPECT_TRUE(is_sound(pool));
        const PoolStatistics now = pool.statistics();
        EXPECT_LE(now.live, now.leased);
        EXPECT_LE(now.leased, now.reserved);
      } else if (number == 1) {
        pool.trim(Bytes{1u << 20});
        EXPECT_EQ(pool.shortfall(Bytes{512}), Bytes{});
      } else {
        const PayloadLease got =
            lease(Bytes{static_cast<std::uint64_t>(1 + i % 5) << 20}, number == 2 ? left : right);
      }
    }
  });
}

TEST_F(PoolThreads, TakesUsesOfOneLeaseFromSeveralThreads) {
  std::vector<StreamId> streams;
  for (int i = 0; i < kThreads; ++i) streams.push_back(*device.make_stream());
  for (int round = 0; round < 100; ++round) {
    PayloadLease shared = lease(Bytes{512u << 20}, left);
    on_threads([&](int number) { shared.used_on(streams[static_cast<std::size_t>(number)]); });
    for (const StreamId stream : streams) ASSERT_TRUE(device.submit(stream, 10).ok());
    const std::size_t waits = device.waits().size();
    shared.release();
    const PayloadLease next = lease(Bytes{512u << 20}, left);
    ASSERT_EQ(device.waits().size(), waits + streams.size()) << "round " << round;
    device.advance_until_idle();
  }
}

}  // namespace
}  // namespace tenure
