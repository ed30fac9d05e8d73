// A pool on a simulated device, and the verbs that its tests need.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/payload/pool.hpp"
#include "host/simulated_device.hpp"

namespace tenure::testing {

inline constexpr Bytes kPiece{2u << 20};

inline SimulatedOptions device_of(Bytes capacity, bool can_map = true) {
  SimulatedOptions options;
  options.capacity = capacity;
  options.costs = SimulatedCosts::free();
  options.can_map.fill(can_map);
  return options;
}

/// Fails the test with the pool's own sentence.
inline ::testing::AssertionResult is_sound(PayloadPool& pool) {
  const Result<void> sound = pool.verify();
  return sound.ok() ? ::testing::AssertionSuccess()
                    : ::testing::AssertionFailure() << sound.failure().message;
}

/// 512 MiB of device memory, three streams, and one pool over all of it.
class PoolTest : public ::testing::Test {
 protected:
  PoolTest() : left(*device.make_stream()), right(*device.make_stream()) {}
  ~PoolTest() override { EXPECT_TRUE(is_sound(pool)); }

  PayloadLease lease(Bytes size, StreamId stream = StreamId::kDefault) {
    Result<PayloadLease> got = pool.lease(size, stream);
    EXPECT_TRUE(got.ok()) << (got.ok() ? "" : got.failure().message);
    return got.ok() ? std::move(*got) : PayloadLease();
  }

  /// Work that keeps `stream` busy until the clock is moved on.
  void keep_busy(StreamId stream) { ASSERT_TRUE(device.submit(stream, 1'000'000).ok()); }

  SimulatedDevice device{device_of(Bytes{512u << 20})};
  PayloadPool pool{device, MemoryKind::kDevice};
  StreamId left;
  StreamId right;
};

}  // namespace tenure::testing
