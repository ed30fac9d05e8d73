// Memory: how much is mapped, where, and when it is given back or mapped elsewhere.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;
using testing::kPiece;
using PoolGrowthTest = testing::PoolTest;

constexpr std::uint64_t kMiB = 1u << 20;

TEST_F(PoolGrowthTest, MapsNoMoreThanThePiecesThatARequestLacks) {
  const PayloadLease small = lease(Bytes{kMiB / 2});
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), kPiece);

  const PayloadLease large = lease(Bytes{5 * kMiB});  // 1.5 MiB of it in the piece that is there

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 3 * kPiece);
  EXPECT_EQ(large.data(), small.data() + kMiB / 2);
}

TEST_F(PoolGrowthTest, MapsIdlePiecesOfHolesElsewhereBeforeFreshOnes) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 20; ++i) leases.push_back(lease(Bytes{10 * kMiB}));
  for (std::size_t i = 0; i < leases.size(); i += 2) leases[i].release();

  const PayloadLease large = lease(Bytes{90 * kMiB});

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{200 * kMiB});
  EXPECT_EQ(pool.statistics().peak_reserved, Bytes{200 * kMiB});
  EXPECT_GT(device.count(BackendCall::kUnmap), 0u);
}

TEST_F(PoolGrowthTest, LeavesHolesMappedThatWorkInFlightMayUse) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 20; ++i) leases.push_back(lease(Bytes{10 * kMiB}));
  keep_busy(StreamId::kDefault);
  for (std::size_t i = 0; i < leases.size(); i += 2) leases[i].release();

  const PayloadLease large = lease(Bytes{90 * kMiB});

  EXPECT_EQ(device.count(BackendCall::kUnmap), 0u);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{290 * kMiB});
  EXPECT_EQ(device.host_now_ns(), 0u) << "the host waited";
}

TEST_F(PoolGrowthTest, WaitsForHolesOnlyWhereTheCallerLetsIt) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 32; ++i) leases.push_back(lease(Bytes{16 * kMiB}));
  keep_busy(StreamId::kDefault);
  for (std::size_t i = 0; i < leases.size(); i += 2) leases[i].release();
  const auto ask = [&](Effort effort) {
    return pool.lease(Bytes{200 * kMiB}, StreamId::kDefault, SiteId::kUnknown, effort);
  };

  const Result<PayloadLease> refused = ask(Effort::kGrow);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(device.host_now_ns(), 0u);

  const Result<PayloadLease> got = ask(Effort::kWait);
  EXPECT_TRUE(got.ok());
  EXPECT_EQ(device.host_now_ns(), 1'000'000u);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{512 * kMiB});
}

// One layer of a transformer on the way forward, after a recorded trace: +x24 leases 24 MiB as x, -x
// hands it back. `h` goes from layer to layer.
constexpr std::string_view kLayer =
    "+a6 +b6 -a +c6 +d6 +e6 +f3 +g3 +i3 -f -g +j6 -i +k3 +l3 -k +q6 -l +s48 +t48 -s +u48 -t +v48 "
    "-v "
    "+w48 +x48 -w +o6 +p6 -o -u -x +n6 -p +r6 -b -c -d -e -j -q -n +A24 +B24 +C24 -B -A +D24 +E24 "
    "-C -D +F6 -E -h -r +h6 -F";

TEST_F(PoolGrowthTest, StopsMovingMemoryThatItWouldMoveInEachLayerForEver) {
  std::map<char, PayloadLease> tensors;
  const PayloadLease weights = lease(Bytes{100 * kMiB});
  tensors['h'] = lease(Bytes{6 * kMiB});
  const auto run_layers = [&](int count) {
    for (int i = 0; i < count; ++i) {
      std::istringstream layer{std::string(kLayer)};
      for (std::string step; layer >> step;) {
        PayloadLease& tensor = tensors[step[1]];
        tensor = step[0] == '+' ? lease(Bytes{std::stoul(step.substr(2)) * kMiB}) : PayloadLease();
      }
    }
  };

  run_layers(200);
  const std::uint64_t moves = device.count(BackendCall::kUnmap);
  run_layers(200);

  EXPECT_GT(moves, 20u) << "the layer is one that holes are moved for";
  EXPECT_EQ(device.count(BackendCall::kUnmap), moves);
}

TEST_F(PoolGrowthTest, TrimsWholeIdlePiecesAndKeepsTheirAddresses) {
  PayloadLease low = lease(Bytes{3 * kMiB});
  const PayloadLease wall = lease(Bytes{kMiB});
  PayloadLease high = lease(Bytes{12 * kMiB});
  const std::byte* const place = high.data();
  low.release();
  high.release();

  EXPECT_EQ(pool.trim(), Bytes{14 * kMiB});  // the wall shares its piece with the end of `low`
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), kPiece);
  EXPECT_TRUE(is_sound(pool));
  EXPECT_EQ(pool.statistics().trims, 1u);

  const PayloadLease again = lease(Bytes{12 * kMiB});
  EXPECT_EQ(again.data(), place);
}

TEST_F(PoolGrowthTest, TrimsNoMoreThanItIsAskedFor) {
  lease(Bytes{100 * kMiB}).release();

  EXPECT_EQ(pool.trim(Bytes{9 * kMiB}), Bytes{10 * kMiB});

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{90 * kMiB});
  EXPECT_EQ(pool.statistics().largest_free, Bytes{90 * kMiB});
}

TEST_F(PoolGrowthTest, GivesBackWhatStandsAloneBetweenGapsBeforeItCutsALargerHole) {
  std::vector<PayloadLease> leases;
  for (const std::uint64_t size : {10u, 4u, 10u, 2u, 20u, 2u}) {
    leases.push_back(lease(Bytes{size * kMiB}));
  }
  leases[0].release();
  leases[2].release();
  ASSERT_EQ(pool.trim(), Bytes{20 * kMiB});
  leases[1].release();
  leases[4].release();

  EXPECT_EQ(pool.trim(Bytes{4 * kMiB}), Bytes{4 * kMiB});

  EXPECT_EQ(pool.statistics().largest_free, Bytes{20 * kMiB});
}

TEST_F(PoolGrowthTest, TrimsWhatIsInFlightOnlyAfterWaitingForIt) {
  PayloadLease busy = lease(Bytes{8 * kMiB});
  keep_busy(StreamId::kDefault);
  busy.release();

  EXPECT_EQ(pool.trim(), Bytes{});
  EXPECT_EQ(pool.trim(kUnlimited, HostWait::kAllowed), Bytes{8 * kMiB});
  EXPECT_EQ(device.host_now_ns(), 1'000'000u);
}

TEST_F(PoolGrowthTest, FillsUnmappedGapsBeforeItTakesFreshAddresses) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 5; ++i) leases.push_back(lease(Bytes{20 * kMiB}));
  const std::byte* const gap = leases[1].data();
  leases[1].release();
  pool.trim();

  const PayloadLease got = lease(Bytes{19 * kMiB});

  EXPECT_EQ(got.data(), gap);
}

TEST_F(PoolGrowthTest, MapsOnlyWhatLacksWhereAGapHasFreeNeighbours) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 5; ++i) leases.push_back(lease(Bytes{20 * kMiB}));
  leases[1].release();
  pool.trim(Bytes{4 * kMiB});
  ASSERT_EQ(device.mapped(MemoryKind::kDevice), Bytes{96 * kMiB});

  const PayloadLease got = lease(Bytes{20 * kMiB});

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{100 * kMiB});
}

TEST_F(PoolGrowthTest, LetsPoolsThatShareADeviceUseItsWholeMemory) {
  PayloadPool other(device, MemoryKind::kUnified);
  lease(Bytes{400 * kMiB}).release();

  const Result<PayloadLease> refused = other.lease(Bytes{300 * kMiB}, StreamId::kDefault);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOutOfMemory);

  EXPECT_EQ(pool.trim(Bytes{300 * kMiB}), Bytes{300 * kMiB});
  EXPECT_TRUE(other.lease(Bytes{300 * kMiB}, StreamId::kDefault).ok());
}

TEST_F(PoolGrowthTest, UsesItsOwnHolesWhereOthersTookTheRestOfTheDevice) {
  lease(Bytes{200 * kMiB}).release();  // so that it may grow to that again
  pool.trim();
  PayloadPool other(device, MemoryKind::kUnified);
  const Result<PayloadLease> rest = other.lease(Bytes{412 * kMiB}, StreamId::kDefault);
  ASSERT_TRUE(rest.ok());
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 10; ++i) leases.push_back(lease(Bytes{10 * kMiB}));
  for (std::size_t i = 0; i < leases.size(); i += 2) leases[i].release();

  EXPECT_TRUE(lease(Bytes{40 * kMiB}).owns());
}

TEST_F(PoolGrowthTest, GrowsInSmallPiecesWhereTheBudgetIsSmall) {
  SimulatedOptions options = testing::device_of(Bytes{512u << 20});
  options.granularity = Bytes{64u << 10};
  SimulatedDevice fine(options);
  PayloadPool tight(fine, MemoryKind::kDevice, Bytes{1u << 20});
  PayloadPool wide(fine, MemoryKind::kDevice);

  const Result<PayloadLease> a = tight.lease(Bytes{1000}, StreamId::kDefault);
  EXPECT_EQ(fine.mapped(MemoryKind::kDevice), Bytes{64u << 10});
  const Result<PayloadLease> b = wide.lease(Bytes{1000}, StreamId::kDefault);
  EXPECT_EQ(fine.mapped(MemoryKind::kDevice), Bytes{(64u << 10)} + kPiece);
}

TEST_F(PoolGrowthTest, MakesDoWithFewerAddressesThanItWouldLike) {
  device.fail(BackendCall::kReserve, 1, ErrorCode::kOutOfMemory);
  device.fail(BackendCall::kReserve, 2, ErrorCode::kOutOfMemory);

  EXPECT_TRUE(lease(Bytes{512 * kMiB}).owns());
  EXPECT_EQ(device.count(BackendCall::kReserve), 3u);
}

class SegmentsTest : public ::testing::Test {
 protected:
  ~SegmentsTest() override { EXPECT_TRUE(is_sound(pool)); }

  PayloadLease lease(std::uint64_t mebibytes) {
    Result<PayloadLease> got = pool.lease(Bytes{mebibytes * kMiB}, StreamId::kDefault);
    EXPECT_TRUE(got.ok());
    return std::move(*got);
  }

  SimulatedDevice device{testing::device_of(Bytes{64u << 20}, false)};
  PayloadPool pool{device, MemoryKind::kDevice};
};

TEST_F(SegmentsTest, GrowsByWholePiecesOfMemory) {
  const PayloadLease a = lease(3);
  const PayloadLease b = lease(1);  // the rest of the same

  EXPECT_EQ(device.count(BackendCall::kAllocate), 1u);
  EXPECT_EQ(b.data(), a.data() + 3 * kMiB);
  EXPECT_EQ(pool.statistics().reserved, 2 * kPiece);
}

TEST_F(SegmentsTest, NeverJoinsBlocksOfTwo) {
  {
    const PayloadLease a = lease(32);
    const PayloadLease b = lease(32);
  }

  const PayloadLease both = lease(64);  // the two had to be given back

  EXPECT_EQ(device.count(BackendCall::kDeallocate), 2u);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{64 * kMiB});
}

TEST_F(SegmentsTest, TrimsThoseThatAreFreeAsAWhole) {
  PayloadLease a = lease(16);
  PayloadLease b = lease(16);
  const PayloadLease c = lease(15);
  a.release();
  b.release();

  EXPECT_EQ(pool.trim(Bytes{kMiB}), Bytes{16 * kMiB});
  EXPECT_EQ(pool.trim(), Bytes{16 * kMiB});
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{16 * kMiB});
}

}  // namespace
}  // namespace tenure
