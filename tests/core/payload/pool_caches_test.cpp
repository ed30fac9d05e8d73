// Threads that met at the pool's lock keep blocks: what they gain, and that nothing else changes.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/plan/plan.hpp"
#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/contention.hpp"

namespace tenure {
namespace {

using testing::begin_caches;
using testing::core_of;
using testing::is_sound;
using testing::meet_another;

constexpr Bytes kSize{64u << 10};

class PoolCaches : public testing::PoolTest {
 protected:
  // So much that one of them is a small part of what is leased.
  std::vector<PayloadLease> some(std::size_t count = 64, Bytes size = kSize) {
    std::vector<PayloadLease> leases;
    while (leases.size() < count) leases.push_back(lease(size));
    return leases;
  }
  bool are_caching() { return core_of(pool).is_caching; }
  std::uint64_t hits() {
    const PoolCore& core = core_of(pool);
    return core.caches == nullptr ? 0 : core.caches->hits();
  }
};

TEST_F(PoolCaches, AreNotMadeForAThreadAlone) {
  std::vector<PayloadLease> held = some();
  for (std::size_t k = 0; k < 100'000; ++k) {
    held[k % held.size()].release();
    held[k % held.size()] = lease(kSize);
  }

  EXPECT_EQ(core_of(pool).caches, nullptr);
}

TEST_F(PoolCaches, BeginWhereThreadsMeetOftenAndNotWhereTheySeldomDo) {
  const std::vector<PayloadLease> held = some();
  for (int k = 0; k < 100; ++k) {
    meet_another(pool);
    for (int between = 0; between < 5'000; ++between) (void)lease(kSize);
  }
  EXPECT_FALSE(are_caching());

  begin_caches(pool);
}

TEST_F(PoolCaches, LeaseWithoutTheLock) {
  std::vector<PayloadLease> held = some();
  begin_caches(pool);
  std::byte* const before = held[5].data();

  held[5].release();
  {
    const std::scoped_lock lock(core_of(pool).mutex);
    held[5] = lease(kSize);  // or this would wait for ever
  }

  EXPECT_EQ(held[5].data(), before);
  EXPECT_EQ(held[5].size(), kSize);
}

TEST_F(PoolCaches, CountToTheBlockWhatIsLeasedAndLive) {
  std::vector<PayloadLease> held = some();
  begin_caches(pool);
  const PoolStatistics before = pool.statistics();

  for (std::size_t k = 0; k < 1'000; ++k) {
    held[k % 64].release();
    held[k % 64] = lease(kSize);
  }
  for (int k = 0; k < 3; ++k) held[static_cast<std::size_t>(k)].release();

  const std::uint64_t without_lock = hits();
  EXPECT_GT(without_lock, 900u);
  const PoolStatistics after = pool.statistics();
  EXPECT_EQ(after.leases - before.leases, 1'000u + 1) << "and one that asked for the hits";
  EXPECT_EQ(after.leases - after.returns, 61u);
  EXPECT_EQ(after.live_blocks, 61u);
  EXPECT_EQ(after.live.count(), 61 * kSize.count());
  EXPECT_EQ(after.leased.count(), 61 * kSize.count());
  EXPECT_EQ(after.peak_live, before.peak_live);
  EXPECT_TRUE(is_sound(pool));
}

TEST_F(PoolCaches, CountAKeptBlockAsFreeInPeaks) {
  std::vector<PayloadLease> held = some(64);
  begin_caches(pool);
  pool.reset_peaks();
  const std::uint64_t before = pool.statistics().live.count();

  held.resize(60);  // four stand in places
  const PayloadLease other = lease(Bytes{kSize.count() / 2});
  (void)lease(Bytes{3 * kSize.count()});

  EXPECT_EQ(pool.statistics().peak_live.count(), before);
}

TEST_F(PoolCaches, AreEmptiedBeforeMemoryIsMapped) {
  std::vector<PayloadLease> held = some(8 * 32);  // all of eight pieces
  begin_caches(pool);
  (void)lease(kSize);
  pool.trim();
  const Bytes reserved = pool.statistics().reserved;

  held.resize(held.size() - 4);  // neighbours, as they were leased in a row
  EXPECT_EQ(pool.try_lease(Bytes{4 * kSize.count()}, StreamId::kDefault).size().count(),
            4 * kSize.count())
      << "a collection would be called";
  EXPECT_EQ(pool.statistics().reserved, reserved);
}

TEST_F(PoolCaches, AreEmptiedByATrimAndWhereSomebodyAsksForRoom) {
  std::vector<PayloadLease> held = some(16, Bytes{kSize.count() / 16});
  begin_caches(pool);
  held.resize(10);
  EXPECT_EQ(pool.shortfall(Bytes{pool.limit().count() - 10 * kSize.count() / 16}), Bytes{});

  held.clear();
  pool.trim();

  EXPECT_EQ(pool.statistics().reserved, Bytes{});
}

TEST_F(PoolCaches, KeepNothingOfAClientThatHasLimits) {
  const ClientId client{1};
  std::vector<PayloadLease> held = some();
  begin_caches(pool);
  pool.limit_client(client, "torch", {.hard = kSize});
  PayloadLease own =
      value_or_throw(pool.lease(kSize, StreamId::kDefault, SiteId{1}, Effort::kGrow, client));
  own.release();
  held[0].release();

  own = value_or_throw(pool.lease(kSize, StreamId::kDefault, SiteId{1}, Effort::kGrow, client));
  EXPECT_FALSE(pool.lease(kSize, StreamId::kDefault, SiteId{1}, Effort::kGrow, client).ok());
  EXPECT_EQ(pool.statistics().clients.at(0).live, kSize);
}

TEST_F(PoolCaches, LeaveNothingBehindAtAThreadsEnd) {
  std::vector<PayloadLease> held = some();
  begin_caches(pool);
  std::thread([&] {
    for (int k = 0; k < 6; ++k) held.pop_back();
  }).join();

  EXPECT_EQ(pool.statistics().live_blocks, 58u);
  held.clear();
  pool.trim();
  EXPECT_EQ(pool.statistics().reserved, Bytes{});
}

TEST_F(PoolCaches, GoWhereOneThreadIsAlone) {
  std::vector<PayloadLease> held = some();
  begin_caches(pool);

  for (std::size_t k = 0; k < 3'000'000 && core_of(pool).is_caching; k += 1000) {
    for (std::size_t pair = 0; pair < 1000; ++pair) {
      held[pair % 64].release();
      held[pair % 64] = lease(kSize);
    }
  }

  EXPECT_FALSE(are_caching());
  EXPECT_GT(hits(), 1'000'000u);
}

TEST_F(PoolCaches, GoWhereTheyAreOfNoUseAndComeBackEverMoreSeldom) {
  std::vector<PayloadLease> held = some();
  std::uint64_t other = 1;
  const auto meets_until = [&](bool wanted) {
    std::uint64_t meets = 0;
    PoolCore& core = core_of(pool);
    while (core.is_caching != wanted && meets < 1'000'000) {
      core.is_leasing = true;
      held[0] = lease(Bytes{other++ % 1'000 * 512 + 1});  // never the same
      ++meets;
    }
    return meets;
  };

  const std::uint64_t first = meets_until(true);
  EXPECT_LT(meets_until(false), 10'000u);
  const std::uint64_t second = meets_until(true);
  EXPECT_LT(meets_until(false), 10'000u);
  const std::uint64_t third = meets_until(true);

  EXPECT_GT(second, first + first / 2);
  EXPECT_GT(third, second + second / 2);
}

TEST_F(PoolCaches, LetThePoolClose) {
  std::vector<PayloadLease> held = some();
  begin_caches(pool);
  held.resize(60);

  EXPECT_EQ(pool.close(), 60u);

  EXPECT_FALSE(pool.lease(kSize, StreamId::kDefault).ok());
  EXPECT_EQ(pool.statistics().live_blocks, 0u);
}

class PoolCachesAndPlans : public PoolCaches {
 protected:
  // A step of a training: 16 MiB in all, in an order of its own.
  void step(PayloadPool& on) {
    std::vector<PayloadLease> live;
    for (std::uint64_t k = 1; k <= 32; ++k) {
      live.push_back(value_or_throw(on.lease(Bytes{k * 32'768}, StreamId::kDefault, SiteId{7})));
    }
  }
  PayloadPool planning{device, MemoryKind::kHost, PoolOptions{.plans = true}};
};

TEST_F(PoolCachesAndPlans, GiveTheTapeUpAndBeginItAnew) {
  for (int k = 0; k < 3; ++k) step(planning);
  ASSERT_TRUE(planning.wants_solver());
  {
    std::vector<PayloadLease> held;
    for (int k = 0; k < 64; ++k) {
      held.push_back(value_or_throw(planning.lease(kSize, StreamId::kDefault)));
    }
    begin_caches(planning);
    EXPECT_FALSE(planning.take_iteration().has_value()) << "of a tape with gaps";
    for (int k = 0; k < 3; ++k) step(planning);
    EXPECT_FALSE(planning.wants_solver());
  }
  // Nobody meets any more.
  for (int k = 0; k < 2'000'000 && core_of(planning).is_caching; ++k) {
    (void)value_or_throw(
        planning.lease(Bytes{1 + static_cast<std::uint64_t>(k) % 7 * 512}, StreamId::kDefault));
  }
  ASSERT_FALSE(core_of(planning).is_caching);

  for (int k = 0; k < 3; ++k) step(planning);

  EXPECT_TRUE(planning.wants_solver());
  const std::optional<Iteration> iteration = planning.take_iteration();
  ASSERT_TRUE(iteration.has_value());
  EXPECT_EQ(iteration->keys.size(), 32u);
  EXPECT_TRUE(is_sound(planning));
}

TEST_F(PoolCachesAndPlans, DoNotComeInTheWayOfAPlan) {
  PoolCore* const core = &core_of(planning);
  for (int k = 0; k < 3; ++k) step(planning);
  planning.offer(make_plan(*planning.take_iteration()));
  step(planning);
  ASSERT_GT(planning.statistics().plans_followed, 0u);
  ASSERT_EQ(planning.statistics().plans_left, 0u);

  std::vector<PayloadLease> live;
  for (std::uint64_t k = 1; k <= 32; ++k) {
    core->is_leasing = true;
    live.push_back(
        value_or_throw(planning.lease(Bytes{k * 32'768}, StreamId::kDefault, SiteId{7})));
  }
  EXPECT_FALSE(core->is_caching);
  EXPECT_EQ(planning.statistics().plans_left, 0u);
}

// Every block is marked by whoever leased it, while others hand back across threads, look, trim and
// verify.
TEST_F(PoolCaches, GiveNoBlockToTwoWhateverOthersDo) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  PayloadPool shared(device, MemoryKind::kHost);
  std::vector<PayloadLease> held;
  for (int k = 0; k < 64; ++k) held.push_back(value_or_throw(shared.lease(kSize, left)));
  std::atomic<std::uint64_t> overlaps{0};
  std::atomic<int> running{kThreads};
  std::mutex mutex;
  std::vector<PayloadLease> bin;  // passed on; guarded by mutex
  std::vector<std::thread> threads;

  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      const auto mark = static_cast<std::byte>(number + 1);
      std::mt19937_64 random(static_cast<std::uint64_t>(number));
      std::vector<PayloadLease> mine(8);
      for (int k = 0; k < kRounds; ++k) {
        if (k % 1024 == 0) begin_caches(shared);
        PayloadLease& place = mine[random() % mine.size()];
        if (place.owns() && place.data()[0] != mark) ++overlaps;
        if (random() % 16 == 0) {
          const std::scoped_lock lock(mutex);
          bin.push_back(std::move(place));
          if (bin.size() > 8) bin.erase(bin.begin());
        }
        place = PayloadLease();
        const Bytes size{(1 + random() % 3) * 1000};
        place = value_or_throw(shared.lease(size, number % 2 == 0 ? left : right, SiteId{3}));
        place.data()[0] = mark;
        if (random() % 512 == 0) {
          EXPECT_TRUE(is_sound(shared));
          shared.trim();
        }
        if (random() % 512 == 0) {
          const PoolStatistics now = shared.statistics();
          EXPECT_LE(now.live, now.leased);
          EXPECT_LE(now.leased, now.reserved);
        }
      }
      mine.clear();
      --running;
    });
  }
  for (std::thread& thread : threads) thread.join();
  bin.clear();

  EXPECT_EQ(overlaps, 0u);
  EXPECT_GT(core_of(shared).caches->hits(), 1'000u);
  EXPECT_TRUE(is_sound(shared));
  const PoolStatistics statistics = shared.statistics();
  EXPECT_EQ(statistics.live_blocks, held.size());
  EXPECT_EQ(statistics.leases - statistics.returns, held.size());
  EXPECT_EQ(statistics.live.count(), held.size() * kSize.count());
}

}  // namespace
}  // namespace tenure
