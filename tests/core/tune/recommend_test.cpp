// What is recommended for loads whose figures are planted.
#include "core/tune/recommend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace tenure::testing {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A tenth of the time in collections, a fifth of what is allocated copied, a quarter of that promoted.
LoadFigures busy() {
  LoadFigures load;
  load.ended = {.now_ns = 1'000'000'000,
                .processor_ns = 1'000'000'000,
                .paused_ns = 100'000'000,
                .bytes_allocated = 1000 * kMiB,
                .bytes_copied = 200 * kMiB,
                .bytes_promoted = 50 * kMiB,
                .collections = 64};
  load.nursery = load.nursery_in_use = 8 * kMiB;
  load.nursery_most = 64 * kMiB;
  load.large_object = 32768;
  load.large_object_least = 1024;
  return load;
}

std::vector<std::string> names(const LoadFigures& load,
                               const OptimizationParameters& parameters = {}) {
  std::vector<std::string> names;
  for (const OptimizationRecommendation& one : recommend(load, parameters)) {
    names.push_back(one.strategy.name);
  }
  return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// Many small objects, and a few of 4 to 8 KiB that have nearly all bytes.
void plant_large_objects(LoadFigures& load) {
  load.size_histogram[1] = 10'000;
  load.size_histogram[9] = 1'000;
}

void plant_batches(LoadFigures& load) {
  load.batches = 100;
  load.batch_bytes = 3.0 * kMiB;
  load.batch_unevenness = 0.05;
}

TEST(Recommend, TwiceTheNurseryWhereMuchTimeGoesIntoCollectingIt) {
  const auto all = recommend(busy(), {});

  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].strategy.name, "Generation Tuning");
  EXPECT_EQ(all[0].parameters.at("nursery_bytes"), 16.0 * kMiB);
  EXPECT_GE(all[0].confidence, 0.7);
  EXPECT_EQ(all[0].basis, ImprovementBasis::kPredicted);
  EXPECT_NE(all[0].reasoning.find("10.0 % of time"), std::string::npos) << all[0].reasoning;
  EXPECT_NE(all[0].reasoning.find("8 MiB"), std::string::npos) << all[0].reasoning;
}

TEST(Recommend, NoLargerNurseryWhereAllThatSurvivesStays) {
  LoadFigures load = busy();
  load.ended.bytes_promoted = load.ended.bytes_copied;
  EXPECT_TRUE(names(load).empty());
}

TEST(Recommend, NoLargerNurseryThanMayBe) {
  LoadFigures load = busy();
  load.nursery_most = 15.0 * kMiB;
  EXPECT_TRUE(names(load).empty());
}

TEST(Recommend, NoLargerNurseryWhereThePauseTargetHoldsIt) {
  LoadFigures load = busy();
  load.nursery_in_use = 4.0 * kMiB;
  EXPECT_TRUE(names(load).empty());
}

TEST(Recommend, NothingWhereCollectionsCostNothing) {
  LoadFigures load = busy();
  load.ended.paused_ns = 1'000'000;
  load.ended.bytes_copied = load.ended.bytes_promoted = kMiB;
  plant_batches(load);
  plant_large_objects(load);
  EXPECT_TRUE(names(load).empty());
}

TEST(Recommend, NothingOfTooFewCollections) {
  LoadFigures load = busy();
  load.ended.collections = 15;
  EXPECT_TRUE(names(load).empty());
}

TEST(Recommend, CollectingAtBatchBoundariesWhereBatchesAreEven) {
  LoadFigures load = busy();
  plant_batches(load);
  EXPECT_TRUE(has(names(load), "Batch Collection"));

  load.batch_unevenness = 0.5;
  EXPECT_FALSE(has(names(load), "Batch Collection"));
}

TEST(Recommend, NoBatchCollectionOfBatchesThatNoNurseryHolds) {
  LoadFigures load = busy();
  plant_batches(load);
  load.batch_bytes = 8.0 * kMiB;
  EXPECT_FALSE(has(names(load), "Batch Collection"));
}

TEST(Recommend, NothingThatIsInForce) {
  LoadFigures load = busy();
  plant_batches(load);
  load.collects_at_boundaries = true;
  EXPECT_FALSE(has(names(load), "Batch Collection"));
}

TEST(Recommend, AnotherLayoutWhereWhatIsUsedTogetherLiesApart) {
  LoadFigures load = busy();
  load.copies_ahead = 16;
  load.accesses = 5'000;
  load.accesses_beside = 0.1;
  EXPECT_TRUE(has(names(load), "Cache-Friendly Layout"));

  load.accesses_beside = 0.9;
  EXPECT_FALSE(has(names(load), "Cache-Friendly Layout"));
  load.accesses_beside = 0.1;
  load.accesses = 100;
  EXPECT_FALSE(has(names(load), "Cache-Friendly Layout"));
  load.accesses = 5'000;
  load.copies_ahead = 1;
  EXPECT_FALSE(has(names(load), "Cache-Friendly Layout"));
}

TEST(Recommend, TheKneeOfTheSizesAsWhatIsLarge) {
  LoadFigures load = busy();
  plant_large_objects(load);

  const auto all = recommend(load, {});

  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].strategy.name, "Large Object Heap") << "it has the highest priority";
  EXPECT_EQ(all[0].parameters.at("large_object_bytes"), 4096);
  EXPECT_NE(all[0].reasoning.find("4 KiB"), std::string::npos) << all[0].reasoning;
}

TEST(Recommend, NoOtherSizeWhereAllObjectsAreAlike) {
  LoadFigures load = busy();
  load.size_histogram[9] = 1'000;
  EXPECT_FALSE(has(names(load), "Large Object Heap"));
}

TEST(Recommend, NoMoreThanIsAskedForAndTheFirstByPriority) {
  LoadFigures load = busy();
  plant_batches(load);
  plant_large_objects(load);
  EXPECT_EQ(names(load).size(), 3u);
  EXPECT_EQ(names(load, {.max_optimizations_per_cycle = 1}),
            std::vector<std::string>{"Large Object Heap"});
  EXPECT_TRUE(names(load, {.min_confidence = 1.0}).empty());
}

TEST(Knee, IsFoundBetweenTheSizesThatMayBeSet) {
  std::array<double, AllocationPatterns::kBins> histogram{};
  histogram[0] = 1'000'000;
  histogram[5] = 40'000;  // 257 to 512 bytes
  EXPECT_EQ(find_knee(histogram, 1024, 32768).size, 0);
  EXPECT_EQ(find_knee(histogram, 256, 32768).size, 256);
  histogram[19] = 1e9;  // past what is large now
  EXPECT_EQ(find_knee(histogram, 256, 32768).size, 256);
}

}  // namespace
}  // namespace tenure::testing
