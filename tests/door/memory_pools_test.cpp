// Pools by name, as a program makes them beside those of the kinds.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tenure/memory_pool.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class MemoryPools : public RuntimeTest {
 protected:
  using RuntimeTest::RuntimeTest;

  MemoryPool make_pool(const std::string& name, Bytes size,
                       const SpecializedPoolOptions& options = {}) {
    return value_or_throw(create_specialized_pool(runtime, name, size, options));
  }
  PoolStatistics figures(const MemoryPool& pool) { return value_or_throw(pool.statistics()); }
};

TEST_F(MemoryPools, HaveLimitsAndFiguresOfTheirOwn) {
  MemoryPool tiles = make_pool("tiles", 4_MiB);
  MemoryPool rows = make_pool("rows", 1_MiB);
  const PayloadLease beside = value_or_throw(runtime.lease(3_MiB, {.kind = MemoryKind::kHost}));

  const PayloadLease tile = value_or_throw(tiles.allocate(3_MiB));
  const Result<PayloadLease> refused = tiles.allocate(2_MiB);

  std::memset(tile.data(), 7, tile.size().count());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOverBudget);
  EXPECT_NE(refused.failure().message.find("3 MiB are leased in 1 block"), std::string::npos)
      << refused.failure().message;
  EXPECT_TRUE(rows.allocate(512_KiB).ok()) << "the other pool has room";
  EXPECT_EQ(figures(tiles).name, "tiles");
  EXPECT_EQ(figures(tiles).live, 3_MiB);
  EXPECT_EQ(figures(tiles).budget, 4_MiB);
  EXPECT_EQ(figures(tiles).refusals, 1u);
  const Statistics all = runtime.statistics();
  ASSERT_EQ(all.named_pools.size(), 2u);
  EXPECT_EQ(all.named_pools[0].live, 3_MiB);
  ASSERT_EQ(all.pools.size(), 1u);
  EXPECT_EQ(all.pools[0].live, 3_MiB) << "what was leased beside, and no more";
}

TEST_F(MemoryPools, AreFoundByName) {
  const MemoryPool made = make_pool("tiles", 1_MiB, {.alignment = 4_KiB});
  const PayloadLease one = value_or_throw(runtime.lease(1_KiB, {.kind = MemoryKind::kHost}));

  std::vector<std::string> names;
  for (const MemoryPool& pool : memory_pools(runtime)) {
    names.push_back(pool.name());
  }

  EXPECT_EQ(names, (std::vector<std::string>{"host payloads", "tiles"}));
  EXPECT_EQ(find_memory_pool(runtime, "tiles")->alignment(), 4_KiB);
  EXPECT_FALSE(find_memory_pool(runtime, "rows"));
}

TEST_F(MemoryPools, GiveAlignedAddresses) {
  for (std::uint64_t alignment = 16; alignment <= 2u << 20; alignment *= 2) {
    MemoryPool pool =
        make_pool("at " + std::to_string(alignment), 32_MiB, {.alignment = Bytes{alignment}});
    std::mt19937_64 random(alignment);
    std::vector<PayloadLease> leases;
    for (int step = 0; step < 300; ++step) {
      if (leases.size() < 4 || random() % 2 == 0) {
        Result<PayloadLease> got = pool.allocate(Bytes{1 + random() % (2u << 20)});
        if (got) {
          ASSERT_EQ(reinterpret_cast<std::uintptr_t>(got->data()) % alignment, 0u) << alignment;
          leases.push_back(std::move(*got));
          continue;
        }
      }
      std::swap(leases[random() % leases.size()], leases.back());
      leases.pop_back();
    }
    ASSERT_TRUE(pool.verify().ok());
  }
}

TEST_F(MemoryPools, GrowAndShrink) {
  MemoryPool pool = make_pool("tiles", 2_MiB);
  const PayloadLease kept = value_or_throw(pool.allocate(1_MiB));
  ASSERT_FALSE(pool.allocate(3_MiB).ok());

  EXPECT_EQ(value_or_throw(pool.resize(8_MiB)).size, 8_MiB);

  { const PayloadLease passing = value_or_throw(pool.allocate(6_MiB)); }
  ASSERT_EQ(figures(pool).reserved, 7_MiB);
  const PoolResize shrunk = value_or_throw(pool.resize(2_MiB));
  EXPECT_EQ(shrunk.size, 2_MiB);
  EXPECT_EQ(shrunk.given_back, 5_MiB);
  EXPECT_EQ(shrunk.reserved, 2_MiB);
  EXPECT_EQ(figures(pool).reserved, 2_MiB);
}

TEST_F(MemoryPools, DoNotShrinkBelowWhatIsUsed) {
  MemoryPool pool = make_pool("tiles", 4_MiB);
  const PayloadLease kept = value_or_throw(pool.allocate(3_MiB));

  const Result<PoolResize> shrunk = pool.resize(2_MiB);

  ASSERT_EQ(shrunk.failure().code, ErrorCode::kOverBudget);
  EXPECT_NE(shrunk.failure().message.find("3 MiB are leased"), std::string::npos);
  EXPECT_EQ(figures(pool).budget, 4_MiB);
}

TEST_F(MemoryPools, TakeBackWhatIsTheirOwnAlone) {
  MemoryPool tiles = make_pool("tiles", 4_MiB);
  MemoryPool rows = make_pool("rows", 4_MiB);
  PayloadLease tile = value_or_throw(tiles.allocate(1_MiB));

  EXPECT_EQ(rows.deallocate(tile).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(tile.owns());
  EXPECT_TRUE(tiles.deallocate(tile).ok());
  EXPECT_FALSE(tile.owns());
  EXPECT_EQ(tiles.deallocate(tile).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(figures(tiles).live, Bytes{});
}

TEST_F(MemoryPools, AddUp) {
  MemoryPool pool = make_pool("tiles", 4_MiB);
  std::vector<PayloadLease> leases;
  for (int k = 0; k < 8; ++k) {
    leases.push_back(value_or_throw(pool.allocate(128_KiB)));
  }
  for (std::size_t k = 0; k < leases.size(); k += 2) {
    leases[k].release();
  }

  const std::vector<FreeBlock> free = value_or_throw(pool.free_blocks());

  Bytes sum;
  for (const FreeBlock& block : free) {
    sum += block.size;
    for (const PayloadLease& lease : leases) {
      const bool apart = !lease.owns() || lease.data() + lease.size().count() <= block.address ||
                         block.address + block.size.count() <= lease.data();
      EXPECT_TRUE(apart);
    }
  }
  const PoolStatistics statistics = figures(pool);
  EXPECT_EQ(statistics.free_blocks, free.size());
  EXPECT_EQ(statistics.leased + sum, statistics.reserved);
  EXPECT_GE(free.size(), 4u);
}

TEST(FreeBlocks, AreSplitInTwo) {
  std::byte bytes[64];
  const FreeBlock block{bytes, Bytes{64}};

  const auto halves = block.split(Bytes{16});

  ASSERT_TRUE(halves);
  EXPECT_EQ(halves->first, (FreeBlock{bytes, Bytes{16}}));
  EXPECT_EQ(halves->second, (FreeBlock{bytes + 16, Bytes{48}}));
  EXPECT_FALSE(block.split(Bytes{}));
  EXPECT_FALSE(block.split(Bytes{64}));
}

TEST_F(MemoryPools, AreRefusedWhereTheyCannotBe) {
  const MemoryPool pool = make_pool("tiles", 1_MiB);
  const auto code = [&](const std::string& name, Bytes size, Bytes alignment) {
    return create_specialized_pool(runtime, name, size, {.alignment = alignment}).failure().code;
  };

  EXPECT_EQ(code("tiles", 1_MiB, Bytes{64}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("host payloads", 1_MiB, Bytes{64}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("", 1_MiB, Bytes{64}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("rows", Bytes{}, Bytes{64}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("rows", 1_MiB, Bytes{8}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("rows", 1_MiB, Bytes{96}), ErrorCode::kBadArgument);
  EXPECT_EQ(code("rows", 1_MiB, 4_MiB), ErrorCode::kBadArgument);
}

TEST_F(MemoryPools, EndWithTheirRuntime) {
  MemoryPool pool = make_pool("tiles", 1_MiB);
  PayloadLease lease = value_or_throw(pool.allocate(1_KiB));
  mutator.reset();

  const CloseReport report = runtime.close();

  EXPECT_EQ(report.leases_outstanding, 1u);
  EXPECT_EQ(lease.data(), nullptr);
  EXPECT_EQ(pool.allocate(1_KiB).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(pool.resize(2_MiB).failure().code, ErrorCode::kClosed);
  EXPECT_TRUE(memory_pools(runtime).empty());
}

TEST_F(MemoryPools, OfAKindPlaceByTheStrategyThatIsSet) {
  ASSERT_TRUE(
      set_allocation_strategy(runtime, MemoryKind::kHost, AllocationStrategy::kFirstFit).ok());
  const LeaseOptions host{.kind = MemoryKind::kHost};
  PayloadLease wide = value_or_throw(runtime.lease(64_KiB, host));
  const PayloadLease between = value_or_throw(runtime.lease(1_KiB, host));
  PayloadLease close = value_or_throw(runtime.lease(32_KiB, host));
  const PayloadLease behind = value_or_throw(runtime.lease(1_KiB, host));
  const std::byte* const lowest = wide.data();
  wide.release();
  close.release();

  EXPECT_EQ(value_or_throw(runtime.lease(32_KiB, host)).data(), lowest);
  EXPECT_EQ(runtime.statistics().pools[0].strategy, AllocationStrategy::kFirstFit);
}

Config checked() {
  Config config = small_config();
  config.check = Check::kPayload;
  return config;
}
class CheckedPools : public MemoryPools {
 protected:
  CheckedPools() : MemoryPools(checked()) {}
};
TEST_F(CheckedPools, AreWatchedAndNoMoreThanRedzonesAligned) {
  MemoryPool pool = make_pool("tiles", 1_MiB, {.alignment = Bytes{512}});
  const PayloadLease lease = value_or_throw(pool.allocate(Bytes{100}));

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(lease.data()) % 512, 0u);
  EXPECT_EQ(create_specialized_pool(runtime, "rows", 1_MiB, {.alignment = 4_KiB}).failure().code,
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tenure::testing
