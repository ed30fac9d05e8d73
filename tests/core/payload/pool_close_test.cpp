// The end of a pool, with leases still out and work still in flight.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

class PoolCloseTest : public ::testing::Test {
 protected:
  PayloadLease lease(std::uint64_t bytes) {
    return std::move(*pool->lease(Bytes{bytes}, StreamId::kDefault));
  }

  SimulatedDevice device{testing::device_of(Bytes{64u << 20})};
  std::optional<PayloadPool> pool{std::in_place, device, MemoryKind::kDevice};
};

TEST_F(PoolCloseTest, GivesMemoryAndAddressesBack) {
  lease(10 * kMiB).release();

  EXPECT_EQ(pool->close(), 0u);

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{});
  EXPECT_EQ(device.count(BackendCall::kRelease), 1u);
  EXPECT_EQ(pool->close(), 0u);
  EXPECT_EQ(device.count(BackendCall::kRelease), 1u);
}

TEST_F(PoolCloseTest, WaitsForWorkInFlight) {
  PayloadLease returned = lease(kMiB);
  PayloadLease kept = lease(kMiB);
  bool ran = false;
  ASSERT_TRUE(
      device.submit(StreamId::kDefault, 5000, [&] { ran = true; }, {returned.view(), kept.view()})
          .ok());
  returned.release();

  EXPECT_EQ(pool->close(), 1u);

  EXPECT_TRUE(ran);
  EXPECT_EQ(device.host_now_ns(), 5000u);
}

TEST_F(PoolCloseTest, WaitsForWorkThatUsesLeasesStillOut) {
  const StreamId other = *device.make_stream();
  PayloadLease kept = lease(kMiB);
  ASSERT_TRUE(device.submit(other, 7000, {}, {kept.view()}).ok());
  kept.used_on(other);

  pool->close();

  EXPECT_EQ(device.host_now_ns(), 7000u);
}

TEST_F(PoolCloseTest, LeavesLeasesThatAreOutInert) {
  std::vector<PayloadLease> kept;
  for (int i = 0; i < 3; ++i) kept.push_back(lease(1000));
  lease(5000).release();

  EXPECT_EQ(pool->close(), 3u);

  for (PayloadLease& left : kept) {
    EXPECT_TRUE(left.owns());
    EXPECT_EQ(left.data(), nullptr);
    EXPECT_EQ(left.size(), Bytes{});
    left.used_on(StreamId{1});
  }
  kept[0].release();
  pool.reset();
  kept[1].release();
  kept[1].release();
  EXPECT_FALSE(kept[1].owns());
  // kept[2] goes last, with the descriptors of a pool that is no more.
}

TEST_F(PoolCloseTest, RefusesLeasesAfterwards) {
  pool->close();

  const Result<PayloadLease> late = pool->lease(Bytes{512}, StreamId::kDefault);

  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.failure().code, ErrorCode::kClosed);
  EXPECT_FALSE(pool->try_lease(Bytes{512}, StreamId::kDefault).owns());
  EXPECT_EQ(pool->trim(), Bytes{});
  EXPECT_TRUE(testing::is_sound(*pool));
  EXPECT_EQ(pool->statistics().reserved, Bytes{});
}

// Each lease came back before the pool closed, or is inert: no third way, and none of them twice. Under
// the address sanitizer: whoever goes last takes what is left of the pool along.
TEST_F(PoolCloseTest, MeetsLeasesThatAreGivenUpAtTheSameMoment) {
  constexpr std::size_t kGivers = 3;
  constexpr std::size_t kEach = 20;
  std::uint64_t inert_in_all = 0;
  for (int round = 0; round < 300; ++round) {
    pool.reset();
    pool.emplace(device, MemoryKind::kDevice);
    std::array<std::vector<PayloadLease>, kGivers> kept;
    for (std::size_t k = 0; k < kGivers * kEach; ++k) kept[k % kGivers].push_back(lease(512));

    std::vector<std::thread> givers;
    std::atomic<std::size_t> ready{0};
    for (std::vector<PayloadLease>& leases : kept) {
      givers.emplace_back([&] {
        ++ready;
        while (ready <= kGivers) std::this_thread::yield();
        leases.clear();
      });
    }
    while (ready < kGivers) std::this_thread::yield();
    ++ready;
    for (volatile int spin = 0; spin < (round % 20) * 100;) spin = spin + 1;
    const std::uint64_t inert = pool->close();
    const std::uint64_t returned = pool->statistics().returns;
    pool.reset();
    for (std::thread& giver : givers) giver.join();

    EXPECT_EQ(returned + inert, kGivers * kEach);
    inert_in_all += inert;
  }
  EXPECT_GT(inert_in_all, 0u) << "nobody was met";
}

TEST_F(PoolCloseTest, AsksAgainWhereAnEventIsRefused) {
  lease(kMiB).release();
  device.fail(BackendCall::kRecord, 1);

  pool->close();

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{});
}

TEST_F(PoolCloseTest, LeavesMemoryToTheBackendWhereItCannotLearnWhatIsOver) {
  PayloadLease busy = lease(kMiB);
  ASSERT_TRUE(device.submit(StreamId::kDefault, 5000, {}, {busy.view()}).ok());
  busy.release();
  for (const std::uint64_t nth : {1u, 2u}) device.fail(BackendCall::kRecord, nth);

  pool->close();  // unmapping here would stop the program

  EXPECT_GT(device.mapped(MemoryKind::kDevice), Bytes{});
  EXPECT_EQ(device.count(BackendCall::kRelease), 0u);
}

TEST_F(PoolCloseTest, EndsOnALostDevice) {
  PayloadLease kept = lease(kMiB);
  lease(kMiB).release();
  device.lose();

  EXPECT_EQ(pool->close(), 1u);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{});
}

TEST_F(PoolCloseTest, GivesSegmentsBackToo) {
  SimulatedDevice plain(testing::device_of(Bytes{64u << 20}, false));
  PayloadPool segments(plain, MemoryKind::kDevice);
  const Result<PayloadLease> a = segments.lease(Bytes{3 * kMiB}, StreamId::kDefault);
  const Result<PayloadLease> b = segments.lease(Bytes{9 * kMiB}, StreamId::kDefault);

  EXPECT_EQ(segments.close(), 2u);
  EXPECT_EQ(plain.mapped(MemoryKind::kDevice), Bytes{});
}

}  // namespace
}  // namespace tenure
