// Payloads are handed back where hardly anything is allowed: in signal handlers, and by the last
// destructors of a thread.
#include <gtest/gtest.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/contention.hpp"

namespace tenure {
namespace {

using testing::is_sound;

// Leases that the handler may hand back: who empties a place owns what stood there.
std::array<std::atomic<PayloadLease*>, 8> offered{};
std::atomic<std::uint64_t> handed_back{0};

void hand_back(int) {
  for (std::atomic<PayloadLease*>& place : offered) {
    if (PayloadLease* const lease = place.exchange(nullptr)) {
      lease->release();
      handed_back.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
}

// For threads that are made meanwhile, too: the handler's leases are those of the thread that offers them.
void mask_alarm(int how) {
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(how, &alarm, nullptr);
}

class PoolSignals : public testing::PoolTest {
 protected:
  static constexpr std::uint64_t kWanted = 4'000;

  PoolSignals() {
    struct sigaction action {};
    action.sa_handler = hand_back;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &old_alarm_);
    handed_back = 0;
  }
  ~PoolSignals() override { sigaction(SIGALRM, &old_alarm_, nullptr); }

  // Leases and hands back, and offers leases to the handler, until that handed back so many.
  void work_until(std::uint64_t wanted) {
    std::array<PayloadLease, offered.size()> store;
    std::array<PayloadLease, 4> own;
    for (std::uint64_t k = 0; handed_back.load(std::memory_order_relaxed) < wanted; ++k) {
      const std::size_t number = k % offered.size();
      if (offered[number] == nullptr && !store[number].owns()) {
        store[number] = lease(Bytes{1 + k % 5 * 1000}, k % 3 == 0 ? left : right);
        offered[number] = &store[number];
      }
      own[k % own.size()] = lease(Bytes{1 + k % 7 * 1000}, left);
      if (k % 1024 == 0) {
        ASSERT_TRUE(is_sound(pool));
      }
    }
    for (std::atomic<PayloadLease*>& place : offered) place = nullptr;
  }

  // A signal in each 50 us, as far as the machine keeps up, to whichever thread it likes.
  void begin_signals() {
    const itimerval often{{0, 50}, {0, 50}};
    ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  }
  void end_signals() {
    const itimerval never{};
    ASSERT_EQ(setitimer(ITIMER_REAL, &never, nullptr), 0);
  }
  void expect_all_back() {
    const PoolStatistics statistics = pool.statistics();
    EXPECT_EQ(statistics.live_blocks, 0u);
    EXPECT_EQ(statistics.leases, statistics.returns);
  }

 private:
  struct sigaction old_alarm_ {};
};

TEST_F(PoolSignals, MayHandBackInTheMiddleOfALeaseOrAReturn) {
  begin_signals();

  work_until(kWanted);

  end_signals();
  expect_all_back();
}

TEST_F(PoolSignals, MayHandBackWhereThreadsKeepBlocks) {
  std::vector<PayloadLease> held;
  for (int k = 0; k < 64; ++k) held.push_back(lease(Bytes{8000}, left));
  testing::begin_caches(pool);
  begin_signals();

  work_until(kWanted);

  end_signals();
  held.clear();
  expect_all_back();
}

TEST_F(PoolSignals, MayHandBackInTheMiddleOfWhatOthersDo) {
  std::atomic<bool> over{false};
  mask_alarm(SIG_BLOCK);
  std::thread other([&] {
    while (!over) {
      const PayloadLease got = lease(Bytes{3000}, right);
    }
  });
  mask_alarm(SIG_UNBLOCK);
  begin_signals();

  work_until(kWanted / 4);

  end_signals();
  over = true;
  other.join();
  expect_all_back();
}

// What a thread keeps until its end.
struct Kept {
  std::vector<PayloadLease> leases;
  ~Kept() {
    for (PayloadLease& lease : leases) {
      lease.release();
    }
  }
};
thread_local Kept kept;

TEST_F(PoolSignals, MayHandBackAtAThreadsEnd) {
  constexpr int kThreads = 32;
  constexpr int kEach = 20;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      kept.leases.reserve(kEach);  // made before whatever the pool may keep for the thread
      for (int k = 0; k < kEach; ++k) {
        kept.leases.push_back(
            lease(Bytes{static_cast<std::uint64_t>(1 + k) * 700}, number % 2 == 0 ? left : right));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const PoolStatistics statistics = pool.statistics();
  EXPECT_EQ(statistics.live_blocks, 0u);
  EXPECT_EQ(statistics.returns, static_cast<std::uint64_t>(kThreads * kEach));
}

}  // namespace
}  // namespace tenure
