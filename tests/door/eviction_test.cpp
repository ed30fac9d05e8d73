// A training whose tensors do not fit finishes where they may be evicted, and is refused where not.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/runtime/state.hpp"
#include "host/simulated_device.hpp"
#include "tenure/tensor.hpp"
#include "tests/support/child.hpp"
#include "tests/support/filled_payloads.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config device_of_48_mib() {
  Config config = small_config();
  config.device = "sim:48MiB";
  return config;
}

class EvictionTest : public RuntimeTest {
 protected:
  explicit EvictionTest(const Config& config = device_of_48_mib()) : RuntimeTest(config) {}

  SimulatedDevice& device() { return dynamic_cast<SimulatedDevice&>(runtime.state().backend()); }
  Result<Local<Tensor>> make_layer(bool evictable, StreamId stream = StreamId::kDefault) {
    return make_tensor(*mutator, {6, 1 << 18}, {.stream = stream, .evictable = evictable});
  }
  /// A kernel on `stream` that finds what the one before left in a tensor, and leaves the next.
  void step(const Local<Tensor>& tensor, StreamId stream, std::uint64_t seed, bool first) {
    const Result<PayloadUse> used = use(*mutator, tensor, stream);
    ASSERT_TRUE(used.ok()) << used.failure().message;
    ASSERT_EQ(used->data(), tensor->data());
    const auto kernel = [this, at = used->data(), size = used->size(), seed, first] {
      broken += first || is_from_seed(at, size, seed) ? 0 : 1;
      fill_from_seed(at, size, seed + 1);
    };
    ASSERT_TRUE(device().submit(stream, 200'000, kernel, {used->view()}).ok());
  }
  PoolStatistics device_pool() { return pool_of(MemoryKind::kDevice); }
  PoolStatistics pool_of(MemoryKind kind) {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      if (pool.kind == kind) return pool;
    }
    return {};
  }

  std::uint64_t broken = 0;
};

TEST_F(EvictionTest, ATrainingHalfAsLargeAgainAsItsDeviceFinishes) {
  constexpr std::uint64_t kLayers = 12;  // of 6 MiB
  std::vector<Local<Tensor>> layers;
  for (std::uint64_t k = 0; k < kLayers; ++k) {
    layers.push_back(value_or_throw(make_layer(true)));
    step(layers.back(), StreamId::kDefault, k * 1000, true);
  }
  std::uint64_t steps = 1;
  for (int iteration = 0; iteration < 4; ++iteration) {
    for (std::uint64_t k = 0; k < kLayers; ++k, ++steps) {  // forward
      step(layers[k], StreamId::kDefault, k * 1000 + 1 + 2 * static_cast<std::uint64_t>(iteration),
           false);
      make_list(50);
    }
    for (std::uint64_t k = kLayers; k-- > 0; ++steps) {  // backward
      step(layers[k], StreamId::kDefault, k * 1000 + 2 + 2 * static_cast<std::uint64_t>(iteration),
           false);
    }
  }
  device().advance_until_idle();

  EXPECT_EQ(broken, 0u);
  const PoolStatistics pool = device_pool();
  EXPECT_EQ(pool.live, 72_MiB);
  EXPECT_LE(pool.peak_reserved, 48_MiB);
  EXPECT_GE(pool.evicted, 24_MiB);
  EXPECT_GE(pool.evicted_brought_back, 4u * 4);
  const PressureStatistics pressure = runtime.statistics().pressure;
  EXPECT_GT(pressure.steps[static_cast<std::size_t>(PressureStep::kEviction)].helped, 0u);
  EXPECT_EQ(pool_of(MemoryKind::kPinned).live, pool.evicted);
}

TEST_F(EvictionTest, TheSameIsRefusedWhereNothingMayBeEvicted) {
  std::vector<Local<Tensor>> layers;
  Result<Local<Tensor>> last = make_layer(false);
  while (last) {
    layers.push_back(*last);
    last = make_layer(false);
  }

  EXPECT_EQ(layers.size(), 8u);
  EXPECT_EQ(last.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(last.failure().message.find("evicting"), std::string::npos) << last.failure().message;
}

TEST_F(EvictionTest, ARefusalSaysWhatEvictingGave) {
  std::vector<Local<Tensor>> layers;
  std::vector<PayloadUse> uses;
  for (int k = 0; k < 8; ++k) {
    layers.push_back(value_or_throw(make_layer(true)));
    uses.push_back(value_or_throw(use(*mutator, layers.back(), StreamId::kDefault)));
  }

  const Result<Local<Tensor>> refused = make_layer(true);

  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.failure().message.find("evicting cold payloads (0 B came back"),
            std::string::npos)
      << refused.failure().message;
  uses.clear();
  EXPECT_TRUE(make_layer(true).ok());
}

TEST_F(EvictionTest, PlainRequestsAndUnifiedOnesEvictToo) {
  std::vector<Local<Tensor>> layers;
  for (std::uint64_t k = 0; k < 8; ++k) {
    layers.push_back(value_or_throw(make_layer(true)));
    step(layers.back(), StreamId::kDefault, k * 1000, true);
  }

  PayloadLease plain = value_or_throw(runtime.lease(10_MiB));
  const PayloadLease unified =
      value_or_throw(runtime.lease(10_MiB, {.kind = MemoryKind::kUnified}));
  EXPECT_GE(device_pool().evicted, 20_MiB);

  plain.release();
  for (std::uint64_t k = 0; k < 8; ++k) {
    step(layers[k], StreamId::kDefault, k * 1000 + 1, false);
  }
  device().advance_until_idle();
  EXPECT_EQ(broken, 0u);
}

// Payloads of 2 MiB, half as many again as fit.
class EvictionOnTheHost : public ::testing::Test {
 protected:
  static Config config() {
    Config config = small_config();
    config.device = "host";
    config.payload_budget = 16_MiB;
    return config;
  }
  std::vector<PayloadLease> lease(std::size_t count) {
    std::vector<PayloadLease> leases;
    while (leases.size() < count) {
      leases.push_back(value_or_throw(runtime.lease(2_MiB, {.evictable = true})));
    }
    return leases;
  }
  /// Rewrites payloads by turns, and gives how many had other bytes than were left in them.
  std::uint64_t work(std::vector<PayloadLease>& leases, std::uint64_t seed, int rounds) {
    std::uint64_t wrong = 0;
    std::vector<std::uint64_t> seeds(leases.size());
    for (int k = 0; k < rounds; ++k) {
      const std::size_t place = static_cast<std::size_t>(k) * 7 % leases.size();
      const Result<PayloadUse> used = runtime.use(leases[place], StreamId::kDefault);
      if (!used) {
        ADD_FAILURE() << used.failure().message;
        return wrong;
      }
      wrong += seeds[place] == 0 || is_from_seed(used->data(), used->size(), seeds[place]) ? 0 : 1;
      seeds[place] = ++seed;
      fill_from_seed(used->data(), used->size(), seed);
    }
    return wrong;
  }

  Runtime runtime = value_or_throw(Runtime::open(config()));
};

TEST_F(EvictionOnTheHost, KeepsEveryByte) {
  std::vector<PayloadLease> leases = lease(12);

  EXPECT_EQ(work(leases, 1, 60), 0u);

  const PoolStatistics pool = runtime.statistics().pools.back();
  EXPECT_EQ(pool.kind, MemoryKind::kDevice);
  EXPECT_GT(pool.evictions, 30u);
  EXPECT_LE(pool.peak_reserved, 16_MiB);
}

TEST_F(EvictionOnTheHost, ServesThreadsThatTakeEachOthersRoom) {
  std::vector<PayloadLease> ours = lease(6);
  std::vector<PayloadLease> theirs = lease(6);
  std::uint64_t wrong = 0;
  std::thread other([&] { wrong = work(theirs, 1'000'000, 80); });

  EXPECT_EQ(work(ours, 1, 80), 0u);

  other.join();
  EXPECT_EQ(wrong, 0u);
}

TEST(Eviction, MakesNoRoomInMemoryOfTheHost) {
  Config config = device_of_48_mib();
  config.payload_budget = 16_MiB;
  Runtime runtime = value_or_throw(Runtime::open(config));
  const LeaseOptions pinned{.kind = MemoryKind::kPinned};
  const PayloadLease evictable = value_or_throw(runtime.lease(12_MiB, {.evictable = true}));
  const PayloadLease first = value_or_throw(runtime.lease(12_MiB, pinned));

  const Result<PayloadLease> second = runtime.lease(12_MiB, pinned);

  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.failure().message.find("evicting"), std::string::npos);
}

TEST_F(EvictionTest, AViewIsUsedFromItsPlace) {
  const Local<Tensor> whole = value_or_throw(make_layer(true));
  const std::int64_t strides[] = {1};
  const Local<Tensor> view = value_or_throw(make_view(*mutator, whole, {100}, strides, 1000));

  const PayloadUse used = value_or_throw(use(*mutator, view, StreamId::kDefault));

  EXPECT_EQ(used.data(), view->data());
  EXPECT_EQ(used.size(), 6_MiB - 4000_B);
}

TEST_F(EvictionTest, WhatCannotBeEvictedIsUsedAllTheSame) {
  Local<Tensor> plain = value_or_throw(make_layer(false));
  const StreamId other = value_or_throw(runtime.make_stream());

  const PayloadUse used = value_or_throw(use(*mutator, plain, other));

  EXPECT_EQ(used.data(), plain->data());
  EXPECT_EQ(used.size(), plain->size());
  PayloadLease nothing;
  EXPECT_EQ(runtime.use(nothing, other).failure().code, ErrorCode::kBadArgument);
  plain->release();
  EXPECT_EQ(use(*mutator, plain, other).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(runtime.lease(1_MiB, {.kind = MemoryKind::kHost, .evictable = true}).failure().code,
            ErrorCode::kUnsupported);
}

TEST_F(EvictionTest, DeadTensorsThatAreEvictedGoBack) {
  {
    std::vector<Local<Tensor>> layers;
    for (std::uint64_t k = 0; k < 12; ++k) {
      layers.push_back(value_or_throw(make_layer(true)));
      step(layers.back(), StreamId::kDefault, k * 1000, true);
    }
    EXPECT_GE(device_pool().evicted_payloads, 4u);
  }
  collect_full();

  EXPECT_EQ(device_pool().evicted_payloads, 0u);
  EXPECT_EQ(device_pool().live, 0_B);
  EXPECT_EQ(pool_of(MemoryKind::kPinned).live, 0_B);
}

// A child has none of the threads that a collection needs, and moves nothing for anybody's sake.
TEST_F(EvictionTest, RefusesAUseThatWouldHaveToClimbInTheChildOfAFork) {
  std::vector<Local<Tensor>> layers;
  for (std::uint64_t k = 0; k < 12; ++k) {
    layers.push_back(value_or_throw(make_layer(true)));
    step(layers.back(), StreamId::kDefault, k * 1000, true);
  }
  ASSERT_GT(device_pool().evicted_payloads, 0u);

  EXPECT_EQ(in_child([&] {
              const Result<PayloadUse> used = use(*mutator, layers.front(), StreamId::kDefault);
              if (used.ok()) return 1;
              return used.failure().code == ErrorCode::kOutOfMemory ? 0 : 2;
            }),
            "well");

  EXPECT_TRUE(use(*mutator, layers.front(), StreamId::kDefault).ok());
}

}  // namespace
}  // namespace tenure::testing
