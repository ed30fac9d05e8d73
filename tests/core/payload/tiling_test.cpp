#include "core/payload/tiling.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::kPiece;

constexpr std::uint64_t kCapacity = 256u << 20;

class TilingTest : public ::testing::Test {
 protected:
  TilingTest() { EXPECT_TRUE(tiling.open().ok()); }
  ~TilingTest() override {
    EXPECT_EQ(tiling.fault(), "");
    tiling.close();
  }

  PayloadBlock& only_block() { return *tiling.first_unmapped(); }
  PayloadBlock& map(PayloadBlock& unmapped, std::uint64_t first, std::uint64_t pieces) {
    Result<PayloadBlock*> mapped =
        tiling.map(unmapped, unmapped.data + first * kPiece.count(), pieces * kPiece.count());
    EXPECT_TRUE(mapped.ok());
    return **mapped;
  }
  std::vector<BlockState> states() const {
    std::vector<BlockState> states;
    tiling.for_each([&](const PayloadBlock& block) { states.push_back(block.state.load()); });
    return states;
  }

  static constexpr BlockState kFree = BlockState::kFree;
  static constexpr BlockState kGap = BlockState::kUnmapped;

  SimulatedDevice device{testing::device_of(Bytes{kCapacity})};
  PoolCore core{MemoryKind::kDevice, device};
  Tiling tiling{device, core, device.traits(MemoryKind::kDevice), kCapacity};
};

TEST_F(TilingTest, StartsAsOneUnmappedBlockFarLargerThanTheMemory) {
  EXPECT_EQ(states(), (std::vector{kGap}));
  EXPECT_EQ(only_block().size, 16 * kCapacity);
  EXPECT_EQ(tiling.mapped(), 0u);
}

TEST_F(TilingTest, CutsTheMappedPiecesOutOfAGap) {
  PayloadBlock& middle = map(only_block(), 3, 2);

  EXPECT_EQ(states(), (std::vector{kGap, kFree, kGap}));
  EXPECT_EQ(middle.size, 2 * kPiece.count());
  EXPECT_EQ(tiling.offset_of(middle.data), 3 * kPiece.count());
  EXPECT_EQ(tiling.mapped(), 2 * kPiece.count());
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 2 * kPiece);
}

TEST_F(TilingTest, JoinsAGapWithThoseBesideIt) {
  PayloadBlock& middle = map(only_block(), 3, 2);

  tiling.unmap(middle);

  EXPECT_EQ(states(), (std::vector{kGap}));
  EXPECT_EQ(tiling.mapped(), 0u);
  EXPECT_EQ(tiling.peak_mapped(), 2 * kPiece.count());
}

TEST_F(TilingTest, SplitsAndJoinsBlocksInPlace) {
  PayloadBlock& block = map(only_block(), 0, 1);

  PayloadBlock& upper = tiling.split(block, 512);
  EXPECT_EQ(upper.data, block.end());
  EXPECT_EQ(upper.size, kPiece.count() - 512);
  EXPECT_EQ(states(), (std::vector{kFree, kFree, kGap}));

  tiling.join_with_after(block);
  EXPECT_EQ(block.size, kPiece.count());
  EXPECT_EQ(states(), (std::vector{kFree, kGap}));
}

TEST_F(TilingTest, ChangesNothingWhereTheBackendRefuses) {
  device.fail(BackendCall::kMap, 1);
  device.fail(BackendCall::kMap, 2);  // it is asked a second time

  EXPECT_FALSE(tiling.map(only_block(), only_block().data, kPiece.count()).ok());

  EXPECT_EQ(states(), (std::vector{kGap}));
  EXPECT_EQ(tiling.mapped(), 0u);
}

TEST_F(TilingTest, SaysWhereBlocksDoNotTile) {
  PayloadBlock& block = map(only_block(), 0, 2);

  block.size -= 512;
  EXPECT_NE(tiling.fault().find("a gap or an overlap"), std::string::npos) << tiling.fault();
  block.size += 512;
  block.state.store(kGap);
  EXPECT_NE(tiling.fault().find("two unmapped neighbours"), std::string::npos) << tiling.fault();
  block.state.store(BlockState::kSpare);
  EXPECT_NE(tiling.fault().find("in no use"), std::string::npos) << tiling.fault();
  block.state.store(kFree);
}

}  // namespace
}  // namespace tenure
