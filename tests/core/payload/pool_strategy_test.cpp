// Each strategy places two requests where only it does.
//
//   0        128  160      256  288              544  576 KiB
//   +---------+----+--------+----+----------------+----+
//   |  128    |last|   96   |kept|      256       |kept| never cut
//   +---------+----+--------+----+----------------+----+
//     hole            hole             hole              `last` was placed last
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

constexpr Bytes kib(std::uint64_t count) { return Bytes{count << 10}; }

class Strategies : public ::testing::Test {
 protected:
  explicit Strategies(AllocationStrategy first = AllocationStrategy::kBestFit)
      : pool(device, MemoryKind::kDevice, PoolOptions{.strategy = first}) {}
  ~Strategies() override { EXPECT_TRUE(is_sound(pool)); }

  PayloadLease lease(std::uint64_t size_kib) {
    Result<PayloadLease> got = pool.lease(kib(size_kib), StreamId::kDefault);
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.failure().message);
    return got.ok() ? std::move(*got) : PayloadLease();
  }
  std::uint64_t place(const PayloadLease& of) const {
    return static_cast<std::uint64_t>(of.data() - base) >> 10;
  }

  // Leases the drawing's blocks and hands its holes back, while best fit places.
  void dig(const std::vector<std::uint64_t>& sizes, std::size_t last) {
    std::vector<PayloadLease> leases;
    for (const std::uint64_t size : sizes) {
      leases.push_back(lease(size));
      leases.push_back(lease(32));
    }
    base = leases[0].data();
    // A strategy sees its own placements alone: what is to be the last is placed anew.
    leases[2 * last + 1].release();
    pool.set_strategy(strategy);
    leases[2 * last + 1] = lease(32);
    for (std::size_t k = 0; k < sizes.size(); ++k) {
      leases[2 * k].release();
      (void)pool.leased();  // so that holes are filed in this order
      kept.push_back(std::move(leases[2 * k + 1]));
    }
  }
  std::vector<std::uint64_t> places_of_two(AllocationStrategy by) {
    strategy = by;
    dig({128, 96, 256}, 0);
    kept.push_back(lease(80));
    kept.push_back(lease(80));
    return {place(kept[3]), place(kept[4])};
  }

  SimulatedDevice device{testing::device_of(Bytes{512u << 20})};
  PayloadPool pool;
  AllocationStrategy strategy = AllocationStrategy::kBestFit;
  const std::byte* base = nullptr;
  std::vector<PayloadLease> kept;
};

TEST_F(Strategies, FirstFitTakesTheLowestAddress) {
  EXPECT_EQ(places_of_two(AllocationStrategy::kFirstFit), (std::vector<std::uint64_t>{0, 160}));
}
TEST_F(Strategies, BestFitTakesTheSmallest) {
  EXPECT_EQ(places_of_two(AllocationStrategy::kBestFit), (std::vector<std::uint64_t>{160, 0}));
}
TEST_F(Strategies, WorstFitTakesTheLargestAndThenItsRest) {
  EXPECT_EQ(places_of_two(AllocationStrategy::kWorstFit), (std::vector<std::uint64_t>{288, 368}));
}
TEST_F(Strategies, NextFitGoesOnBehindTheLastPlacement) {
  EXPECT_EQ(places_of_two(AllocationStrategy::kNextFit), (std::vector<std::uint64_t>{160, 288}));
}

TEST_F(Strategies, NextFitBeginsAnewWhereNothingIsBehind) {
  strategy = AllocationStrategy::kNextFit;
  dig({128, 96, 256}, 2);

  EXPECT_EQ(place(lease(80)), 0u);
}

// 1.6 and 1.55 MiB are of one class: the first that came stands for it, and nobody looks for a closer fit.
TEST_F(Strategies, SegregatedFitTakesAnyOfItsClass) {
  strategy = AllocationStrategy::kSegregatedFit;
  dig({1650, 1600, 4096}, 0);

  const PayloadLease got = lease(1500);

  EXPECT_EQ(place(got), 0u) << "1600 would fit closer";
  const PayloadLease next = lease(1500);
  EXPECT_EQ(place(next), 1682u) << "the rest of the first is of a lower class";
}

// Where only holes of the request's own class are left, one of them may be too small.
TEST_F(Strategies, SegregatedFitFindsTheOneThatFitsInTheRequestsOwnClass) {
  strategy = AllocationStrategy::kSegregatedFit;
  dig({1600, 1650}, 0);

  EXPECT_EQ(place(lease(1640)), 1632u);
}

TEST_F(Strategies, CutWhatWasNeverCutWhereNoHoleFits) {
  for (const AllocationStrategy by :
       {AllocationStrategy::kFirstFit, AllocationStrategy::kBestFit, AllocationStrategy::kWorstFit,
        AllocationStrategy::kNextFit, AllocationStrategy::kSegregatedFit}) {
    SCOPED_TRACE(std::string(to_string(by)));
    kept.clear();
    pool.trim(kUnlimited, HostWait::kAllowed);
    strategy = by;
    pool.set_strategy(AllocationStrategy::kBestFit);
    dig({128, 96, 256}, 0);

    EXPECT_EQ(place(lease(512)), 576u);
  }
}

TEST_F(Strategies, HoldFromTheNextLeaseOn) {
  const std::vector<std::uint64_t> first = places_of_two(AllocationStrategy::kWorstFit);
  kept.resize(3);
  pool.set_strategy(AllocationStrategy::kBestFit);

  EXPECT_EQ(place(lease(80)), 160u);
  EXPECT_EQ(pool.statistics().strategy, AllocationStrategy::kBestFit);
}

// What was handed back last is not given again as it is, as best fit may do: that would place it.
TEST_F(Strategies, FirstFitIsNotWhatWasHandedBackLast) {
  strategy = AllocationStrategy::kFirstFit;
  dig({128, 96, 256}, 0);
  kept.push_back(lease(128));
  kept.push_back(lease(96));  // both holes are full
  kept[3].release();
  kept[4].release();

  EXPECT_EQ(place(lease(96)), 0u) << "the hole of 96 would have fitted exactly";
}

class FirstFromTheStart : public Strategies {
 protected:
  FirstFromTheStart() : Strategies(AllocationStrategy::kFirstFit) {}
};
TEST_F(FirstFromTheStart, IsWhatAPoolMayBeOpenedWith) {
  std::vector<PayloadLease> leases;
  for (int k = 0; k < 6; ++k) {
    leases.push_back(lease(k % 2 == 0 ? 100 - static_cast<std::uint64_t>(k) : 32));
  }
  base = leases[0].data();
  leases[0].release();
  leases[2].release();
  leases[4].release();

  EXPECT_EQ(place(lease(90)), 0u) << "holes of 98 and 96 KiB fit closer";
}

TEST(StrategyNames, ReadBack) {
  for (std::size_t k = 0; k < kAllocationStrategies; ++k) {
    const auto strategy = static_cast<AllocationStrategy>(k);
    EXPECT_EQ(allocation_strategy_of(to_string(strategy)), strategy);
  }
  EXPECT_EQ(allocation_strategy_of("quick_fit"), std::nullopt);
}

}  // namespace
}  // namespace tenure
