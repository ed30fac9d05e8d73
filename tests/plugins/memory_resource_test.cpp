#include "tenure/plugins/memory_resource.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <list>
#include <memory_resource>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class MemoryResources : public RuntimeTest {
 protected:
  const PoolStatistics pool_of(MemoryKind kind) {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      if (pool.kind == kind) {
        return pool;
      }
    }
    return {};
  }
};

TEST_F(MemoryResources, CarryContainersAndGiveAllBack) {
  PayloadResource resource(runtime, {.kind = MemoryKind::kPinned});
  {
    std::pmr::vector<double> values(&resource);
    std::pmr::unordered_map<int, std::pmr::string> names(&resource);
    for (int k = 0; k < 1000; ++k) {
      values.push_back(k);
      names[k] = std::string(100, static_cast<char>('a' + k % 26));
    }
    for (int k = 0; k < 1000; ++k) {
      ASSERT_EQ(values[static_cast<std::size_t>(k)], k);
      ASSERT_EQ(names[k][99], 'a' + k % 26);
    }
    EXPECT_GT(pool_of(MemoryKind::kPinned).live_blocks, 1000u);
  }

  EXPECT_EQ(pool_of(MemoryKind::kPinned).live_blocks, 0u);
  EXPECT_EQ(pool_of(MemoryKind::kHost).leases, 0u);
}

TEST_F(MemoryResources, StandBelowThePoolsOfTheStandardLibrary) {
  PayloadResource resource(runtime);
  {
    std::pmr::unsynchronized_pool_resource small(&resource);
    std::pmr::list<std::int64_t> list(&small);
    for (int k = 0; k < 10'000; ++k) {
      list.push_back(k);
    }
    EXPECT_LT(pool_of(MemoryKind::kHost).live_blocks, 200u);
  }
  EXPECT_EQ(pool_of(MemoryKind::kHost).live_blocks, 0u);
}

TEST_F(MemoryResources, KeepEveryAlignmentAndTheBytesOfNeighbours) {
  PayloadResource resource(runtime);
  struct Piece {
    std::byte* data;
    std::size_t size;
    std::size_t alignment;
  };
  std::vector<Piece> pieces;
  for (std::size_t alignment = 1; alignment <= 65'536; alignment *= 2) {
    for (const std::size_t size : {0u, 1u, 7u, 504u, 512u, 4096u, 100'000u}) {
      auto* const data = static_cast<std::byte*>(resource.allocate(size, alignment));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % alignment, 0u);
      std::memset(data, static_cast<int>(pieces.size() % 251), size);
      pieces.push_back({data, size, alignment});
    }
  }
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    for (std::size_t at = 0; at < pieces[k].size; ++at) {
      ASSERT_EQ(pieces[k].data[at], static_cast<std::byte>(k % 251));
    }
    resource.deallocate(pieces[k].data, pieces[k].size, pieces[k].alignment);
  }
  EXPECT_EQ(pool_of(MemoryKind::kHost).live_blocks, 0u);
}

TEST_F(MemoryResources, ThrowABadAllocThatSaysWhy) {
  Config config = small_config();
  config.payload_budget = 64_MiB;
  Runtime small = value_or_throw(Runtime::open(config));
  PayloadResource resource(small);
  std::pmr::vector<char> kept(&resource);
  try {
    kept.resize(1u << 30);
    FAIL() << "1 GiB fitted into 64 MiB";
  } catch (const std::bad_alloc& thrown) {
    EXPECT_NE(std::string(thrown.what()).find("64 MiB"), std::string::npos) << thrown.what();
  }
  EXPECT_THROW((void)resource.allocate(~std::size_t{0} - 3, 8), std::bad_alloc);
  EXPECT_NO_THROW(kept.resize(1u << 20));
}

TEST_F(MemoryResources, AreNotMadeOfDeviceMemory) {
  EXPECT_THROW(PayloadResource(runtime, {.kind = MemoryKind::kDevice}), Failure);
}

TEST_F(MemoryResources, AreSharedByThreads) {
  PayloadResource resource(runtime);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&resource, thread] {
      for (int round = 0; round < 200; ++round) {
        std::pmr::vector<int> values(&resource);
        for (int k = 0; k < 500; ++k) {
          values.push_back(thread * 1000 + k);
        }
        ASSERT_EQ(values[499], thread * 1000 + 499);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pool_of(MemoryKind::kHost).live_blocks, 0u);
}

TEST_F(MemoryResources, OfAnArenaEndWithIt) {
  Arena arena = value_or_throw(Arena::open(runtime));
  ArenaResource resource(arena);
  const Arena::Mark mark = arena.mark();
  std::pmr::vector<std::pmr::string> lines(&resource);
  for (int k = 0; k < 1000; ++k) {
    lines.emplace_back(std::string(50, 'x'));
  }
  EXPECT_EQ(lines[999], std::string(50, 'x').c_str());
  EXPECT_GT(arena.used(), 50_KiB);

  lines = std::pmr::vector<std::pmr::string>(&resource);
  arena.rewind(mark);

  EXPECT_EQ(arena.used(), 0_B);
}

}  // namespace
}  // namespace tenure::testing
