// A pool with a guard: every misuse of a payload is planted once, on memory that the host can follow
// and on a device's; and a program without fault passes.
#include "core/payload/guard.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/access.hpp"
#include "core/payload/pool_core.hpp"
#include "host/host_backend.hpp"
#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/checked_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

constexpr Bytes kSize{10'000};

struct Place {
  const char* name;
  bool on_device;
};

class GuardTest : public ::testing::TestWithParam<Place> {
 protected:
  GuardTest() { open({}); }

  void open(const GuardOptions& options) {
    pool.reset();
    pool.emplace(*checked, kind(), PoolOptions{.checked = &*checked, .guard = options});
  }
  ~GuardTest() override { EXPECT_TRUE(is_sound(*pool)); }

  [[nodiscard]] static MemoryKind kind() {
    return GetParam().on_device ? MemoryKind::kDevice : MemoryKind::kHost;
  }
  static std::unique_ptr<Backend> backend() {
    if (GetParam().on_device) {
      return std::make_unique<SimulatedDevice>(testing::device_of(Bytes{256u << 20}));
    }
    return std::make_unique<HostBackend>(Bytes{256u << 20});
  }

  PayloadLease lease(Bytes size = kSize, StreamId stream = StreamId::kDefault) {
    return std::move(*pool->lease(size, stream, SiteId{7}));
  }
  // A stray write, once what the guard has the device paint is painted. The simulated device's addresses can be written by tests; where the address
  // sanitizer watches, it would see this one before we do.
  void write(std::byte* at, std::byte value) {
    ASSERT_TRUE(checked->inner().synchronize(*checked->inner().record(StreamId::kDefault)).ok());
    allow_access(at, Bytes{1});
    std::memcpy(at, &value, 1);
  }
  void flush() { pool->trim(); }

  testing::FaultLog faults;
  std::optional<CheckedBackend> checked{std::in_place, backend(), faults.sink()};
  std::optional<PayloadPool> pool;
};

TEST_P(GuardTest, LetsAProgramWithoutFaultPass) {
  const StreamId side = *checked->make_stream();
  for (std::uint64_t round = 0; round < 200; ++round) {
    std::vector<PayloadLease> leases;
    for (const std::uint64_t size : {1u, 511u, 512u, 513u, 10'000u, 300'000u, 3'000'000u}) {
      leases.push_back(lease(Bytes{size + round}, round % 2 == 0 ? side : StreamId::kDefault));
      const PayloadView view = leases.back().view();
      ASSERT_EQ(view.size, Bytes{size + round});
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % kBlockStep, 0u);
      std::memset(view.data, 0x5A, view.size.count());
      if (size % 2 == 0) leases.back().used_on(side);
    }
  }
  flush();

  EXPECT_EQ(faults.all(), std::vector<std::string>());
  EXPECT_EQ(pool->statistics().live_blocks, 0u);
  EXPECT_EQ(pool->statistics().live, Bytes{});
  EXPECT_EQ(pool->close(), 0u);
  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

TEST_P(GuardTest, FindsAByteWrittenBehindAPayload) {
  PayloadLease lease = this->lease();
  write(lease.data() + kSize.count(), std::byte{1});

  lease.release();
  (void)pool->leased();

  EXPECT_TRUE(faults.is_one({"overrun", "at byte 10000 of", "site 7", "stream 0", "9.77 KiB"}));
}

TEST_P(GuardTest, FindsAByteWrittenBeforeAPayload) {
  PayloadLease lease = this->lease();
  write(lease.data() - 1, std::byte{1});

  lease.release();
  (void)pool->leased();

  EXPECT_TRUE(faults.is_one({"underrun", "1 bytes before", "site 7"}));
}

TEST_P(GuardTest, FindsAByteWrittenAfterAPayloadWasHandedBack) {
  PayloadLease lease = this->lease();
  std::byte* const data = lease.data();
  lease.release();
  (void)pool->leased();
  ASSERT_EQ(faults.all(), std::vector<std::string>());

  write(data + 77, std::byte{1});
  flush();

  EXPECT_TRUE(faults.is_one({"use after free", "at byte 77 of", "site 7", "stream 0"}));
}

TEST_P(GuardTest, FindsAStrayWriteAtTheEndOfALargePayload) {
  constexpr Bytes kLarge{5u << 20};
  PayloadLease lease = this->lease(kLarge);
  std::byte* const last = lease.data() + kLarge.count() - 1;
  lease.release();
  (void)pool->leased();

  write(last, std::byte{1});
  flush();

  EXPECT_TRUE(faults.is_one({"use after free", "at byte 5242879 of"}));
}

TEST_P(GuardTest, FindsADoubleFree) {
  PayloadLease lease = this->lease();
  PayloadBlock& block = *lease.detach();
  PayloadLease(block).release();

  PayloadLease(block).release();  // its pool has not looked yet
  ASSERT_TRUE(faults.is_one({"double free", "site 7", "stream 0"}));
  (void)pool->leased();
  PayloadLease(block).release();  // kept from reuse

  EXPECT_EQ(faults.all().size(), 2u);
  EXPECT_EQ(pool->statistics().returns, 1u);
}

TEST_P(GuardTest, FindsAForeignBlock) {
  const PayloadLease lease = this->lease();
  PayloadBlock& real = *PayloadLease(this->lease()).detach();
  PayloadBlock forged;
  forged.core = real.core;
  forged.data = lease.data() + 64;
  forged.size = 4096;
  forged.asked = 2048;
  forged.uses.begin(StreamId::kDefault);
  forged.state.store(BlockState::kGuarded);

  PayloadLease(forged).release();
  (void)pool->leased();

  EXPECT_TRUE(faults.is_one({"foreign pointer"}));
  PayloadLease(real).release();
}

TEST_P(GuardTest, KeepsNoMoreThanItMay) {
  open({.quarantine = Bytes{64u << 10}});
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 20; ++i) leases.push_back(lease());
  leases.clear();

  EXPECT_LE(pool->leased(), Bytes{64u << 10});
  EXPECT_GT(pool->leased(), Bytes{32u << 10}) << "nothing is kept";
}

TEST_P(GuardTest, GivesUpWhatItKeepsBeforeARequestIsRefused) {
  open({.quarantine = kUnlimited});
  lease(Bytes{200u << 20}).release();

  const Result<PayloadLease> again = pool->lease(Bytes{200u << 20}, StreamId::kDefault);

  EXPECT_TRUE(again.ok()) << again.failure().message;
  EXPECT_EQ(pool->shortfall(Bytes{40u << 20}), Bytes{});
}

TEST_P(GuardTest, LeavesLeasesInertWhenThePoolCloses) {
  PayloadLease kept = lease();
  EXPECT_EQ(pool->close(), 1u);

  EXPECT_EQ(kept.data(), nullptr);
  kept.used_on(StreamId{1});
  kept.release();

  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

TEST_P(GuardTest, TheAddressSanitizerSeesAccessToWhatWasHandedBack) {
  if (!is_access_watched() || GetParam().on_device) {
    GTEST_SKIP() << "only in builds under the address sanitizer, for memory of the host";
  }
  PayloadLease lease = this->lease();
  std::byte* const data = lease.data();
  EXPECT_DEATH(std::memset(data + kSize.count(), 0, 1), "use-after-poison");
  lease.release();
  (void)pool->leased();

  EXPECT_DEATH(std::memset(data, 0, 1), "use-after-poison");
}

// What its pool may have again is the pool's affair: no stale ban is left on it.
TEST_P(GuardTest, AllowsAccessToWhatIsLeasedAgain) {
  open({.quarantine = Bytes{}});
  for (int i = 0; i < 100; ++i) {
    const PayloadLease first = lease(Bytes{1000 + static_cast<std::uint64_t>(i) * 37});
    const PayloadLease second = lease(Bytes{90'000 - static_cast<std::uint64_t>(i) * 41});
    std::memset(first.data(), 1, first.size().count());
    std::memset(second.data(), 1, second.size().count());
  }
  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(On, GuardTest,
                         ::testing::Values(Place{"Host", false}, Place{"Device", true}),
                         [](const auto& place) { return std::string(place.param.name); });

// --- the order of uses, where the pool or its backend is at fault ---

class GuardOrderTest : public ::testing::Test {
 protected:
  ~GuardOrderTest() override {
    device.advance_until_idle();
  }  // a pool that was lied to waits for none

  // Fills the pool for one stream, hands it back while that is busy, and leases for another.
  void reuse_across_streams() {
    PayloadLease first = std::move(*pool.lease(Bytes{60u << 20}, left, SiteId{3}));
    ASSERT_TRUE(device.submit(left, 1'000'000, {}, {first.view()}).ok());
    first.release();
    const Result<PayloadLease> second = pool.lease(Bytes{60u << 20}, right, SiteId{4});
    ASSERT_TRUE(second.ok()) << second.failure().message;
  }

  SimulatedDevice device{testing::device_of(Bytes{64u << 20})};
  testing::FaultLog faults;
  CheckedBackend checked{device, faults.sink()};
  testing::LyingBackend liar{checked};
  PayloadPool pool{
      liar, MemoryKind::kDevice,
      PoolOptions{.checked = &checked, .guard = {.quarantine = Bytes{}, .contents = false}}};
  StreamId left = *device.make_stream();
  StreamId right = *device.make_stream();
};

TEST_F(GuardOrderTest, LetsReuseBehindAWaitPass) {
  reuse_across_streams();

  EXPECT_EQ(faults.all(), std::vector<std::string>());
  EXPECT_EQ(device.waits().size(), 1u);
}

TEST_F(GuardOrderTest, FindsAWaitThatIsMissing) {
  liar.drops_waits = true;

  reuse_across_streams();

  EXPECT_TRUE(faults.is_one({"reused before a use of it was over", "60 MiB", "site 3", "site 4",
                             "stream 1", "stream 2"}));
}

TEST_F(GuardOrderTest, FindsAnEventThatWasTakenToBeReached) {
  liar.exaggerates = true;

  reuse_across_streams();

  EXPECT_TRUE(faults.is_one({"reused before a use of it was over"}));
}

TEST_F(GuardOrderTest, FindsMemoryUnmappedTooEarly) {
  liar.exaggerates = true;
  PayloadLease lease = std::move(*pool.lease(Bytes{16u << 20}, left, SiteId{3}));
  ASSERT_TRUE(device.submit(left, 1'000'000).ok());
  lease.release();

  pool.trim();

  EXPECT_TRUE(faults.is_one({"given back before a use of it was over", "site 3", "stream 1"}));
}

}  // namespace
}  // namespace tenure
