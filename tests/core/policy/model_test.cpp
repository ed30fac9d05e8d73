// What each model reserves for sequences small enough to be worked out by hand from the rule that its
// source documents. MiB unless it says otherwise.
#include "core/policy/model.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

namespace tenure {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class Model {
 public:
  explicit Model(Policy policy, Bytes capacity = kUnlimited)
      : model_(make_model(policy, capacity)) {}

  std::uint32_t allocate(std::uint64_t bytes, std::uint16_t stream = 0) {
    EXPECT_TRUE(try_allocate(bytes, stream));
    return next_ - 1;
  }
  bool try_allocate(std::uint64_t bytes, std::uint16_t stream = 0) {
    return model_->allocate(next_++, {.bytes = bytes, .stream = stream}).ok();
  }
  void free(std::uint32_t block) { model_->free(block); }
  [[nodiscard]] std::uint64_t reserved() const { return model_->reserved().count(); }
  [[nodiscard]] std::uint64_t peak() const { return model_->peak_reserved().count(); }

 private:
  std::unique_ptr<PolicyModel> model_;
  std::uint32_t next_ = 0;
};

TEST(PyTorchModelTest, TakesSmallBlocksFromSegmentsOfTwo) {
  Model model(Policy::kPyTorch);

  model.allocate(1);
  EXPECT_EQ(model.reserved(), 2 * kMiB);
  model.allocate(kMiB);  // small still; behind the first 512 B there is room for it
  EXPECT_EQ(model.reserved(), 2 * kMiB);
  model.allocate(kMiB);  // 1 MiB less 512 B is left
  EXPECT_EQ(model.reserved(), 4 * kMiB);
}

TEST(PyTorchModelTest, TakesBlocksBelowTenFromSegmentsOfTwentyAndLargerOnesFromTheirOwn) {
  Model model(Policy::kPyTorch);

  model.allocate(kMiB + 1);  // large by one byte
  EXPECT_EQ(model.reserved(), 20 * kMiB);
  model.allocate(9 * kMiB);  // cut from the same; 10 less 512 B is left
  EXPECT_EQ(model.reserved(), 20 * kMiB);
  model.allocate(10 * kMiB);  // does not fit there, by 512 B
  EXPECT_EQ(model.reserved(), 30 * kMiB);
  model.allocate(11 * kMiB);  // rounded to 2
  EXPECT_EQ(model.reserved(), 42 * kMiB);
}

TEST(PyTorchModelTest, KeepsALargeBlockWholeWhereNoMoreThanOneIsLeftOver) {
  Model model(Policy::kPyTorch);

  model.free(model.allocate(20 * kMiB));
  model.allocate(19 * kMiB);  // takes all 20
  model.allocate(2 * kMiB);
  EXPECT_EQ(model.reserved(), 40 * kMiB);  // so that this needs a segment
}

TEST(PyTorchModelTest, JoinsWhatIsFreeAndTakesTheSmallestThatFits) {
  Model model(Policy::kPyTorch);
  const std::uint32_t first = model.allocate(6 * kMiB);
  const std::uint32_t second = model.allocate(6 * kMiB);
  model.allocate(8 * kMiB);  // the segment of 20 is full

  model.free(first);
  model.free(second);
  model.allocate(9 * kMiB);

  EXPECT_EQ(model.reserved(), 20 * kMiB);
}

TEST(PyTorchModelTest, NeverUsesWhatAnotherStreamFreed) {
  Model model(Policy::kPyTorch);

  model.free(model.allocate(32 * kMiB, 1));
  model.allocate(32 * kMiB, 2);

  EXPECT_EQ(model.reserved(), 64 * kMiB);
}

TEST(PyTorchModelTest, GivesIdleSegmentsBackBeforeItRunsOut) {
  Model model(Policy::kPyTorch, 40_MiB);
  model.free(model.allocate(30 * kMiB, 1));

  model.allocate(20 * kMiB, 2);

  EXPECT_EQ(model.reserved(), 20 * kMiB);
  EXPECT_EQ(model.peak(), 30 * kMiB);
  EXPECT_FALSE(model.try_allocate(22 * kMiB, 2));
}

TEST(ExpandableModelTest, GrowsOneRangeByPages) {
  Model model(Policy::kPyTorchExpandable);

  model.allocate(12 * kMiB);
  EXPECT_EQ(model.reserved(), 20 * kMiB);
  model.allocate(12 * kMiB);  // over the 8 that are left and a page more
  EXPECT_EQ(model.reserved(), 40 * kMiB);
  model.allocate(16 * kMiB);
  EXPECT_EQ(model.reserved(), 40 * kMiB);
  model.allocate(512);  // small blocks have a range of their own
  EXPECT_EQ(model.reserved(), 42 * kMiB);
}

TEST(ExpandableModelTest, UsesWhatCanGrowLast) {
  Model model(Policy::kPyTorchExpandable);
  const std::uint32_t lower = model.allocate(14 * kMiB);
  model.allocate(14 * kMiB);
  model.free(lower);  // holes of 14, and of 12 at the end: two pages

  model.allocate(11 * kMiB);  // into the 14, though 12 would fit better
  model.allocate(14 * kMiB);  // at the end, with a page more
  EXPECT_EQ(model.reserved(), 60 * kMiB);
}

TEST(ExpandableModelTest, UnmapsWholeIdlePagesBeforeItRunsOut) {
  Model model(Policy::kPyTorchExpandable, 40_MiB);
  const std::uint32_t first = model.allocate(25 * kMiB, 1);
  model.allocate(5 * kMiB, 1);
  model.free(first);  // [0, 25) is free, of which one page is whole

  model.allocate(15 * kMiB, 2);
  EXPECT_EQ(model.reserved(), 40 * kMiB);
  EXPECT_FALSE(model.try_allocate(25 * kMiB, 1));  // the page that it needs is stream 2's
  EXPECT_EQ(model.peak(), 40 * kMiB);
}

TEST(ExpandableModelTest, MapsAGapAgainWhereItHelps) {
  Model model(Policy::kPyTorchExpandable, 60_MiB);
  const std::uint32_t first = model.allocate(40 * kMiB, 1);
  model.allocate(20 * kMiB, 1);
  model.free(first);
  const std::uint32_t other = model.allocate(20 * kMiB, 2);  // both idle pages go, one comes
  EXPECT_EQ(model.reserved(), 40 * kMiB);
  model.free(other);

  model.allocate(40 * kMiB, 1);  // the gap of two pages; 60 are the most

  EXPECT_EQ(model.reserved(), 60 * kMiB);
}

TEST(CuPyModelTest, TakesChunksOfJustTheSize) {
  Model model(Policy::kCuPy);

  const std::uint32_t first = model.allocate(1000);
  EXPECT_EQ(model.reserved(), 1024u);
  model.free(first);
  const std::uint32_t lower = model.allocate(512);
  const std::uint32_t upper = model.allocate(100);
  EXPECT_EQ(model.reserved(), 1024u);
  model.free(lower);
  model.free(upper);  // one chunk again
  model.allocate(1024);
  EXPECT_EQ(model.reserved(), 1024u);
  model.allocate(3 * kMiB);
  EXPECT_EQ(model.reserved(), 3 * kMiB + 1024);
}

TEST(CuPyModelTest, HasAPoolAStreamAndFreesAllBeforeItRunsOut) {
  Model model(Policy::kCuPy, 4_MiB);
  model.free(model.allocate(2 * kMiB, 1));
  model.allocate(kMiB, 2);
  EXPECT_EQ(model.reserved(), 3 * kMiB);

  model.allocate(3 * kMiB, 2);

  EXPECT_EQ(model.reserved(), 4 * kMiB);
  EXPECT_FALSE(model.try_allocate(1, 2));
}

TEST(PowerOfTwoModelTest, KeepsEachBlockAsLargeAsItOnceWas) {
  Model model(Policy::kPowerOfTwo);

  const std::uint32_t first = model.allocate(513);
  EXPECT_EQ(model.reserved(), 1024u);
  model.free(first);
  model.allocate(300);  // of 512 there is none
  EXPECT_EQ(model.reserved(), 1536u);
  model.allocate(600);  // the first again
  EXPECT_EQ(model.reserved(), 1536u);
  model.allocate(5 * kMiB);
  EXPECT_EQ(model.reserved(), 8 * kMiB + 1536);
}

}  // namespace
}  // namespace tenure
