// A pool that plans: it serves iterations from their layout, keeps what lives when the program does
// something else, and is sound in between, with one stream and with several.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/plan/plan.hpp"
#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::device_of;
using testing::is_sound;

class PlanningPoolTest : public ::testing::Test {
 protected:
  PlanningPoolTest() : left(*device.make_stream()), right(*device.make_stream()) {}
  ~PlanningPoolTest() override {
    EXPECT_TRUE(is_sound(pool));
    EXPECT_EQ(device.order_faults(), std::vector<std::string>());
  }

  static SimulatedOptions options() {
    SimulatedOptions options = device_of(Bytes{1u << 30});
    options.checks_order = true;
    return options;
  }

  PayloadLease lease(Bytes size, std::uint32_t site = 0, StreamId stream = StreamId::kDefault) {
    Result<PayloadLease> got = pool.lease(size, stream, SiteId{site});
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.failure().message);
    if (!got.ok()) {
      return {};
    }
    write(*got, stream);
    return std::move(*got);
  }

  // Work that takes its time, and writes all of it: the device says where that is too early.
  void write(const PayloadLease& lease, StreamId stream) {
    EXPECT_TRUE(device.submit(stream, 1'000, {}, {DeviceUse(lease.view(), Access::kWrite)}).ok());
  }
  void read_on(PayloadLease& lease, StreamId stream, StreamId after) {
    EXPECT_TRUE(device.wait(stream, *device.record(after)).ok());
    EXPECT_TRUE(device.submit(stream, 50'000, {}, {DeviceUse(lease.view(), Access::kRead)}).ok());
    lease.used_on(stream);
  }

  // What a thread would do beside the program.
  void solve() {
    if (const std::optional<Iteration> iteration = pool.take_iteration()) {
      pool.offer(make_plan(*iteration, {.pairs = 1'000'000, .steps = 100}));
    }
  }

  // A training step: activations forward, gradients backward, temporaries between; what the step
  // before kept goes at its beginning. Sizes are such that best fit leaves holes.
  void step(std::vector<PayloadLease>& kept, std::uint32_t layers = 12, bool on_streams = false) {
    kept.clear();
    std::vector<PayloadLease> activations;
    for (std::uint32_t k = 0; k < layers; ++k) {
      const StreamId stream = on_streams && k % 3 == 1 ? left : StreamId::kDefault;
      activations.push_back(lease(Bytes{(1u << 20) + k * 70'000}, 1, stream));
      const PayloadLease temporary = lease(Bytes{(3u << 20) - k * 90'000}, 2, stream);
      if (on_streams && k % 4 == 2) {
        read_on(activations.back(), right, stream);
      }
    }
    std::vector<PayloadLease> gradients;
    for (std::uint32_t k = layers; k-- > 0;) {
      gradients.push_back(lease(Bytes{(1u << 19) + k * 30'000}, 3));
      const PayloadLease temporary = lease(Bytes{(2u << 20) + k * 50'000}, 4);
      activations.pop_back();
    }
    kept = std::move(gradients);
  }

  PoolStatistics statistics() { return pool.statistics(); }

  SimulatedDevice device{options()};
  PayloadPool pool{device, MemoryKind::kDevice, PoolOptions{.plans = true}};
  StreamId left;
  StreamId right;
};

TEST_F(PlanningPoolTest, ServesATrainingLoopFromItsPlanWhileItsWeightsStay) {
  std::vector<PayloadLease> weights;
  for (std::uint32_t k = 0; k < 20; ++k) {
    weights.push_back(lease(Bytes{700'000 + k * 4'096}, 9));
  }
  std::vector<PayloadLease> kept;
  for (int k = 0; k < 4; ++k) {
    step(kept);
    solve();
  }
  step(kept);  // the plan is taken up where the least lives

  const PoolStatistics before = statistics();
  pool.reset_peaks();
  for (int k = 0; k < 3; ++k) {
    step(kept);
    ASSERT_TRUE(is_sound(pool));
  }
  const PoolStatistics after = statistics();

  EXPECT_EQ(after.plans_followed, 1u);
  EXPECT_EQ(after.plans_left, 0u);
  EXPECT_EQ(after.planned_leases - before.planned_leases, 3 * 48u);
  EXPECT_EQ(after.growths, before.growths);
  EXPECT_GE(static_cast<double>(after.peak_live.count()),
            0.9 * static_cast<double>(after.peak_reserved.count()));
}

TEST_F(PlanningPoolTest, TakesUpAPlanWhereAWholeProgramComesAgain) {
  std::vector<PayloadLease> kept;
  step(kept);
  kept.clear();
  solve();
  pool.reset_peaks();

  step(kept);

  const PoolStatistics after = statistics();
  EXPECT_EQ(after.planned_leases, 48u);
  EXPECT_GE(static_cast<double>(after.peak_live.count()),
            0.93 * static_cast<double>(after.peak_reserved.count()));
}

// Each step drops all of the one before half way, as a collector would: what a plan would lay out beside
// that never has room.
TEST_F(PlanningPoolTest, SolvesAnIterationEverMoreSeldomWhereItsPlanIsNeverFollowed) {
  std::uint32_t solved = 0;
  std::vector<PayloadLease> before;
  const PayloadLease weight = lease(Bytes{8u << 20});
  for (int k = 0; k < 300; ++k) {
    std::vector<PayloadLease> step;
    for (std::uint32_t layer = 0; layer < 24; ++layer) {
      step.push_back(lease(Bytes{1u << 20}, layer));
      if (layer == 12) {
        before.clear();
      }
      if (pool.wants_solver()) {
        ++solved;
        solve();
      }
    }
    before = std::move(step);
  }

  EXPECT_EQ(statistics().plans_followed, 0u);
  EXPECT_GE(solved, 2u);
  EXPECT_LE(solved, 24u);
}

TEST_F(PlanningPoolTest, KeepsWhatLivesWhereTheProgramLeavesItsPlan) {
  std::vector<PayloadLease> kept;
  step(kept);
  kept.clear();
  solve();
  device.advance_until_idle();
  std::vector<PayloadLease> live;
  for (std::uint32_t k = 0; k < 5; ++k) {
    live.push_back(lease(Bytes{(1u << 20) + k * 70'000}, 1));
    const PayloadLease temporary = lease(Bytes{(3u << 20) - k * 90'000}, 2);
  }
  ASSERT_GT(statistics().planned_leases, 0u);
  std::vector<std::byte*> places;
  for (const PayloadLease& one : live) {
    std::fill_n(one.data(), one.size().count(), std::byte{0x5A});
    places.push_back(one.data());
  }

  std::vector<PayloadLease> others;
  for (std::uint32_t k = 0; k < 40; ++k) {
    others.push_back(lease(Bytes{100'000 + k * 7'777}, 77));
    std::fill_n(others.back().data(), others.back().size().count(), std::byte{0xC3});
  }

  EXPECT_EQ(statistics().plans_left, 1u);
  for (std::size_t k = 0; k < live.size(); ++k) {
    EXPECT_EQ(live[k].data(), places[k]);
    EXPECT_EQ(std::count(live[k].data(), live[k].data() + live[k].size().count(), std::byte{0x5A}),
              static_cast<std::ptrdiff_t>(live[k].size().count()));
  }
  EXPECT_TRUE(is_sound(pool));
  live.clear();
  others.clear();
  EXPECT_EQ(statistics().live_blocks, 0u);
  EXPECT_TRUE(is_sound(pool));
}

TEST_F(PlanningPoolTest, ServesElsewhereWhatALateBlockIsInTheWayOf) {
  std::vector<PayloadLease> kept;
  step(kept);
  kept.clear();
  solve();
  step(kept);
  ASSERT_EQ(statistics().planned_leases, 48u);
  std::vector<PayloadLease> late = std::move(kept);  // should have gone

  step(kept);

  const PoolStatistics after = statistics();
  EXPECT_LT(after.planned_leases, 96u);
  EXPECT_TRUE(is_sound(pool));
}

TEST_F(PlanningPoolTest, GivesBackWhatIsNotNeededBesideThePlan) {
  for (const std::uint32_t blocks : {30u, 20u}) {
    std::vector<PayloadLease> all;
    for (std::uint32_t k = 0; k < blocks; ++k) {
      all.push_back(lease(Bytes{2u << 20}, k));
    }
  }
  device.advance_until_idle();

  solve();

  EXPECT_EQ(statistics().plans_followed, 1u);
  EXPECT_EQ(statistics().reserved, Bytes{40u << 20});
}

TEST_F(PlanningPoolTest, GivesThePlanUpWhereItsMemoryIsNeeded) {
  PayloadPool small(device, MemoryKind::kDevice,
                    PoolOptions{.budget = Bytes{64u << 20}, .plans = true});
  const auto fill = [&] {
    std::vector<PayloadLease> all;
    for (std::uint32_t k = 0; k < 20; ++k) {
      all.push_back(value_or_throw(small.lease(Bytes{2u << 20}, StreamId::kDefault, SiteId{k})));
    }
  };
  fill();
  small.offer(make_plan(*small.take_iteration()));
  ASSERT_EQ(small.statistics().plans_followed, 1u);

  const Result<PayloadLease> large = small.lease(Bytes{60u << 20}, StreamId::kDefault);

  ASSERT_TRUE(large.ok()) << large.failure().message;
  EXPECT_EQ(small.statistics().plans_left, 1u);
  EXPECT_TRUE(is_sound(small));
}

// Little is mapped, so that nothing speaks against growing; but somebody else has the memory.
TEST_F(PlanningPoolTest, GivesThePlanUpWhereTheDeviceHasNoMore) {
  SimulatedDevice shared(device_of(Bytes{64u << 20}));
  PayloadPool planning(shared, MemoryKind::kDevice, PoolOptions{.plans = true});
  PayloadPool other(shared, MemoryKind::kDevice);
  const auto fill = [&](std::uint32_t blocks) {
    std::vector<PayloadLease> all;
    for (std::uint32_t k = 0; k < blocks; ++k) {
      all.push_back(value_or_throw(planning.lease(Bytes{2u << 20}, StreamId::kDefault, SiteId{k})));
    }
  };
  fill(30);
  planning.trim();
  fill(20);
  planning.offer(make_plan(*planning.take_iteration()));
  ASSERT_EQ(planning.statistics().plans_followed, 1u);
  const PayloadLease theirs = value_or_throw(other.lease(Bytes{20u << 20}, StreamId::kDefault));

  const Result<PayloadLease> ours = planning.lease(Bytes{16u << 20}, StreamId::kDefault);

  ASSERT_TRUE(ours.ok()) << ours.failure().message;
  EXPECT_EQ(planning.statistics().plans_left, 1u);
  EXPECT_TRUE(is_sound(planning));
}

TEST_F(PlanningPoolTest, TrimsAndClosesWithAPlan) {
  std::vector<PayloadLease> kept;
  step(kept);
  kept.clear();
  solve();
  step(kept);
  ASSERT_GT(statistics().planned_leases, 0u);

  device.advance_until_idle();
  pool.trim();
  EXPECT_TRUE(is_sound(pool));
  EXPECT_LT(statistics().reserved, Bytes{16u << 20});
  step(kept);
  const std::uint64_t out = statistics().live_blocks;

  EXPECT_EQ(pool.close(), out);
  EXPECT_EQ(kept.front().data(), nullptr);
}

TEST_F(PlanningPoolTest, LeavesThePlanWhereASecondStreamComes) {
  std::vector<PayloadLease> kept;
  step(kept);
  kept.clear();
  solve();
  step(kept);
  ASSERT_GT(statistics().planned_leases, 0u);

  const PayloadLease other = lease(Bytes{4'096}, 5, left);

  EXPECT_TRUE(is_sound(pool));
  EXPECT_EQ(statistics().plans_followed, 1u);
  EXPECT_EQ(statistics().plans_left, 1u) << "its slots are in one order alone";
  step(kept);
}

// With several streams each slot is ordered behind whoever had its bytes last. The simulated device says
// what work would touch bytes too early.
TEST_F(PlanningPoolTest, OrdersStreamsBehindEachOther) {
  std::vector<PayloadLease> kept;
  step(kept, 12, true);
  kept.clear();
  solve();
  const std::uint64_t waits = statistics().device_waits;
  for (int k = 0; k < 3; ++k) {
    ASSERT_TRUE(device.submit(left, 1'000'000).ok());
    ASSERT_TRUE(device.submit(StreamId::kDefault, 1'000'000).ok());
    step(kept, 12, true);
    kept.clear();
    solve();
    ASSERT_TRUE(is_sound(pool));
  }

  EXPECT_GT(statistics().planned_leases, 100u);
  EXPECT_GT(statistics().device_waits, waits);
}

TEST_F(PlanningPoolTest, StaysSoundUnderAnythingThatMayHappen) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    PayloadPool any(device, MemoryKind::kDevice,
                    PoolOptions{.budget = Bytes{200u << 20}, .plans = true});
    const std::uint32_t leases = 60;
    std::vector<std::uint32_t> lives;
    for (std::uint32_t k = 0; k < leases; ++k) {
      lives.push_back(1 + static_cast<std::uint32_t>(random() % (random() % 3 == 0 ? 70 : 5)));
    }
    std::vector<std::pair<std::uint64_t, PayloadLease>> live;
    std::uint64_t now = 0;
    for (int round = 0; round < 25; ++round) {
      for (std::uint32_t k = 0; k < leases; ++k, ++now) {
        std::erase_if(live, [&](const auto& one) { return one.first <= now; });
        const bool strange = random() % 100 == 0;
        const StreamId stream = seed % 3 == 0 && k % 5 == 0 ? left : StreamId::kDefault;
        Result<PayloadLease> got = any.lease(
            Bytes{200'000 + (strange ? random() % 5'000'000 : k * 33'333)}, stream, SiteId{k});
        ASSERT_TRUE(got.ok()) << got.failure().message;
        write(*got, stream);
        if (seed % 4 == 1 && random() % 10 == 0) {
          read_on(*got, right, stream);
        }
        const std::uint64_t late = random() % 30 == 0 ? random() % 60 : 0;
        live.emplace_back(now + lives[k] + late, std::move(*got));
        std::vector<std::pair<std::byte*, std::byte*>> places;
        for (const auto& [end, one] : live) {
          places.emplace_back(one.data(), one.data() + one.size().count());
        }
        std::sort(places.begin(), places.end());
        for (std::size_t i = 1; i < places.size(); ++i) {
          ASSERT_LE(places[i - 1].second, places[i].first);
        }
      }
      ASSERT_EQ(device.order_faults(), std::vector<std::string>());
      device.advance(random() % 100'000);
      if (random() % 5 == 0) any.trim();
      if (random() % 6 == 0) live.clear();
      ASSERT_TRUE(is_sound(any));
      if (const std::optional<Iteration> iteration = any.take_iteration()) {
        any.offer(make_plan(*iteration, {.pairs = 100'000, .steps = 50}));
      }
      ASSERT_TRUE(is_sound(any));
    }
  }
}

}  // namespace
}  // namespace tenure
