// Arenas as a user opens them: over a runtime, whose pools and ladder serve their chunks.
#include <gtest/gtest.h>

#include <cstring>
#include <utility>

#include "tenure/arena.hpp"
#include "tenure/tensor.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Arenas : public RuntimeTest {
 protected:
  using RuntimeTest::RuntimeTest;

  Bytes leased() {
    Bytes sum;
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      sum += pool.live;
    }
    return sum;
  }
};

TEST_F(Arenas, LeaseTheirChunksOfTheRuntimeAndGiveThemBackAtTheirEnd) {
  {
    Arena arena = value_or_throw(Arena::open(runtime, {.chunk = 1_MiB}));
    EXPECT_EQ(leased(), Bytes{});

    const PayloadView bytes = value_or_throw(arena.allocate(Bytes{1000}));

    std::memset(bytes.data, 7, bytes.size.count());
    EXPECT_EQ(bytes.kind, MemoryKind::kHost);
    EXPECT_EQ(leased(), 1_MiB);
  }
  EXPECT_EQ(leased(), Bytes{});
}

TEST_F(Arenas, KeepWhatIsBeforeAMarkWhenTheyAreRewound) {
  Arena arena = value_or_throw(Arena::open(runtime));
  const PayloadView kept = value_or_throw(arena.allocate(64_KiB));
  std::memset(kept.data, 7, kept.size.count());
  const Arena::Mark mark = arena.mark();
  const PayloadView dropped = value_or_throw(arena.allocate(64_KiB));

  arena.rewind(mark);

  const PayloadView next = value_or_throw(arena.allocate(64_KiB));
  std::memset(next.data, 9, next.size.count());
  EXPECT_EQ(next.data, dropped.data);
  EXPECT_EQ(kept.data[0], std::byte{7});
  EXPECT_EQ(kept.data[kept.size.count() - 1], std::byte{7});
}

TEST_F(Arenas, TakeTheKindThatIsAskedFor) {
  Arena arena = value_or_throw(Arena::open(runtime, {.kind = MemoryKind::kPinned}));

  EXPECT_EQ(value_or_throw(arena.allocate(Bytes{1})).kind, MemoryKind::kPinned);
}

TEST_F(Arenas, StayGoodWhenTheirRuntimeIsMoved) {
  Runtime other = value_or_throw(Runtime::open({.device = "sim:1GiB"}));
  Arena arena = value_or_throw(Arena::open(other));
  Runtime moved(std::move(other));

  EXPECT_TRUE(arena.allocate(Bytes{1}).ok());
}

TEST_F(Arenas, AreRefusedMoreOnceTheirRuntimeIsClosed) {
  Runtime other = value_or_throw(Runtime::open({.device = "sim:1GiB"}));
  Arena arena = value_or_throw(Arena::open(other));
  ASSERT_TRUE(arena.allocate(Bytes{1}).ok());

  EXPECT_EQ(other.close().leases_outstanding, 1u);

  const Result<PayloadView> more = arena.allocate(Bytes{1});
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.failure().code, ErrorCode::kClosed);
}

TEST_F(Arenas, AreRefusedChunksOfNothing) {
  const Result<Arena> arena = Arena::open(runtime, {.chunk = Bytes{}});

  ASSERT_FALSE(arena.ok());
  EXPECT_EQ(arena.failure().code, ErrorCode::kBadArgument);
}

TEST_F(Arenas, GetRoomFromTensorsThatNobodyReaches) {
  Runtime small = value_or_throw(Runtime::open({.device = "sim:8MiB"}));
  Mutator own(small);
  for (int k = 0; k < 8; ++k) {
    ASSERT_TRUE(make_tensor(own, {1 << 20}, {.element = ElementType::kUint8}).ok());
  }
  Arena arena = value_or_throw(Arena::open(small, {.kind = MemoryKind::kDevice, .chunk = 6_MiB}));

  const Result<PayloadView> bytes = arena.allocate(6_MiB);

  EXPECT_TRUE(bytes.ok()) << bytes.failure().message;
}

}  // namespace
}  // namespace tenure::testing
