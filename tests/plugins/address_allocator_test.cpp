#include "tenure/plugins/address_allocator.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tenure/plugins/memory_resource.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class AddressAllocators : public RuntimeTest {
 protected:
  PoolStatistics device_pool() {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      if (pool.kind == MemoryKind::kDevice) {
        return pool;
      }
    }
    return {};
  }
  ClientStatistics account_of(const AddressAllocator& allocator) {
    for (const ClientStatistics& client : device_pool().clients) {
      if (client.client == allocator.client()) {
        return client;
      }
    }
    return {};
  }
  AddressAllocator torch{runtime, "torch"};
  AddressAllocator cupy{runtime, "cupy"};
};

TEST_F(AddressAllocators, GiveBackByAddressAlone) {
  std::byte* const bytes = value_or_throw(torch.allocate(3_MiB));
  std::byte* const more = value_or_throw(torch.allocate(1_B));

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(more) % 512, 0u);
  EXPECT_EQ(account_of(torch).live, 3_MiB + 1_B);
  EXPECT_TRUE(torch.release(bytes));
  EXPECT_EQ(account_of(torch).live, 1_B);
  EXPECT_TRUE(torch.release(more));
  EXPECT_EQ(device_pool().live_blocks, 0u);
  EXPECT_EQ(torch.allocations(), 2u);
  EXPECT_EQ(torch.allocated(), 3_MiB + 1_B);
}

TEST_F(AddressAllocators, RefuseAddressesThatAreNotTheirs) {
  std::byte* const bytes = value_or_throw(torch.allocate(1_MiB));
  int foreign = 0;

  EXPECT_FALSE(cupy.release(bytes));
  EXPECT_FALSE(torch.release(&foreign));
  EXPECT_FALSE(torch.release(bytes + 512));
  EXPECT_FALSE(torch.used_on(&foreign, StreamId::kDefault));
  EXPECT_TRUE(torch.release(bytes));
  EXPECT_FALSE(torch.release(bytes)) << "twice";
  EXPECT_TRUE(torch.release(nullptr));
}

TEST_F(AddressAllocators, GiveNullForNothing) {
  EXPECT_EQ(value_or_throw(torch.allocate(0_B)), nullptr);
  EXPECT_EQ(torch.allocations(), 0u);
}

TEST_F(AddressAllocators, DrawFromOnePool) {
  std::byte* const first = value_or_throw(torch.allocate(64_MiB));
  ASSERT_TRUE(torch.release(first));

  std::byte* const second = value_or_throw(cupy.allocate(64_MiB));

  EXPECT_EQ(second, first);
  EXPECT_EQ(device_pool().reserved, 64_MiB);
  EXPECT_EQ(account_of(torch).live, 0_B);
  EXPECT_EQ(account_of(cupy).live, 64_MiB);
  EXPECT_TRUE(cupy.release(second));
}

TEST_F(AddressAllocators, ThatAreLimitedAreRefusedByNameAndOthersAreNot) {
  ASSERT_TRUE(runtime.limit_client(torch.client(), MemoryKind::kDevice, {.hard = 10_MiB}).ok());
  std::byte* const held = value_or_throw(torch.allocate(8_MiB));

  const Result<std::byte*> refused = torch.allocate(4_MiB);
  const Result<std::byte*> others = cupy.allocate(400_MiB);

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOverBudget);
  EXPECT_NE(refused.failure().message.find("\"torch\" may hold 10 MiB"), std::string::npos)
      << refused.failure().message;
  ASSERT_TRUE(others.ok()) << others.failure().message;
  EXPECT_TRUE(cupy.release(*others));
  EXPECT_TRUE(torch.release(held));
  EXPECT_TRUE(torch.allocate(10_MiB).ok());
}

TEST_F(AddressAllocators, TellThePoolOfEachStreamThatUsesTheBytes) {
  Config config = small_config();
  config.check = Check::kPayload;  // so that the pool can be asked
  Runtime checked = value_or_throw(Runtime::open(config));
  AddressAllocator allocator(checked, "torch");
  const StreamId second = value_or_throw(checked.make_stream());
  const StreamId third = value_or_throw(checked.make_stream());
  std::byte* const bytes = value_or_throw(allocator.allocate(1_MiB, second));
  const PayloadView view{bytes, 1_MiB, MemoryKind::kDevice};
  ASSERT_TRUE(checked.check_use(view, second).ok());
  ASSERT_FALSE(checked.check_use(view, third).ok());

  EXPECT_TRUE(allocator.used_on(bytes, third));

  EXPECT_TRUE(checked.check_use(view, third).ok());
  EXPECT_TRUE(allocator.release(bytes));
}

TEST_F(AddressAllocators, KnowStreamsOfOthersByTheirHandles) {
  int left = 0;
  int right = 0;

  const StreamId first = value_or_throw(runtime.adopt_stream(&left));

  EXPECT_NE(first, StreamId::kDefault);
  EXPECT_EQ(value_or_throw(runtime.adopt_stream(&left)), first);
  EXPECT_NE(value_or_throw(runtime.adopt_stream(&right)), first);
  EXPECT_EQ(value_or_throw(runtime.adopt_stream(nullptr)), StreamId::kDefault);
  EXPECT_TRUE(torch.release(value_or_throw(torch.allocate(1_MiB, first))));
  mutator.reset();
  runtime.close();
  EXPECT_EQ(runtime.adopt_stream(&left).failure().code, ErrorCode::kClosed);
}

TEST_F(AddressAllocators, GoToOtherLibrariesAsTables) {
  const AllocatorTable table = torch.table();
  ASSERT_TRUE(runtime.limit_client(torch.client(), MemoryKind::kDevice, {.hard = 10_MiB}).ok());
  const char* why = nullptr;

  void* const bytes = table.allocate(table.self, 8 << 20, &why);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(table.allocate(table.self, 0, &why), nullptr);
  EXPECT_EQ(why, nullptr);
  EXPECT_EQ(table.allocate(table.self, 8 << 20, &why), nullptr);
  ASSERT_NE(why, nullptr);
  EXPECT_NE(std::string(why).find("\"torch\" may hold 10 MiB"), std::string::npos) << why;
  EXPECT_EQ(table.release(table.self, bytes), 1);
  EXPECT_EQ(table.release(table.self, bytes), 0);
  EXPECT_EQ(table.release(table.self, nullptr), 1);
}

TEST_F(AddressAllocators, AreSharedByThreads) {
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      AddressAllocator& mine = thread % 2 == 0 ? torch : cupy;
      std::vector<std::byte*> held(8, nullptr);
      for (std::size_t k = 0; k < 4000; ++k) {
        std::byte*& place = held[k % held.size()];
        ASSERT_TRUE(mine.release(place));
        place = value_or_throw(mine.allocate(Bytes{512 * (1 + k % 7)}));
        std::memset(place, static_cast<int>(thread), 512);
      }
      for (std::byte* const place : held) {
        ASSERT_EQ(place[511], static_cast<std::byte>(thread));
        ASSERT_TRUE(mine.release(place));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(account_of(torch).live, 0_B);
  EXPECT_EQ(account_of(cupy).live, 0_B);
  EXPECT_EQ(device_pool().live_blocks, 0u);
}

TEST_F(AddressAllocators, GiveTheRestBackAtTheirEnd) {
  {
    AddressAllocator short_lived(runtime, "numba");
    ASSERT_TRUE(short_lived.allocate(5_MiB).ok());
  }
  EXPECT_EQ(device_pool().live_blocks, 0u);
}

}  // namespace
}  // namespace tenure::testing
