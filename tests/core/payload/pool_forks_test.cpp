// A process is forked while its threads are at a pool. The child goes on with the pool alone.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/payload/pool_core.hpp"
#include "host/host_backend.hpp"
#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/child.hpp"
#include "tests/support/contention.hpp"

namespace tenure {
namespace {

using testing::in_child;
using testing::is_sound;

// What a child does with a pool that it came to have. Gives the number of the first thing that is wrong.
int use_pool(PayloadPool& pool, std::vector<PayloadLease>& held) {
  held.clear();
  std::vector<PayloadLease> fresh;
  for (std::uint64_t k = 1; k <= 64; ++k) {
    Result<PayloadLease> lease = pool.lease(Bytes{k * 3000}, StreamId::kDefault);
    if (!lease) return 1;
    std::memset(lease->data(), static_cast<int>(k), lease->size().count());
    fresh.push_back(std::move(*lease));
  }
  for (std::uint64_t k = 1; k <= 64; ++k) {
    if (fresh[k - 1].data()[k * 3000 - 1] != static_cast<std::byte>(k)) return 2;
  }
  if (!is_sound(pool)) return 3;
  if (pool.statistics().live_blocks < 64) return 4;
  fresh.resize(32);
  pool.trim(kUnlimited, HostWait::kAllowed);
  if (!is_sound(pool)) return 5;
  pool.close();
  return fresh[0].data() == nullptr ? 0 : 6;
}

class PoolForks : public ::testing::Test {
 protected:
  std::vector<PayloadLease> some_leases() {
    std::vector<PayloadLease> leases;
    for (std::uint64_t k = 1; k <= 16; ++k) {
      Result<PayloadLease> lease = pool.lease(Bytes{k * 1000}, StreamId::kDefault);
      EXPECT_TRUE(lease.ok());
      leases.push_back(std::move(*lease));
    }
    return leases;
  }

  HostBackend backend;
  PayloadPool pool{backend, MemoryKind::kHost};
};

TEST_F(PoolForks, LeaveAPoolThatTheChildLeasesFromAndCloses) {
  std::vector<PayloadLease> held = some_leases();

  EXPECT_EQ(in_child([&] { return use_pool(pool, held); }), "well");

  EXPECT_EQ(pool.statistics().live_blocks, held.size()) << "the parent's is another pool";
  EXPECT_TRUE(is_sound(pool));
}

TEST_F(PoolForks, FindLocksFreeWhateverOthersDo) {
  constexpr int kThreads = 3;
  constexpr int kForks = 20;
  PayloadPool other(backend, MemoryKind::kHost);  // shares the backend's lock alone
  const StreamId second = *backend.make_stream();
  std::atomic<bool> over{false};
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      std::mt19937_64 random(static_cast<std::uint64_t>(number));
      std::vector<PayloadLease> mine(16);
      ++ready;
      while (!over) {
        PayloadPool& from = number == 2 ? other : pool;
        mine[random() % mine.size()] = value_or_throw(from.lease(
            Bytes{1 + random() % (1u << 22)}, number == 1 ? second : StreamId::kDefault));
        if (random() % 8 == 0) {
          mine.clear();
          mine.resize(16);
          from.trim();  // the backend is called with the pool's lock held
        }
      }
    });
  }
  // The backend's own locks, that of a stream above all, without a pool's.
  const PayloadLease work = value_or_throw(pool.lease(Bytes{256u << 10}, second));
  threads.emplace_back([&] {
    ++ready;
    while (!over) {
      EXPECT_TRUE(backend.fill(second, work.data(), std::byte{1}, work.size()).ok());
      EXPECT_TRUE(backend.has_stream(second));
      std::this_thread::yield();
    }
  });
  while (ready <= kThreads) std::this_thread::yield();

  for (int k = 0; k < kForks && !HasFailure(); ++k) {
    std::vector<PayloadLease> held = some_leases();
    EXPECT_EQ(in_child([&] {
                if (!backend.record(second) || !backend.has_stream(second)) return 8;
                return use_pool(pool, held);
              }),
              "well")
        << "fork " << k;
  }

  over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(is_sound(pool));
}

// A thread that is between the halves of handing back does not exist in the child.
TEST_F(PoolForks, FindWhatMissingThreadsWereAboutToHandBack) {
  std::vector<PayloadLease> held = some_leases();
  PayloadBlock& marked = *held[0].detach();  // as far as its state
  marked.state.store(BlockState::kReturned);
  PayloadBlock& announced = *held[1].detach();  // and without its link
  announced.state.store(BlockState::kReturned);
  held[2].release();  // which lies below the next, and out of reach
  RemoteFreeList& list = announced.core->returned;
  PayloadBlock* const before = list.announce(announced);
  held[3].release();

  EXPECT_EQ(in_child([&] {
              if (pool.statistics().live_blocks != held.size() - 4) return 7;
              return use_pool(pool, held);
            }),
            "well");

  EXPECT_EQ(pool.statistics().live_blocks, held.size() - 1) << "the parent's thread is there still";
  RemoteFreeList::link(announced, before);
  list.put(marked);
  EXPECT_EQ(pool.statistics().live_blocks, held.size() - 4);
}

TEST_F(PoolForks, FindWhatThreadsKept) {
  std::vector<PayloadLease> held;
  for (int k = 0; k < 64; ++k) {
    held.push_back(value_or_throw(pool.lease(Bytes{4096}, StreamId::kDefault)));
  }
  testing::begin_caches(pool);
  held.resize(60);

  EXPECT_EQ(in_child([&] {
              if (pool.statistics().live_blocks != 60) return 7;
              held.resize(56);
              return use_pool(pool, held);
            }),
            "well");

  EXPECT_EQ(pool.statistics().live_blocks, 60u);
}

TEST(PoolForksOfADevice, LeaveASimulatedOneUsable) {
  SimulatedDevice device{testing::device_of(Bytes{64u << 20})};
  PayloadPool pool{device, MemoryKind::kDevice};
  PayloadLease held = value_or_throw(pool.lease(Bytes{5000}, StreamId::kDefault));

  EXPECT_EQ(in_child([&] {
              held.release();
              held = value_or_throw(pool.lease(Bytes{1u << 20}, StreamId::kDefault));
              return is_sound(pool) && pool.close() == 1 ? 0 : 1;
            }),
            "well");
}

TEST(PoolForksOfADevice, FindWhatWasHandedBackOfEvictablePayloads) {
  SimulatedDevice device{testing::device_of(Bytes{64u << 20})};
  PayloadPool pool{device, MemoryKind::kDevice};
  PayloadLease held = value_or_throw(pool.lease_evictable(
      Bytes{4u << 20}, StreamId::kDefault, SiteId{1}, Effort::kGrow, ClientId::kNone));
  held.release();

  EXPECT_EQ(in_child([&] {
              if (pool.statistics().live_blocks != 0) return 1;
              if (pool.has_evictables()) return 2;
              return is_sound(pool) ? 0 : 3;
            }),
            "well");
}

// Who evicts takes the pinned pool's lock with the device pool's held; a fork takes both, in that order,
// though the pinned pool is the younger.
TEST(PoolForksOfADevice, WaitForNoEvictionThatWaitsForThem) {
  SimulatedDevice device{testing::device_of(Bytes{64u << 20})};
  PayloadPool pool{device, MemoryKind::kDevice};
  PayloadPool pinned{device, MemoryKind::kPinned};
  PayloadBlock& block =
      *value_or_throw(pool.lease_evictable(Bytes{8u << 20}, StreamId::kDefault, SiteId{1},
                                           Effort::kGrow, ClientId::kNone))
           .detach();
  PayloadLease lease(block);
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> evictions{0};
  std::thread evicting([&] {
    while (!over) {
      evictions += pool.evict(Bytes{8u << 20}, &pinned).gained.is_zero() ? 0 : 1;
      device.advance_until_idle();
      EXPECT_TRUE(pool.use(block, StreamId::kDefault, Effort::kGrow).ok());
      device.advance_until_idle();
    }
  });
  while (evictions == 0) std::this_thread::yield();

  for (int k = 0; k < 200; ++k) {
    ASSERT_EQ(in_child([] { return 0; }), "well") << "fork " << k;
  }

  over = true;
  evicting.join();
  EXPECT_GT(evictions, 1u);
}

}  // namespace
}  // namespace tenure
