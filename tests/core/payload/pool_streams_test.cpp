// Several streams: who comes behind whom before bytes are used again.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::kPiece;
using PoolStreamsTest = testing::PoolTest;

constexpr Bytes kWhole{
    512u << 20};  // all that the device has, so that a lease succeeds by reuse alone
constexpr Bytes kHalf{256u << 20};

TEST_F(PoolStreamsTest, OrdersAnotherStreamBehindTheLastUse) {
  PayloadLease first = lease(kWhole, left);
  keep_busy(left);
  first.release();

  const PayloadLease second = lease(kWhole, right);

  ASSERT_TRUE(second.owns());
  ASSERT_EQ(device.waits().size(), 1u);
  EXPECT_EQ(device.waits()[0].waiter, right);
  EXPECT_EQ(device.waits()[0].event, (StreamEvent{left, 1}));
  EXPECT_EQ(device.host_now_ns(), 0u) << "the host waited";
}

TEST_F(PoolStreamsTest, PlacesNoWaitOnceTheUseIsOver) {
  PayloadLease first = lease(kWhole, left);
  keep_busy(left);
  first.release();
  device.advance_until_idle();

  ASSERT_TRUE(lease(kWhole, right).owns());

  EXPECT_TRUE(device.waits().empty());
}

TEST_F(PoolStreamsTest, PlacesNoWaitForBlocksThatTheStreamIsBehindAlready) {
  std::vector<PayloadLease> leases;
  leases.push_back(lease(kHalf, left));
  leases.push_back(lease(kHalf, left));
  keep_busy(left);
  leases.clear();

  leases.push_back(lease(kHalf, right));
  leases.push_back(lease(kHalf, right));

  EXPECT_EQ(device.waits().size(), 1u);
}

TEST_F(PoolStreamsTest, ReusesAStreamsOwnBlocksWithoutEventOrWait) {
  PayloadLease own = lease(Bytes{1u << 20}, left);
  PayloadLease other = lease(Bytes{1u << 20}, right);
  const std::byte* const place = own.data();
  keep_busy(left);
  keep_busy(right);
  other.release();
  own.release();

  const PayloadLease again = lease(Bytes{1u << 20}, left);

  EXPECT_EQ(again.data(), place);
  EXPECT_EQ(device.count(BackendCall::kRecord), 0u);
  EXPECT_TRUE(device.waits().empty());
}

TEST_F(PoolStreamsTest, RemembersUsesOnOtherStreams) {
  PayloadLease shared = lease(kWhole, left);
  keep_busy(right);
  shared.used_on(right);
  shared.used_on(right);
  shared.release();

  const PayloadLease next = lease(kWhole, left);

  ASSERT_EQ(device.waits().size(), 1u);
  EXPECT_EQ(device.waits()[0].waiter, left);
  EXPECT_EQ(device.waits()[0].event.stream, right);
}

TEST_F(PoolStreamsTest, RemembersMoreUsesThanABlockHasPlacesFor) {
  std::vector<StreamId> users;
  for (int i = 0; i < 6; ++i) users.push_back(*device.make_stream());
  PayloadLease shared = lease(kWhole, left);
  for (const StreamId user : users) {
    keep_busy(user);
    shared.used_on(user);
  }
  shared.release();

  const PayloadLease next = lease(kWhole, left);

  EXPECT_EQ(device.waits().size(), users.size());
}

TEST_F(PoolStreamsTest, PrefersABlockThatNeedsNoWait) {
  PayloadLease busy = lease(kHalf, left);
  PayloadLease done = lease(kHalf, right);
  const std::byte* const place = done.data();
  keep_busy(left);
  done.release();
  busy.release();

  const PayloadLease got = lease(kHalf, StreamId::kDefault);

  EXPECT_EQ(got.data(), place);
  EXPECT_TRUE(device.waits().empty());
}

TEST_F(PoolStreamsTest, WaitsRatherThanGrow) {
  PayloadLease busy = lease(Bytes{64u << 20}, left);
  keep_busy(left);
  busy.release();

  const PayloadLease got = lease(Bytes{64u << 20}, right);

  EXPECT_EQ(device.waits().size(), 1u);
  EXPECT_EQ(pool.statistics().growths, 1u);
}

TEST_F(PoolStreamsTest, JoinsNeighboursOfSeveralStreamsWhenNothingElseFits) {
  PayloadLease lower = lease(kHalf, left);
  PayloadLease upper = lease(kHalf, right);
  const std::byte* const place = lower.data();
  keep_busy(left);
  keep_busy(right);
  upper.release();
  lower.release();

  const PayloadLease whole = lease(kWhole, StreamId::kDefault);

  EXPECT_EQ(whole.data(), place);
  EXPECT_EQ(device.waits().size(), 2u);
}

TEST_F(PoolStreamsTest, JoinsThemForARequestThatMayNotGrowToo) {
  PayloadLease lower = lease(Bytes{3u << 20}, left);
  PayloadLease upper = lease(Bytes{3u << 20}, right);
  upper.release();
  lower.release();

  EXPECT_TRUE(pool.try_lease(Bytes{6u << 20}, StreamId::kDefault).owns());
  EXPECT_EQ(pool.statistics().growths, 2u);
}

TEST_F(PoolStreamsTest, KeepsNeighboursOfTwoStreamsApartForTheirOwners) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(lease(Bytes{128u << 20}, i % 2 == 0 ? left : right));
  keep_busy(left);
  keep_busy(right);
  leases.clear();

  for (int i = 0; i < 4; ++i) leases.push_back(lease(Bytes{128u << 20}, i % 2 == 0 ? left : right));

  EXPECT_TRUE(device.waits().empty());
}

TEST_F(PoolStreamsTest, TakesWhatWasNeverUsedBeforeWhatNeedsAWait) {
  PayloadLease used = lease(Bytes{1u << 20}, left);  // half a piece
  const std::byte* const fresh = used.data() + (1u << 20);
  keep_busy(left);
  used.release();

  const PayloadLease got = lease(Bytes{1u << 20}, right);

  EXPECT_EQ(got.data(), fresh);
  EXPECT_TRUE(device.waits().empty());
}

TEST_F(PoolStreamsTest, EndsAnEpochAfterManyReturnsSoThatWaitsAreShort) {
  PayloadLease mark = lease(Bytes{512}, right);
  for (int i = 0; i < 1000; ++i) {
    PayloadLease a = lease(Bytes{static_cast<std::uint64_t>(512 * (1 + i % 3))}, left);
    PayloadLease b = lease(Bytes{static_cast<std::uint64_t>(512 * (4 + i % 3))}, left);
  }
  (void)pool.statistics();

  EXPECT_GE(device.count(BackendCall::kRecord), 10u);
  EXPECT_LE(device.count(BackendCall::kRecord), 40u);
}

TEST_F(PoolStreamsTest, TriesAnotherBlockWhereAWaitIsRefused) {
  std::vector<PayloadLease> leases;
  leases.push_back(lease(kHalf, left));
  leases.push_back(lease(kHalf, right));
  keep_busy(left);
  keep_busy(right);
  leases.clear();
  device.fail(BackendCall::kWait, 1);

  const PayloadLease got = lease(kHalf, StreamId::kDefault);

  EXPECT_TRUE(got.owns());
  EXPECT_EQ(device.waits().size(), 1u);
}

TEST_F(PoolStreamsTest, KeepsABlockWithoutAnEventForItsOwnStream) {
  PayloadLease busy = lease(kWhole, left);
  keep_busy(left);
  busy.release();
  for (const std::uint64_t nth : {1u, 2u}) device.fail(BackendCall::kRecord, nth);

  const Result<PayloadLease> refused = pool.lease(kWhole, right);

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(refused.failure().message.find("before that: "), std::string::npos);
  EXPECT_TRUE(device.waits().empty());
  EXPECT_TRUE(lease(kWhole, left).owns());
  EXPECT_TRUE(lease(kWhole, right).owns()) << "a later event stands behind the use";
}

TEST_F(PoolStreamsTest, HoldsBytesOfAStreamThatWasEndedUntilTheEnd) {
  PayloadLease shared = lease(kPiece, left);
  keep_busy(right);
  shared.used_on(right);
  shared.release();
  device.end_stream(right);

  const PayloadLease got = lease(kPiece, left);

  EXPECT_TRUE(got.owns());
  EXPECT_EQ(pool.statistics().growths, 2u) << "nobody can know that the stream is done";
}

}  // namespace
}  // namespace tenure
