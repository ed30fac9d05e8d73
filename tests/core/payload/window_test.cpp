#include "core/payload/window.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kAny = ~std::uint64_t{0};

class WindowTest : public ::testing::Test {
 protected:
  WindowTest() { EXPECT_TRUE(tiling.open().ok()); }
  ~WindowTest() override { tiling.close(); }

  // Lays blocks out, each two pieces long: f free, g free but of no use, L leased, . unmapped.
  void lay(std::string_view layout) {
    std::uint64_t at = 0;
    for (const char kind : layout) {
      PayloadBlock* last = tiling.first_unmapped();
      while (last->after != nullptr) last = last->after;
      if (kind != '.') {
        PayloadBlock& block = **tiling.map(*last, base() + at, kBlock);
        block.state.store(kind == 'L' ? BlockState::kLeased : BlockState::kFree);
        if (kind == 'g') useless.push_back(&block);
        if (block.before != nullptr && block.before->is(BlockState::kFree) &&
            block.is(BlockState::kFree)) {
          block.before->noted_seam = true;
          seams.push_back(block.before);
        }
      }
      at += kBlock;
    }
  }

  std::byte* base() const {
    std::byte* lowest = nullptr;
    tiling.for_each([&](PayloadBlock& block) { lowest = lowest == nullptr ? block.data : lowest; });
    return lowest;
  }

  std::optional<Window> find(std::uint64_t size, std::uint64_t most = kAny) const {
    return find_window(
        tiling, size, seams,
        [&](const PayloadBlock& block) {
          return std::find(useless.begin(), useless.end(), &block) == useless.end();
        },
        most);
  }
  void expect(const std::optional<Window>& window, std::uint64_t from, std::uint64_t to_map) const {
    ASSERT_TRUE(window.has_value());
    EXPECT_EQ(tiling.offset_of(window->from), from);
    EXPECT_EQ(window->to_map, to_map);
    EXPECT_LE(window->first->data, window->from);
    EXPECT_LT(window->from, window->first->end());
  }

  static constexpr std::uint64_t kBlock = 4 * kMiB;

  SimulatedDevice device{testing::device_of(Bytes{256u << 20})};
  PoolCore core{MemoryKind::kDevice, device};
  Tiling tiling{device, core, device.traits(MemoryKind::kDevice), 256u << 20};
  std::vector<PayloadBlock*> seams;
  std::vector<const PayloadBlock*> useless;
};

TEST_F(WindowTest, LiesAtTheStartOfAnEmptyRange) { expect(find(3 * kMiB), 0, 4 * kMiB); }

TEST_F(WindowTest, ExtendsTheFreeBlockBelowFreshAddresses) {
  lay("LLf");

  expect(find(5 * kMiB), 2 * kBlock, 2 * kMiB);
}

TEST_F(WindowTest, LiesAcrossASeamWithNothingToMap) {
  lay("LffL");

  expect(find(8 * kMiB), kBlock, 0);
  expect(find(8 * kMiB, 0), kBlock, 0);
}

TEST_F(WindowTest, FillsAGapBetweenFreeBlocks) {
  lay("Lf.fL");

  expect(find(11 * kMiB), kBlock, 4 * kMiB);
}

TEST_F(WindowTest, EndsAtAFreeBlockWhereThatLeavesLessToMap) {
  lay("L..fL");

  expect(find(6 * kMiB), 2 * kBlock + 2 * kMiB, 2 * kMiB);
}

TEST_F(WindowTest, MapsWholePieces) {
  lay("Lf.L");

  expect(find(4 * kMiB + 512), kBlock, 2 * kMiB);
}

TEST_F(WindowTest, TakesTheLowestOfThoseThatCostTheSame) {
  lay("L.L.L");

  expect(find(4 * kMiB), kBlock, 4 * kMiB);
}

TEST_F(WindowTest, PassesOverBlocksOfNoUse) {
  lay("LgfLffL");

  expect(find(8 * kMiB), 4 * kBlock, 0);
}

TEST_F(WindowTest, GivesNoneWhereAllWouldHaveToMapMore) {
  lay("Lf.L");

  EXPECT_FALSE(find(8 * kMiB, 2 * kMiB).has_value());
  EXPECT_FALSE(find(5 * kMiB, 0).has_value());
}

}  // namespace
}  // namespace tenure
