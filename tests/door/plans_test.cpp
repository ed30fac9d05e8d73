// Layouts of payloads through the front door: made by a thread while the program goes on, or when it
// waits for them.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "tenure/runtime.hpp"

namespace tenure {
namespace {

Config with(PayloadPlans plans, Mode mode = Mode::kConcurrent) {
  Config config;
  config.device = "sim:1GiB";
  config.plan_payloads = plans;
  config.mode = mode;
  return config;
}

// One iteration of a program that keeps 24 blocks of growing size, and ends with none.
void iterate(Runtime& runtime) {
  std::vector<PayloadLease> kept;
  for (std::uint32_t k = 0; k < 24; ++k) {
    kept.push_back(
        value_or_throw(runtime.lease(Bytes{(1u << 20) + k * 40'000}, {.site = SiteId{k}})));
    const PayloadLease temporary =
        value_or_throw(runtime.lease(Bytes{(2u << 20) - k * 50'000}, {.site = SiteId{100 + k}}));
  }
}

std::uint64_t planned(const Runtime& runtime) {
  const std::vector<PoolStatistics> pools = runtime.statistics().pools;
  return pools.empty() ? 0 : pools[0].planned_leases;
}

TEST(PlansTest, AreMadeByAThreadWhileTheProgramGoesOn) {
  Runtime runtime = value_or_throw(Runtime::open(with(PayloadPlans::kOn)));
  const auto begun = std::chrono::steady_clock::now();

  while (planned(runtime) < 100 &&
         std::chrono::steady_clock::now() - begun < std::chrono::seconds(60)) {
    for (int k = 0; k < 20; ++k) {
      iterate(runtime);
    }
    std::this_thread::yield();
  }

  EXPECT_GE(planned(runtime), 100u);
}

TEST(PlansTest, AreMadeForWhoWaitsWhereTheModeStartsNoThread) {
  for (const Mode mode : {Mode::kManual, Mode::kIncremental}) {
    Runtime runtime = value_or_throw(Runtime::open(with(PayloadPlans::kOn, mode)));
    iterate(runtime);
    iterate(runtime);
    EXPECT_EQ(planned(runtime), 0u);

    runtime.await_plans();
    iterate(runtime);

    EXPECT_EQ(planned(runtime), 48u);
  }
}

TEST(PlansTest, AreNotMadeWhereTheyAreOff) {
  Runtime runtime = value_or_throw(Runtime::open(with(PayloadPlans::kOff)));
  for (int k = 0; k < 5; ++k) {
    iterate(runtime);
    runtime.await_plans();
  }

  EXPECT_EQ(planned(runtime), 0u);
}

TEST(PlansTest, StandManyThreads) {
  Runtime runtime = value_or_throw(Runtime::open(with(PayloadPlans::kOn)));
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < 3; ++number) {
    threads.emplace_back([&runtime, number] {
      for (int k = 0; k < 40; ++k) {
        iterate(runtime);
        if (number == 0 && k % 10 == 0) {
          runtime.await_plans();
        }
        if (number == 1 && k % 15 == 0) {
          runtime.trim();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_EQ(runtime.statistics().pools.at(0).live_blocks, 0u);
}

}  // namespace
}  // namespace tenure
