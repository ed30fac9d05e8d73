// Leasing and handing back in one stream: sizes, places, figures, refusals.
#include "core/payload/pool.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "host/host_backend.hpp"
#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;
using testing::kPiece;
using testing::PoolTest;
using PayloadPoolTest = PoolTest;
using PayloadPoolDeathTest = PoolTest;

// A backend without memory of any kind.
class NoDevice final : public Backend {
 public:
  [[nodiscard]] std::string name() const override { return "none"; }
  [[nodiscard]] KindTraits traits(MemoryKind) const override {
    KindTraits traits;
    traits.note = "no such device";
    return traits;
  }
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind, Bytes) override { return never(); }
  void release(const AddressRange&) override {}
  [[nodiscard]] Result<void> map(const AddressRange&, Bytes, Bytes) override { return never(); }
  void unmap(const AddressRange&, Bytes, Bytes) override {}
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind, Bytes) override { return never(); }
  void deallocate(MemoryKind, std::byte*, Bytes) override {}
  [[nodiscard]] Result<StreamId> make_stream() override { return never(); }
  [[nodiscard]] bool has_stream(StreamId) const override { return true; }
  [[nodiscard]] Result<StreamEvent> record(StreamId) override { return never(); }
  [[nodiscard]] std::uint64_t reached(StreamId) override { return 0; }
  [[nodiscard]] Result<void> wait(StreamId, StreamEvent) override { return never(); }
  [[nodiscard]] Result<void> synchronize(StreamEvent) override { return never(); }
  [[nodiscard]] Result<void> copy(StreamId, std::byte*, const std::byte*, Bytes) override {
    return never();
  }
  [[nodiscard]] Result<void> fill(StreamId, std::byte*, std::byte, Bytes) override {
    return never();
  }

 private:
  static Error never() {
    ADD_FAILURE() << "a backend without memory was asked for something";
    return {ErrorCode::kUnsupported, ""};
  }
};

bool says(const Error& error, std::string_view words) {
  return error.message.find(words) != std::string::npos;
}

TEST_F(PayloadPoolTest, GivesWhatWasAskedForAlignedToABlockStep) {
  for (const std::uint64_t size : {1u, 511u, 512u, 513u, 100'000u, 3u << 20}) {
    const PayloadLease got = lease(Bytes{size});

    EXPECT_EQ(got.size(), Bytes{size});
    EXPECT_EQ(got.view().kind, MemoryKind::kDevice);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.data()) % kBlockStep, 0u);
  }
}

TEST_F(PayloadPoolTest, GivesABlockOfTheSameSizeAgainAtOnce) {
  PayloadLease first = lease(Bytes{5000});
  const PayloadLease other = lease(Bytes{5000});
  const std::byte* const place = first.data();

  first.release();
  const PayloadLease again = lease(Bytes{5000});

  EXPECT_EQ(again.data(), place);
  EXPECT_EQ(pool.statistics().cached_hits, 1u);
}

TEST_F(PayloadPoolTest, GivesTheLatestReturnBeforeItIsJoinedWithItsNeighbours) {
  PayloadLease lower = lease(Bytes{5000});
  PayloadLease upper = lease(Bytes{5000});
  const PayloadLease wall = lease(Bytes{512});
  const std::byte* const place = upper.data();
  lower.release();
  (void)pool.statistics();  // looks at what came back
  upper.release();

  EXPECT_EQ(lease(Bytes{5000}).data(), place);
}

TEST_F(PayloadPoolTest, GivesABatchAgainWithoutJoiningIt) {
  constexpr std::uint64_t kBatch = 64;
  std::vector<PayloadLease> batch(kBatch);
  for (PayloadLease& one : batch) one = lease(1_MiB);
  const std::uint64_t before = pool.statistics().cached_hits;
  for (PayloadLease& one : batch) one.release();

  for (PayloadLease& one : batch) one = lease(1_MiB);

  EXPECT_EQ(pool.statistics().cached_hits - before, kBatch);
  for (PayloadLease& one : batch) one.release();
  EXPECT_EQ(lease(64_MiB).size(), 64_MiB);  // another size: they are joined
  EXPECT_LT(pool.statistics().reserved, 66_MiB);
}

TEST_F(PayloadPoolTest, TakesTheSmallestHoleThatIsLargeEnough) {
  std::vector<PayloadLease> leases;
  for (const std::uint64_t size : {40960u, 512u, 8192u, 512u, 20480u, 512u}) {
    leases.push_back(lease(Bytes{size}));
  }
  const std::byte* const middle = leases[2].data();
  for (const std::size_t hole : {0u, 2u, 4u}) leases[hole].release();

  const PayloadLease small = lease(Bytes{4096});

  EXPECT_EQ(small.data(), middle);
}

TEST_F(PayloadPoolTest, JoinsFreeNeighboursOnBothSides) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(lease(Bytes{512 << 10}));
  const std::byte* const lowest = leases[0].data();

  leases[0].release();
  leases[2].release();
  leases[1].release();
  const PayloadLease whole = lease(Bytes{3 * (512 << 10)});

  EXPECT_EQ(whole.data(), lowest);
  EXPECT_EQ(pool.statistics().growths, 1u);
}

TEST_F(PayloadPoolTest, UsesTheSpaceBelowFreshAddressesLast) {
  PayloadLease large = lease(Bytes{1u << 20});
  const PayloadLease wall = lease(Bytes{512});
  const std::byte* const hole = large.data();
  large.release();

  const PayloadLease small = lease(Bytes{512});  // the rest of the piece would fit better

  EXPECT_EQ(small.data(), hole);
}

TEST_F(PayloadPoolTest, CountsWhatItHolds) {
  PayloadLease a = lease(Bytes{1000});
  PayloadLease b = lease(Bytes{3u << 20});
  a.release();

  const PoolStatistics statistics = pool.statistics();

  EXPECT_EQ(statistics.kind, MemoryKind::kDevice);
  EXPECT_EQ(statistics.backend, "sim:512MiB");
  EXPECT_EQ(statistics.live, Bytes{3u << 20});
  EXPECT_EQ(statistics.leased, Bytes{3u << 20});
  EXPECT_EQ(statistics.peak_live, Bytes{(3u << 20) + 1000});
  EXPECT_EQ(statistics.reserved, 2 * kPiece);
  EXPECT_EQ(statistics.peak_reserved, 2 * kPiece);
  EXPECT_EQ(statistics.largest_free, Bytes{(1u << 20) - 1024});
  EXPECT_EQ(statistics.live_blocks, 1u);
  EXPECT_EQ(statistics.free_blocks, 2u);
  EXPECT_EQ(statistics.leases, 2u);
  EXPECT_EQ(statistics.returns, 1u);
  EXPECT_EQ(statistics.growths, 2u);
  EXPECT_EQ(statistics.refusals, 0u);
  EXPECT_EQ(pool.leased(), Bytes{3u << 20});
}

TEST_F(PayloadPoolTest, RefusesNoBytesAtAll) {
  const Result<PayloadLease> none = pool.lease(Bytes{}, StreamId::kDefault);

  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(says(none.failure(), "0 bytes")) << none.failure().message;
}

TEST_F(PayloadPoolTest, RefusesSizesThatCanNeverFitWithFigures) {
  for (const std::uint64_t size :
       {std::uint64_t{513} << 20, ~std::uint64_t{0}, ~std::uint64_t{510}}) {
    const Result<PayloadLease> huge = pool.lease(Bytes{size}, StreamId::kDefault);

    ASSERT_FALSE(huge.ok());
    EXPECT_EQ(huge.failure().code, ErrorCode::kOutOfMemory);
    EXPECT_TRUE(says(huge.failure(), "512 MiB")) << huge.failure().message;
    EXPECT_FALSE(pool.can_ever_fit(Bytes{size}));
  }
  EXPECT_TRUE(pool.can_ever_fit(Bytes{512u << 20}));
  EXPECT_EQ(pool.statistics().refusals, 3u);
  EXPECT_EQ(device.count(BackendCall::kReserve), 0u);
}

TEST_F(PayloadPoolTest, RefusesAStreamThatTheBackendDoesNotHave) {
  const Result<PayloadLease> lost = pool.lease(Bytes{512}, StreamId{99});

  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(says(lost.failure(), "stream 99")) << lost.failure().message;
}

TEST_F(PayloadPoolTest, NamesWhatIsHeldAndByWhomWhenMemoryRunsOut) {
  std::vector<PayloadLease> leases;
  const std::pair<std::uint32_t, std::uint64_t> held[] = {
      {7, 200}, {8, 20}, {9, 150}, {7, 50}, {10, 40}};
  for (const auto& [site, mebibytes] : held) {
    leases.push_back(*pool.lease(Bytes{mebibytes << 20}, StreamId::kDefault, SiteId{site}));
  }

  const Result<PayloadLease> none = pool.lease(Bytes{64u << 20}, StreamId::kDefault);

  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.failure().code, ErrorCode::kOutOfMemory);
  for (const char* const words :
       {"cannot lease 64 MiB", "460 MiB are leased in 5 blocks", "460 MiB are mapped",
        "capacity 512 MiB",
        "site 7 (250 MiB in 2 blocks), site 9 (150 MiB in 1 block), site 10 (40"}) {
    EXPECT_TRUE(says(none.failure(), words)) << words << "\nis not in\n" << none.failure().message;
  }
  EXPECT_FALSE(says(none.failure(), "site 8")) << "only the three largest are named";
}

TEST_F(PayloadPoolTest, KeepsToItsBudget) {
  PayloadPool small(device, MemoryKind::kDevice, Bytes{8u << 20});
  const Result<PayloadLease> most = small.lease(Bytes{7u << 20}, StreamId::kDefault);
  ASSERT_TRUE(most.ok());

  const Result<PayloadLease> over = small.lease(Bytes{2u << 20}, StreamId::kDefault);
  const Result<PayloadLease> never = small.lease(Bytes{9u << 20}, StreamId::kDefault);

  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.failure().code, ErrorCode::kOverBudget);
  EXPECT_TRUE(says(over.failure(), "budget 8 MiB")) << over.failure().message;
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.failure().code, ErrorCode::kOverBudget);
  EXPECT_EQ(small.shortfall(Bytes{2u << 20}), Bytes{1u << 20});
  EXPECT_EQ(small.shortfall(Bytes{1u << 20}), Bytes{});
}

TEST_F(PayloadPoolTest, GivesAnEmptyLeaseWhereItMayNotGrow) {
  EXPECT_FALSE(pool.try_lease(Bytes{512}, StreamId::kDefault).owns());
  const Result<PayloadLease> none =
      pool.lease(Bytes{512}, StreamId::kDefault, SiteId::kUnknown, Effort::kReuse);

  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->owns());
  EXPECT_EQ(device.count(BackendCall::kMap), 0u);

  lease(Bytes{1024}).release();
  EXPECT_TRUE(pool.try_lease(Bytes{512}, StreamId::kDefault).owns());
}

TEST_F(PayloadPoolTest, RefusesAKindThatIsNotToBeHad) {
  NoDevice backend;
  PayloadPool none(backend, MemoryKind::kDevice);

  const Result<PayloadLease> got = none.lease(Bytes{512}, StreamId::kDefault);

  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.failure().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(says(got.failure(), "no such device")) << got.failure().message;
  EXPECT_FALSE(none.can_ever_fit(Bytes{512}));
}

TEST_F(PayloadPoolTest, MakesNoEventAndNoWaitForOneStream) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 200; ++i) {
    leases.push_back(lease(Bytes{static_cast<std::uint64_t>(1 + i) * 700}, left));
    if (i % 3 == 0) leases.erase(leases.begin());
  }

  EXPECT_EQ(device.count(BackendCall::kRecord), 0u);
  EXPECT_EQ(device.count(BackendCall::kWait), 0u);
}

TEST_F(PayloadPoolTest, ServesEveryKindOfTheHost) {
  HostBackend host;
  for (const MemoryKind kind :
       {MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kUnified, MemoryKind::kDevice}) {
    PayloadPool of_host(host, kind, Bytes{64u << 20});

    const Result<PayloadLease> got = of_host.lease(Bytes{1u << 20}, StreamId::kDefault);

    ASSERT_TRUE(got.ok()) << got.failure().message;
    got->data()[0] = std::byte{1};
    got->data()[(1u << 20) - 1] = std::byte{1};
    EXPECT_TRUE(is_sound(of_host));
  }
}

TEST_F(PayloadPoolDeathTest, StopsAtASecondReturn) {
  PayloadLease first = lease(Bytes{512});
  PayloadBlock* const block = first.detach();
  PayloadLease(*block).release();

  EXPECT_DEATH(PayloadLease(*block).release(), "handed back twice");
  (void)pool.statistics();
  EXPECT_DEATH(PayloadLease(*block).release(), "handed back twice");
}

TEST_F(PayloadPoolDeathTest, StopsAtAUseOnAStreamThatIsNotThere) {
  PayloadLease got = lease(Bytes{512});

  EXPECT_DEATH(got.used_on(StreamId{55}), "stream that its backend does not have");
  EXPECT_DEATH(got.used_on(StreamId{kMaxStreams}), "stream that its backend does not have");
}

}  // namespace
}  // namespace tenure
