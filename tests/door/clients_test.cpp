#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Clients : public RuntimeTest {
 protected:
  Clients() : RuntimeTest(small_config()) {}
  explicit Clients(const Config& config) : RuntimeTest(config) {}

  Result<PayloadLease> lease(Bytes size, ClientId client) {
    return runtime.lease(size, {.client = client});
  }
  ClientStatistics of(ClientId client) {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      for (const ClientStatistics& one : pool.clients) {
        if (one.client == client) {
          return one;
        }
      }
    }
    return {};
  }
  const ClientId torch = value_or_throw(runtime.make_client("torch"));
  const ClientId cupy = value_or_throw(runtime.make_client("cupy"));
};

TEST_F(Clients, AreToldApartByTheirNames) {
  EXPECT_NE(torch, cupy);
  EXPECT_EQ(value_or_throw(runtime.make_client("torch")), torch);
  EXPECT_EQ(runtime.make_client("").failure().code, ErrorCode::kBadArgument);
}

TEST_F(Clients, AreCountedByThemselves) {
  std::vector<PayloadLease> held;
  held.push_back(value_or_throw(lease(3_MiB + 1_B, torch)));
  held.push_back(value_or_throw(lease(5_MiB, torch)));
  held.push_back(value_or_throw(lease(7_MiB, cupy)));
  held.push_back(value_or_throw(runtime.lease(11_MiB)));
  held.erase(held.begin() + 1);

  EXPECT_EQ(of(torch).name, "torch");
  EXPECT_EQ(of(torch).live, 3_MiB + 1_B);
  EXPECT_EQ(of(torch).peak_live, 8_MiB + 1_B);
  EXPECT_EQ(of(cupy).live, 7_MiB);
  held.clear();
  EXPECT_EQ(of(torch).live, 0_B);
  EXPECT_EQ(of(cupy).live, 0_B);
}

TEST_F(Clients, ShareWhatAnyOfThemHandedBack) {
  value_or_throw(lease(64_MiB, torch)).release();

  const PayloadLease kept = value_or_throw(lease(64_MiB, cupy));

  EXPECT_EQ(runtime.statistics().pools[0].reserved, 64_MiB);
}

TEST_F(Clients, ThatAreLimitedAreRefusedWithFiguresAndOthersAreNot) {
  ASSERT_TRUE(runtime.limit_client(torch, MemoryKind::kDevice, {.hard = 10_MiB}).ok());
  PayloadLease held = value_or_throw(lease(8_MiB, torch));

  const Result<PayloadLease> refused = lease(4_MiB, torch);

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOverBudget);
  EXPECT_NE(refused.failure().message.find("client \"torch\" may hold 10 MiB"), std::string::npos)
      << refused.failure().message;
  EXPECT_NE(refused.failure().message.find("holds 8 MiB"), std::string::npos);
  EXPECT_GE(of(torch).refusals, 1u);
  EXPECT_TRUE(lease(400_MiB, cupy).ok());
  EXPECT_TRUE(runtime.lease(4_MiB).ok());
  held.release();
  EXPECT_TRUE(lease(10_MiB, torch).ok());
}

TEST_F(Clients, AreCollectedForBeforeTheyAreRefused) {
  ASSERT_TRUE(runtime.limit_client(torch, MemoryKind::kDevice, {.hard = 10_MiB}).ok());

  for (int k = 0; k < 20; ++k) {  // each dropped at once
    const Result<Local<Tensor>> made = make_tensor(*mutator, {1 << 20}, {.client = torch});
    ASSERT_TRUE(made.ok()) << made.failure().message;
  }

  EXPECT_LE(of(torch).live, 10_MiB);
}

TEST_F(Clients, PastTheirSoftLimitAreToldOfOnceEachTime) {
  ASSERT_TRUE(runtime.limit_client(torch, MemoryKind::kDevice, {.soft = 16_MiB}).ok());
  std::vector<ClientId> told;
  (void)runtime.on_pressure([&](const PressureCall& call) {
    EXPECT_EQ(call.kind, MemoryKind::kDevice);
    told.push_back(call.client);
  });
  std::vector<PayloadLease> held;
  for (int k = 0; k < 20; ++k) {
    held.push_back(value_or_throw(lease(1_MiB, torch)));
  }
  EXPECT_EQ(told, std::vector{torch});

  held.clear();
  held.push_back(value_or_throw(lease(17_MiB, torch)));

  EXPECT_EQ(told, (std::vector{torch, torch}));
}

TEST_F(Clients, ThatNobodyMadeAreRefused) {
  const auto stranger = static_cast<ClientId>(77);

  EXPECT_EQ(lease(1_MiB, stranger).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(runtime.limit_client(stranger, MemoryKind::kHost, {}).failure().code,
            ErrorCode::kBadArgument);
  EXPECT_EQ(runtime.limit_client(ClientId::kNone, MemoryKind::kHost, {}).failure().code,
            ErrorCode::kBadArgument);
}

TEST_F(Clients, WithASoftLimitAboveTheHardOneAreRefused) {
  const Result<void> limited =
      runtime.limit_client(torch, MemoryKind::kHost, {.soft = 2_MiB, .hard = 1_MiB});

  ASSERT_FALSE(limited.ok());
  EXPECT_EQ(limited.failure().code, ErrorCode::kBadArgument);
}

TEST_F(Clients, AreCountedRightByManyThreads) {
  std::vector<std::thread> threads;
  for (const ClientId client : {torch, cupy, torch, cupy}) {
    threads.emplace_back([this, client] {
      std::vector<PayloadLease> held(8);
      for (std::size_t k = 0; k < 20'000; ++k) {
        held[k % held.size()] = value_or_throw(lease(4_KiB, client));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_EQ(of(torch).live, 0_B);
  EXPECT_EQ(of(cupy).live, 0_B);
  EXPECT_LE(of(torch).peak_live, 18 * 4_KiB);
  EXPECT_GE(of(torch).peak_live, 8 * 4_KiB);
}

Config checked_config() {
  Config config = small_config();
  config.check = Check::kPayload;
  return config;
}
class CheckedClients : public Clients {
 protected:
  CheckedClients() : Clients(checked_config()) {}
};

TEST_F(CheckedClients, AreCountedAsTheOthersAre) {
  ASSERT_TRUE(runtime.limit_client(torch, MemoryKind::kDevice, {.hard = 10_MiB}).ok());
  PayloadLease held = value_or_throw(lease(8_MiB, torch));
  EXPECT_EQ(of(torch).live, 8_MiB);
  EXPECT_FALSE(lease(4_MiB, torch).ok());

  held.release();

  EXPECT_EQ(of(torch).live, 0_B);
  EXPECT_TRUE(lease(10_MiB, torch).ok());
}

}  // namespace
}  // namespace tenure::testing
