#include "tenure/arena.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/payload/arena_access.hpp"
#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

constexpr Bytes kChunk{64u << 10};

class ArenaTest : public testing::PoolTest {
 protected:
  Arena open(Bytes chunk = kChunk) {
    return std::move(
        *ArenaAccess::make([this](Bytes size) { return pool.lease(size, left); }, chunk));
  }
  static PayloadView take(Arena& arena, std::uint64_t size, std::uint64_t alignment = 256) {
    Result<PayloadView> got = arena.allocate(Bytes{size}, Bytes{alignment});
    EXPECT_TRUE(got.ok());
    return got.ok() ? *got : PayloadView{};
  }
};
using ArenaDeathTest = ArenaTest;

TEST_F(ArenaTest, LeasesNothingBeforeTheFirstAllocation) {
  const Arena arena = open();

  EXPECT_EQ(arena.leased(), Bytes{});
  EXPECT_EQ(arena.used(), Bytes{});
  EXPECT_EQ(pool.statistics().leases, 0u);
}

TEST_F(ArenaTest, GivesStretchesThatDoNotOverlapAlignedAsAsked) {
  Arena arena = open();
  std::vector<PayloadView> views;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t alignment = std::uint64_t{1} << (i % 17);
    const PayloadView view = take(arena, static_cast<std::uint64_t>(1 + i * 7 % 999), alignment);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % alignment, 0u);
    std::memset(view.data, i % 251, view.size.count());
    views.push_back(view);
  }

  for (std::size_t i = 0; i < views.size(); ++i) {
    for (std::uint64_t byte = 0; byte < views[i].size.count(); ++byte) {
      ASSERT_EQ(views[i].data[byte], static_cast<std::byte>(i % 251)) << "allocation " << i;
    }
  }
  EXPECT_EQ(views[0].kind, MemoryKind::kDevice);
}

TEST_F(ArenaTest, LeasesAChunkAtATime) {
  Arena arena = open();

  for (int i = 0; i < 64; ++i) take(arena, 1024);
  EXPECT_EQ(arena.leased(), kChunk);
  take(arena, 1);

  EXPECT_EQ(arena.leased(), 2 * kChunk);
  EXPECT_EQ(arena.used(), Bytes{(64u << 10) + 1});
  EXPECT_EQ(pool.statistics().leases, 2u);
}

TEST_F(ArenaTest, GivesLargeRequestsAChunkOfTheirOwn) {
  Arena arena = open();
  take(arena, 100);

  const PayloadView large = take(arena, 10 * kChunk.count(), 64u << 10);

  EXPECT_EQ(large.size, 10 * kChunk);
  EXPECT_EQ(arena.leased(), 12 * kChunk);  // and room to align
}

TEST_F(ArenaTest, GivesTheSameBytesAgainAfterARewind) {
  Arena arena = open();
  take(arena, 5000);
  const Arena::Mark mark = arena.mark();
  const Bytes used = arena.used();
  const PayloadView first = take(arena, 100);
  for (int i = 0; i < 200; ++i) take(arena, 3000);
  const Bytes leased = arena.leased();

  arena.rewind(mark);

  EXPECT_EQ(arena.used(), used);
  EXPECT_EQ(take(arena, 100).data, first.data);
  for (int i = 0; i < 200; ++i) take(arena, 3000);
  EXPECT_EQ(arena.leased(), leased) << "chunks are kept for what comes next";
}

TEST_F(ArenaTest, NestsMarks) {
  Arena arena = open();
  const Arena::Mark outer = arena.mark();
  const PayloadView a = take(arena, 1000);
  const Arena::Mark inner = arena.mark();
  const PayloadView b = take(arena, 1000);

  arena.rewind(inner);
  EXPECT_EQ(take(arena, 10).data, b.data);
  arena.rewind(inner);
  EXPECT_EQ(take(arena, 10).data, b.data);
  arena.rewind(outer);
  EXPECT_EQ(take(arena, 10).data, a.data);
  EXPECT_EQ(arena.used(), Bytes{10});
}

TEST_F(ArenaTest, RewindsToWhereItHadNothing) {
  Arena arena = open();
  const Arena::Mark empty = arena.mark();
  take(arena, 1000);

  arena.rewind(empty);

  EXPECT_EQ(arena.used(), Bytes{});
  EXPECT_EQ(arena.leased(), kChunk);
}

TEST_F(ArenaTest, UsesAKeptChunkForALargeRequestThatFitsIt) {
  Arena arena = open();
  const Arena::Mark mark = arena.mark();
  take(arena, 100);
  take(arena, 5 * kChunk.count());
  arena.rewind(mark);
  const Bytes leased = arena.leased();

  take(arena, 100);
  take(arena, 4 * kChunk.count());

  EXPECT_EQ(arena.leased(), leased);
}

TEST_F(ArenaTest, HandsItsChunksBackInStreamOrder) {
  {
    Arena arena = open();
    take(arena, 512u << 20);
    keep_busy(left);
    arena.reset();
    EXPECT_EQ(arena.leased(), Bytes{});
    EXPECT_EQ(arena.used(), Bytes{});
    take(arena, 1000);
  }
  const PayloadLease all = lease(Bytes{512u << 20}, right);

  ASSERT_EQ(device.waits().size(), 1u);
  EXPECT_EQ(device.waits()[0].event.stream, left);
}

TEST_F(ArenaTest, RefusesWhatItCannotGiveAndStaysAsItWas) {
  Arena arena = open();
  take(arena, 100);
  for (const auto& [size, alignment] :
       {std::pair{0u, 256u}, {100u, 0u}, {100u, 3u}, {100u, 131072u}}) {
    const Result<PayloadView> none = arena.allocate(Bytes{size}, Bytes{alignment});
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.failure().code, ErrorCode::kBadArgument);
  }

  const Result<PayloadView> huge = arena.allocate(kUnlimited, Bytes{4096});
  const Result<PayloadView> large = arena.allocate(Bytes{1u << 30});

  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.failure().code, ErrorCode::kBadArgument);
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(arena.used(), Bytes{100});
  EXPECT_EQ(arena.leased(), kChunk);
}

TEST_F(ArenaTest, RefusesChunksOfNoBytes) {
  const Result<Arena> none =
      ArenaAccess::make([this](Bytes size) { return pool.lease(size, left); }, {});

  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.failure().code, ErrorCode::kBadArgument);
}

TEST_F(ArenaTest, MovesWithItsChunks) {
  Arena from = open();
  const PayloadView view = take(from, 100);
  const Arena::Mark mark = from.mark();

  Arena to = std::move(from);
  take(to, 100);
  to.rewind(mark);

  EXPECT_EQ(take(to, 100).data, view.data + 256);
}

TEST_F(ArenaDeathTest, StopsAtAMarkThatWasRewoundPast) {
  Arena arena = open();
  const Arena::Mark outer = arena.mark();
  take(arena, 100);
  const Arena::Mark inner = arena.mark();
  arena.rewind(outer);
  take(arena, 100);

  EXPECT_DEATH(arena.rewind(inner), "not its own, or was set after");
}

TEST_F(ArenaDeathTest, StopsAtAMarkOfAnotherArenaOrOfBeforeAReset) {
  Arena arena = open();
  Arena other = open();
  const Arena::Mark foreign = other.mark();
  const Arena::Mark own = arena.mark();
  arena.reset();

  EXPECT_DEATH(arena.rewind(foreign), "not its own");
  EXPECT_DEATH(arena.rewind(own), "not its own");
  EXPECT_DEATH(arena.rewind(Arena::Mark{}), "not its own");
}

}  // namespace
}  // namespace tenure
