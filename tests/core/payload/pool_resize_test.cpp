// A pool's budget changes while it works; and pools whose addresses are all multiples of something.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

class Resize : public ::testing::Test {
 protected:
  ~Resize() override { EXPECT_TRUE(is_sound(pool)); }

  Result<PayloadLease> lease(std::uint64_t mib) {
    return pool.lease(Bytes{mib << 20}, StreamId::kDefault, SiteId::kUnknown, Effort::kWait);
  }

  SimulatedDevice device{testing::device_of(Bytes{512u << 20})};
  PayloadPool pool{device, MemoryKind::kDevice, Bytes{16u << 20}};
};

TEST_F(Resize, LetsAPoolGrowBeyondWhatItBeganWith) {
  const Result<PayloadLease> first = lease(16);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(lease(8).failure().code, ErrorCode::kOverBudget);

  ASSERT_TRUE(pool.resize(Bytes{32u << 20}).ok());

  EXPECT_TRUE(lease(16).ok());
  EXPECT_EQ(pool.statistics().budget, Bytes{32u << 20});
}

TEST_F(Resize, GivesIdleMemoryBackWhereItShrinks) {
  Result<PayloadLease> kept = lease(4);
  { const Result<PayloadLease> passing = lease(12); }
  ASSERT_EQ(device.mapped(MemoryKind::kDevice), Bytes{16u << 20});

  const Result<Bytes> given = pool.resize(Bytes{6u << 20});

  ASSERT_TRUE(given.ok());
  EXPECT_EQ(*given, Bytes{10u << 20});
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{6u << 20});
  EXPECT_EQ(lease(4).failure().code, ErrorCode::kOverBudget);
  EXPECT_TRUE(lease(2).ok());
}

TEST_F(Resize, WaitsForStreamsThatUsedWhatIsToGo) {
  {
    const Result<PayloadLease> passing = lease(16);
    ASSERT_TRUE(device.submit(StreamId::kDefault, 1'000'000).ok());
  }

  EXPECT_EQ(*pool.resize(Bytes{2u << 20}), Bytes{14u << 20});
}

TEST_F(Resize, IsRefusedBelowWhatIsLeasedAndChangesNothing) {
  const Result<PayloadLease> kept = lease(8);

  const Result<Bytes> given = pool.resize(Bytes{7u << 20});

  ASSERT_EQ(given.failure().code, ErrorCode::kOverBudget);
  EXPECT_NE(given.failure().message.find("8 MiB are leased in 1 block"), std::string::npos)
      << given.failure().message;
  EXPECT_TRUE(lease(8).ok());
}

TEST_F(Resize, IsRefusedWhereThereAreNoAddresses) {
  ASSERT_TRUE(lease(1).ok());

  EXPECT_EQ(pool.resize(Bytes{std::uint64_t{17} << 24}).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(pool.resize(Bytes{std::uint64_t{16} << 24}).ok());
}

TEST_F(Resize, IsRefusedOnceItIsClosed) {
  pool.close();

  EXPECT_EQ(pool.resize(Bytes{1u << 20}).failure().code, ErrorCode::kClosed);
}

// Whatever comes and goes, and wherever memory is mapped and unmapped.
TEST(Alignment, OfAPoolIsThatOfAllItsAddresses) {
  for (std::uint64_t alignment = 512; alignment <= 2u << 20; alignment *= 4) {
    const std::uint64_t seed = alignment;
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimulatedOptions options = testing::device_of(Bytes{512u << 20});
    options.granularity = Bytes{4096};  // less than most of these alignments
    SimulatedDevice device{options};
    PayloadPool pool{device, MemoryKind::kDevice,
                     PoolOptions{.budget = Bytes{96u << 20}, .alignment = Bytes{alignment}}};
    std::mt19937_64 random(seed);
    std::vector<PayloadLease> leases;
    std::uint64_t served = 0;
    for (int step = 0; step < 2'000; ++step) {
      if (leases.empty() || random() % 2 == 0) {
        const Bytes size = round_up(Bytes{1 + random() % (4u << 20)}, Bytes{alignment});
        Result<PayloadLease> got =
            pool.lease(size, StreamId::kDefault, SiteId::kUnknown, Effort::kWait);
        if (got) {
          ++served;
          ASSERT_EQ(reinterpret_cast<std::uintptr_t>(got->data()) % alignment, 0u);
          leases.push_back(std::move(*got));
        }
      } else {
        std::swap(leases[random() % leases.size()], leases.back());
        leases.pop_back();
      }
      if (step % 200 == 0) {
        pool.trim(Bytes{random() % (8u << 20)}, HostWait::kAllowed);
        ASSERT_TRUE(is_sound(pool));
      }
    }
    EXPECT_GT(served, 500u);
  }
}

}  // namespace
}  // namespace tenure
