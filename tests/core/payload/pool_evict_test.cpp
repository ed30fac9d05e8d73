// Cold payloads leave a pool that is too small for all, and come back on use with every byte.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/payload/checked_backend.hpp"
#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/evictable_payload.hpp"

namespace tenure {
namespace {

using testing::EvictablePayload;
using testing::is_sound;

SimulatedOptions late_device(std::uint64_t seed) {
  SimulatedOptions options;  // copies and kernels are done when the clock says so
  options.capacity = 64_MiB;
  options.granularity = 64_KiB;
  options.jitter = 1.0;
  options.checks_order = true;
  options.seed = seed;
  return options;
}

// 8 MiB of a device, and pinned memory beside it.
class PoolEvictTest : public ::testing::Test {
 protected:
  void TearDown() override {
    payloads.clear();
    EXPECT_TRUE(!pool || is_sound(*pool));
    EXPECT_TRUE(is_sound(pinned));
    device.advance_until_idle();
    EXPECT_EQ(broken, 0u);
    EXPECT_TRUE(device.order_faults().empty()) << device.order_faults().front();
  }

  EvictablePayload& add(Bytes size, StreamId stream = StreamId::kDefault) {
    Result<PayloadLease> lease = try_add(size, stream);
    if (!lease) {
      (void)pool->evict_for(size, stream, &pinned);
      lease = try_add(size, stream);
    }
    payloads.emplace_back(value_or_throw(std::move(lease)), payloads.size() * 1000 + 1);
    return payloads.back();
  }
  Result<PayloadLease> try_add(Bytes size, StreamId stream) {
    return pool->lease_evictable(size, stream, SiteId{1}, Effort::kGrow, ClientId::kNone);
  }
  /// Brings it back, has a kernel rewrite it, and gives the use.
  PayloadUse step(EvictablePayload& payload, StreamId stream = StreamId::kDefault) {
    Result<PayloadUse> use = pool->use(payload.block(), stream, Effort::kGrow);
    if (!use) {
      const EvictionOutcome outcome = pool->evict_for_return(payload.block(), &pinned);
      EXPECT_EQ(outcome.failure, "");
      use = pool->use(payload.block(), stream, Effort::kGrow);
    }
    EXPECT_TRUE(use.ok()) << use.failure().message;
    EXPECT_TRUE(payload.step(device, stream, 20'000, broken));
    return std::move(*use);
  }
  /// All bytes are there, wherever they lie.
  void expect_whole() {
    for (EvictablePayload& payload : payloads) {
      const PayloadUse use = step(payload, StreamId::kDefault);
      device.advance_until_idle();
      EXPECT_TRUE(payload.is_whole());
    }
    EXPECT_EQ(broken, 0u);
  }
  Bytes evict(Bytes size) {
    const EvictionOutcome outcome = pool->evict(size, &pinned);
    EXPECT_EQ(outcome.failure, "");
    EXPECT_TRUE(is_sound(*pool));
    return outcome.gained;
  }

  SimulatedDevice device{late_device(5)};
  PayloadPool pinned{device, MemoryKind::kPinned};
  std::optional<PayloadPool> pool{std::in_place, device, MemoryKind::kDevice, 8_MiB};
  StreamId left = *device.make_stream();
  std::vector<EvictablePayload> payloads;
  std::uint64_t broken = 0;
};

TEST_F(PoolEvictTest, TakesTheColdestFirst) {
  payloads.reserve(4);
  for (int k = 0; k < 4; ++k) step(add(1_MiB));
  step(payloads[0]).end();

  EXPECT_EQ(evict(2_MiB), 2_MiB);

  EXPECT_EQ(pool->statistics().evicted_payloads, 2u);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 2_MiB);
  const std::uint64_t copies = device.count(BackendCall::kCopy);
  step(payloads[0]).end();
  step(payloads[3]).end();
  EXPECT_EQ(device.count(BackendCall::kCopy), copies) << "one of them was not resident";
  expect_whole();
  EXPECT_EQ(pool->statistics().bytes_brought_back, 2_MiB);
}

TEST_F(PoolEvictTest, WaitsForWorkThatUsesWhatIsEvicted) {
  EvictablePayload& payload = add(1_MiB);
  step(payload).end();
  step(payload, left).end();  // ordered behind by its user

  EXPECT_EQ(evict(1_B), 1_MiB);

  EXPECT_EQ(broken, 0u);
  expect_whole();
}

TEST_F(PoolEvictTest, LeavesAloneWhatIsUsed) {
  payloads.reserve(3);
  for (int k = 0; k < 3; ++k) step(add(1_MiB)).end();
  const PayloadUse first = step(payloads[0]);
  const PayloadUse second = step(payloads[1], left);

  EXPECT_EQ(evict(8_MiB), 1_MiB);

  EXPECT_EQ(pool->statistics().evicted_payloads, 1u);
}

TEST_F(PoolEvictTest, OrdersOtherStreamsBehindTheCopyThatBringsBytesBack) {
  EvictablePayload& payload = add(4_MiB);
  step(payload).end();
  evict(4_MiB);
  device.advance_until_idle();

  PayloadUse first = value_or_throw(pool->use(payload.block(), left, Effort::kGrow));
  const PayloadUse second =
      value_or_throw(pool->use(payload.block(), StreamId::kDefault, Effort::kGrow));
  std::uint64_t wrong = 0;
  ASSERT_TRUE(payload.step(device, StreamId::kDefault, 1, wrong));  // a long copy is before it
  device.advance_until_idle();

  EXPECT_EQ(wrong, 0u);
}

TEST_F(PoolEvictTest, BringsNothingBackOfWhatWasHandedBack) {
  payloads.reserve(4);
  for (int k = 0; k < 4; ++k) step(add(1_MiB + 1_KiB)).end();
  evict(8_MiB);
  const Bytes edges = device.mapped(MemoryKind::kDevice);
  const Bytes kept = pinned.leased();

  payloads.clear();

  EXPECT_TRUE(is_sound(*pool));
  EXPECT_EQ(pool->statistics().evicted_payloads, 0u);
  EXPECT_EQ(pool->statistics().live, 0_B);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), edges);
  EXPECT_GT(kept, pinned.leased());
  EXPECT_EQ(pinned.leased(), 0_B);
  EXPECT_TRUE(pool->lease(8_MiB, StreamId::kDefault, SiteId{1}, Effort::kWait).ok());
}

TEST_F(PoolEvictTest, HandsBackOnceUsesEnd) {
  EvictablePayload& payload = add(2_MiB);
  PayloadUse use = step(payload);
  payloads.clear();

  EXPECT_EQ(pool->statistics().live, 2_MiB);
  EXPECT_TRUE(is_sound(*pool));
  use.end();

  EXPECT_EQ(pool->statistics().live, 0_B);
}

TEST_F(PoolEvictTest, FindsARequestItsRoomInWhatCameBack) {
  for (int k = 0; k < 4; ++k) step(add(2_MiB)).end();
  payloads.clear();
  const std::uint64_t maps = device.count(BackendCall::kMap);

  EXPECT_TRUE(pool->lease(8_MiB, StreamId::kDefault).ok());

  EXPECT_EQ(device.count(BackendCall::kMap), maps);
}

TEST_F(PoolEvictTest, UsesPlainMemoryWherePinnedHasNoRoom) {
  PayloadPool little(device, MemoryKind::kPinned, 1_MiB);
  payloads.reserve(3);
  for (int k = 0; k < 3; ++k) step(add(1_MiB)).end();

  const EvictionOutcome outcome = pool->evict(3_MiB, &little);

  EXPECT_EQ(outcome.gained, 3_MiB);
  EXPECT_EQ(little.leased(), 1_MiB);
  expect_whole();
}

TEST_F(PoolEvictTest, UsesPlainMemoryWherePinnedIsAsleepAndWaitsForItsOwn) {
  payloads.reserve(2);
  for (int k = 0; k < 2; ++k) step(add(1_MiB)).end();
  evict(1_MiB);
  ASSERT_TRUE(pinned.sleep().ok());

  EXPECT_EQ(evict(1_MiB), 1_MiB);  // the other one
  const Result<PayloadUse> use = pool->use(payloads[0].block(), left, Effort::kGrow);

  ASSERT_FALSE(use.ok());
  EXPECT_EQ(use.failure().code, ErrorCode::kAsleep);
  EXPECT_EQ(pool->statistics().evicted_payloads, 2u);
  EXPECT_TRUE(is_sound(*pool));
  step(payloads[1]).end();
  ASSERT_TRUE(pinned.wake().ok());
  expect_whole();
}

TEST_F(PoolEvictTest, FindsEachWhereItWent) {
  payloads.reserve(2);
  for (int k = 0; k < 2; ++k) step(add(1_MiB)).end();
  evict(1_MiB);

  EXPECT_EQ(pool->evict(1_MiB, nullptr).gained, 1_MiB);

  EXPECT_EQ(pinned.leased(), 1_MiB);
  expect_whole();
}

TEST_F(PoolEvictTest, SleepsWithPayloadsEvicted) {
  payloads.reserve(8);
  for (int k = 0; k < 8; ++k) step(add(700_KiB)).end();
  evict(2_MiB);
  ASSERT_GT(pool->statistics().evicted_payloads, 2u);

  for (const SleepContents contents : {SleepContents::kOnHost, SleepContents::kInFile}) {
    ASSERT_TRUE(pool->sleep({.contents = contents, .directory = {}}).ok());
    EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
    EXPECT_TRUE(is_sound(*pool));
    EXPECT_EQ(pool->use(payloads[0].block(), left, Effort::kGrow).failure().code,
              ErrorCode::kAsleep);
    EXPECT_EQ(evict(1_MiB), 0_B);
    payloads.erase(payloads.begin());  // evicted, and handed back asleep
    ASSERT_TRUE(pool->wake().ok());
    EXPECT_TRUE(is_sound(*pool));
  }
  expect_whole();
}

TEST_F(PoolEvictTest, DoesNotSleepWhileAPayloadIsUsed) {
  PayloadUse use = step(add(1_MiB));

  EXPECT_EQ(pool->sleep().failure().code, ErrorCode::kBadArgument);
  use.end();
  EXPECT_TRUE(pool->sleep().ok());
  EXPECT_TRUE(pool->wake().ok());
}

TEST_F(PoolEvictTest, EndsWithPayloadsEvictedAndUsed) {
  payloads.reserve(3);
  for (int k = 0; k < 3; ++k) step(add(1_MiB)).end();
  evict(1_MiB);
  PayloadUse use = step(payloads[1]);
  PayloadUse of_another = step(payloads[2]);
  payloads.pop_back();

  EXPECT_EQ(pool->close(), 2u);
  pool.reset();

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
  EXPECT_EQ(payloads[0].lease().data(), nullptr);
  use.end();
  of_another.end();
}

TEST_F(PoolEvictTest, TakesPayloadsBackFromThreadsMeanwhile) {
  std::vector<PayloadLease> others;
  for (int k = 0; k < 64; ++k) others.push_back(value_or_throw(try_add(64_KiB, left)));
  payloads.reserve(3);
  for (int k = 0; k < 3; ++k) step(add(1_MiB)).end();
  std::thread thread([&] { others.clear(); });
  for (int k = 0; k < 20; ++k) {
    evict(2_MiB);
    step(payloads[static_cast<std::size_t>(k) % 3]).end();
  }
  thread.join();
  expect_whole();
}

// 12 MiB of payloads on 8 MiB of memory, three streams, kernels that rewrite what they find.
TEST(PoolEvict, KeepsEveryByteOfAWorkingSetThatDoesNotFit) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulatedDevice device(late_device(seed));
    PayloadPool pinned(device, MemoryKind::kPinned, seed % 2 == 0 ? 2_MiB : kUnlimited);
    PayloadPool pool(device, MemoryKind::kDevice, 8_MiB);
    const std::vector<StreamId> streams{StreamId::kDefault, *device.make_stream(),
                                        *device.make_stream()};
    std::mt19937_64 random(seed);
    std::vector<EvictablePayload> payloads;
    std::uint64_t broken = 0;
    Bytes held{};
    for (std::uint64_t number = 1; held < 12_MiB; ++number) {
      const Bytes size{300'000 + random() % 900'000};
      const StreamId stream = streams[random() % 3];
      const auto ask = [&] {
        return pool.lease_evictable(size, stream, SiteId{1}, Effort::kGrow, ClientId::kNone);
      };
      Result<PayloadLease> lease = ask();
      if (!lease) {
        (void)pool.evict_for(size, stream, &pinned);
        lease = ask();
      }
      ASSERT_TRUE(lease.ok()) << lease.failure().message;
      payloads.emplace_back(std::move(*lease), number << 32);
      held += size;
      ASSERT_TRUE(payloads.back().step(device, stream, random() % 50'000, broken));
    }
    for (int k = 0; k < 150; ++k) {
      EvictablePayload& payload = payloads[random() % payloads.size()];
      const StreamId stream = streams[random() % 3];
      Result<PayloadUse> use = pool.use(payload.block(), stream, Effort::kGrow);
      if (!use) {
        (void)pool.evict_for_return(payload.block(), &pinned);
        use = pool.use(payload.block(), stream, Effort::kWait);
      }
      ASSERT_TRUE(use.ok()) << use.failure().message;
      ASSERT_TRUE(payload.step(device, stream, random() % 50'000, broken));
      ASSERT_TRUE(k % 10 != 0 || is_sound(pool));
      ASSERT_LE(device.mapped(MemoryKind::kDevice), 8_MiB);
    }
    device.advance_until_idle();
    EXPECT_EQ(broken, 0u);
    EXPECT_GT(pool.statistics().evictions, 30u);
    EXPECT_TRUE(device.order_faults().empty()) << device.order_faults().front();
    payloads.clear();
    EXPECT_TRUE(is_sound(pool));
    EXPECT_EQ(pool.statistics().live, 0_B);
    EXPECT_EQ(pinned.leased(), 0_B);
  }
}

TEST(PoolEvict, IsRefusedWhereItCannotBe) {
  const auto refusal = [](PayloadPool& pool) {
    return pool.lease_evictable(1_KiB, StreamId::kDefault, SiteId{1}, Effort::kGrow,
                                ClientId::kNone);
  };
  SimulatedDevice device{testing::device_of(64_MiB)};
  SimulatedDevice unmapped{testing::device_of(64_MiB, false)};
  CheckedBackend checked(device);
  PayloadPool host(device, MemoryKind::kPinned);
  PayloadPool segments(unmapped, MemoryKind::kDevice);
  PayloadPool guarded(checked, MemoryKind::kDevice, PoolOptions{.checked = &checked});

  for (PayloadPool* const pool : {&host, &segments, &guarded}) {
    const Result<PayloadLease> lease = refusal(*pool);
    ASSERT_FALSE(lease.ok());
    EXPECT_EQ(lease.failure().code, ErrorCode::kUnsupported);
    EXPECT_NE(lease.failure().message.find("cannot be evictable: "), std::string::npos);
  }
}

}  // namespace
}  // namespace tenure
