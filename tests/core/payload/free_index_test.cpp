#include "core/payload/free_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace tenure {
namespace {

class FreeIndexTest : public ::testing::Test {
 protected:
  ~FreeIndexTest() override { EXPECT_EQ(index.fault(), ""); }

  PayloadBlock& add(std::uint64_t steps) {
    blocks.push_back(std::make_unique<PayloadBlock>());
    PayloadBlock& block = *blocks.back();
    block.size = steps * kBlockStep;
    block.state.store(BlockState::kFree);
    index.insert(block);
    return block;
  }

  std::vector<std::unique_ptr<PayloadBlock>> blocks;
  FreeIndex index;
};

TEST_F(FreeIndexTest, GivesNothingWhereNothingIsLargeEnough) {
  add(10);

  EXPECT_EQ(index.best_fit(11 * kBlockStep), nullptr);
  EXPECT_EQ(index.best_fit(std::uint64_t{1} << 50), nullptr);
}

TEST_F(FreeIndexTest, GivesTheLatestOfOneSizeFirst) {
  add(100);
  PayloadBlock& second = add(100);
  PayloadBlock& third = add(100);

  EXPECT_EQ(index.best_fit(100 * kBlockStep), &third);
  index.remove(third);
  EXPECT_EQ(index.best_fit(100 * kBlockStep), &second);
}

// 97 and 99 steps are of one bin, which begins at 96.
TEST_F(FreeIndexTest, ClassFitTakesAnyOfABinThatFitsAsAWhole) {
  PayloadBlock& loose = add(99);
  PayloadBlock& close = add(97);

  EXPECT_EQ(index.best_fit(90 * kBlockStep), &close);
  EXPECT_EQ(index.class_fit(90 * kBlockStep), &loose);
}

TEST_F(FreeIndexTest, ClassFitLooksIntoItsOwnBinWhereNoneAboveHoldsAny) {
  add(97);
  PayloadBlock& fits = add(99);

  EXPECT_EQ(index.class_fit(98 * kBlockStep), &fits);
  EXPECT_EQ(index.class_fit(100 * kBlockStep), nullptr);
}

TEST_F(FreeIndexTest, FindsTheSmallestThatFitsAndTheLargestAsAMapDoes) {
  const std::uint64_t seed = 3;
  std::mt19937_64 random(seed);
  std::multimap<std::uint64_t, PayloadBlock*> plain;
  const auto any_steps = [&] { return 1 + random() % (std::uint64_t{1} << (random() % 28)); };

  for (int i = 0; i < 50'000; ++i) {
    if (plain.size() < 300 || (random() % 2 == 0 && plain.size() < 3000)) {
      PayloadBlock& block = add(any_steps());
      plain.emplace(block.size, &block);
    } else {
      auto entry = plain.lower_bound(any_steps() * kBlockStep);
      entry = entry == plain.end() ? plain.begin() : entry;
      index.remove(*entry->second);
      plain.erase(entry);
    }
    const std::uint64_t wanted = any_steps() * kBlockStep;
    const auto best = plain.lower_bound(wanted);
    const PayloadBlock* const found = index.best_fit(wanted);
    ASSERT_EQ(found == nullptr, best == plain.end()) << "seed " << seed << ", step " << i;
    if (found != nullptr) {
      ASSERT_EQ(found->size, best->first) << "seed " << seed << ", step " << i;
    }
    ASSERT_EQ(index.largest()->size, plain.rbegin()->first) << "seed " << seed << ", step " << i;
    ASSERT_EQ(index.count(), plain.size());
    if (i % 1000 == 0) {
      ASSERT_EQ(index.fault(), "") << "seed " << seed << ", step " << i;
    }
  }
}

TEST_F(FreeIndexTest, FindsTheBestFitAmongSizesOfOneBin) {
  // One bin at 1 GiB is 64 MiB wide: sizes in it differ in their lower bits alone.
  const std::uint64_t base = (std::uint64_t{1} << 30) / kBlockStep;
  std::mt19937_64 random(9);
  std::set<std::uint64_t> sizes;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t steps = base + random() % 100'000;
    if (sizes.insert(steps * kBlockStep).second) add(steps);
  }

  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t wanted = (base + random() % 100'000) * kBlockStep;
    const auto best = sizes.lower_bound(wanted);
    const PayloadBlock* const found = index.best_fit(wanted);
    ASSERT_EQ(found == nullptr ? 0 : found->size, best == sizes.end() ? 0 : *best);
  }
}

TEST_F(FreeIndexTest, VisitsAllThatAreLargeEnoughAndStopsWhenTold) {
  for (const std::uint64_t steps : {1u, 40u, 41u, 42u, 42u, 4000u}) add(steps);

  std::multiset<std::uint64_t> seen;
  index.visit_from(41 * kBlockStep, [&](const PayloadBlock& block) {
    seen.insert(block.size / kBlockStep);
    return true;
  });
  int looks = 0;
  index.visit_from(kBlockStep, [&](const PayloadBlock&) { return ++looks < 2; });

  EXPECT_EQ(seen, (std::multiset<std::uint64_t>{41, 42, 42, 4000}));
  EXPECT_EQ(looks, 2);
}

TEST_F(FreeIndexTest, SaysWhichBlockStandsWrong) {
  PayloadBlock& block = add(10);

  block.size = 11 * kBlockStep;
  EXPECT_NE(index.fault().find("wrong free bin"), std::string::npos);
  block.size = 10 * kBlockStep;
  block.state.store(BlockState::kLeased);
  EXPECT_NE(index.fault().find("not free"), std::string::npos);
  block.state.store(BlockState::kFree);
}

}  // namespace
}  // namespace tenure
