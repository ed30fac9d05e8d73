// Each hint from a load that was planted for it, and no other hint but its companions.
#include "core/tune/patterns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tenure::testing {
namespace {

using enum OptimizationHint;
using Hints = std::vector<OptimizationHint>;

// Of the load's middle: neither large nor small, neither seldom nor often, half of it living.
TypeFigures plain() {
  return {.type = "Node",
          .allocations = 1000,
          .bytes = 64'000,
          .live_allocations = 500,
          .per_second = 50,
          .samples = 100,
          .accesses = {}};
}

AllocationPattern used(const std::vector<std::uintptr_t>& addresses) {
  AccessLog log;
  for (const std::uintptr_t address : addresses) {
    log.note(7, address);
  }
  TypeFigures figures = plain();
  figures.accesses = log.figures(7);
  return describe_pattern(figures, false);
}

TEST(Patterns, GiveNoHintForALoadWithoutAnyTrait) {
  EXPECT_EQ(describe_pattern(plain(), false).optimization_hints, Hints{});
}

TEST(Patterns, SeeASweepOverAnArray) {
  std::vector<std::uintptr_t> sweep;
  for (std::uintptr_t k = 0; k < 1000; ++k) sweep.push_back(0x10000 + 64 * k);

  const AllocationPattern pattern = used(sweep);

  EXPECT_EQ(pattern.optimization_hints, (Hints{kSequentialAccess, kSpatialLocality}));
  EXPECT_EQ(pattern.access_pattern, AccessPattern::kSequential);
  EXPECT_EQ(pattern.accesses, 1000u);
}

TEST(Patterns, SeeProbingAHashTable) {
  std::mt19937_64 random(1);
  std::vector<std::uintptr_t> probes;
  for (int k = 0; k < 1000; ++k) probes.push_back(random() % (std::uintptr_t{1} << 30));

  const AllocationPattern pattern = used(probes);

  EXPECT_EQ(pattern.optimization_hints, Hints{kRandomAccess});
  EXPECT_EQ(pattern.access_pattern, AccessPattern::kRandom);
}

TEST(Patterns, SeeAWorkingSet) {
  std::mt19937_64 random(2);
  std::vector<std::uintptr_t> uses;
  for (int phase = 0; phase < 10; ++phase) {
    for (int k = 0; k < 200; ++k) uses.push_back((phase * 100 + random() % 20) * 100'000);
  }
  // What is used again and again is far apart here.
  EXPECT_EQ(used(uses).optimization_hints, (Hints{kRandomAccess, kTemporalLocality}));
}

TEST(Patterns, SeeAListThatWasBuiltInOrder) {
  std::vector<std::uintptr_t> walk;  // nodes lie side by side, and are reached two pages to and fro
  for (std::uintptr_t k = 0; k < 1000; ++k) walk.push_back(k % 2 * 2048 + k / 2 * 24);
  EXPECT_EQ(used(walk).optimization_hints, (Hints{kRandomAccess, kSpatialLocality}));
}

TEST(Patterns, SayNothingOfTooFewUses) {
  EXPECT_EQ(used({1, 2, 3}).access_pattern, AccessPattern::kUnknown);
  EXPECT_EQ(used({1, 2, 3}).optimization_hints, Hints{});
}

TEST(Patterns, SeeTemporaries) {
  TypeFigures figures = plain();
  figures.live_allocations = 50;
  EXPECT_EQ(describe_pattern(figures, false).optimization_hints, Hints{kShortLived});
}

TEST(Patterns, SeeACacheThatFills) {
  TypeFigures figures = plain();
  figures.live_allocations = 900;
  EXPECT_EQ(describe_pattern(figures, false).optimization_hints, Hints{kLongLived});
}

TEST(Patterns, SeeTensors) {
  TypeFigures figures = plain();
  figures.bytes = 1000 * 100'000.0;
  EXPECT_EQ(describe_pattern(figures, false).optimization_hints, Hints{kLargeAllocations});
}

TEST(Patterns, SeeScalars) {
  TypeFigures figures = plain();
  figures.per_second = 5'000;
  EXPECT_EQ(describe_pattern(figures, false).optimization_hints, Hints{kFrequentAllocations});
}

TEST(Patterns, SeeMiniBatches) {
  TypeFigures figures = plain();
  figures.per_second = 150;
  EXPECT_EQ(describe_pattern(figures, true).optimization_hints, Hints{kBatchProcessing});
  figures.per_second = 90;
  EXPECT_EQ(describe_pattern(figures, true).optimization_hints, Hints{});
}

TEST(Patterns, SeeARingOfPackets) {
  TypeFigures figures = plain();
  figures.per_second = 600;
  figures.live_allocations = 150;
  EXPECT_EQ(describe_pattern(figures, false).optimization_hints, Hints{kStreamingData});
}

TEST(Patterns, SayNothingOfTooFewSamples) {
  TypeFigures figures = plain();
  figures.samples = 15;
  figures.live_allocations = 0;
  figures.per_second = 5'000;
  EXPECT_EQ(describe_pattern(figures, true).optimization_hints, Hints{});
}

TEST(Batches, AreKnownByEvenMarks) {
  BatchLog log;
  for (int k = 0; k < 7; ++k) log.note(Bytes{1000});
  EXPECT_FALSE(works_in_batches(log, {}));
  log.note(Bytes{1100});
  EXPECT_TRUE(works_in_batches(log, {}));
  for (int k = 0; k < 16; ++k) log.note(Bytes{k % 2 == 0 ? 100u : 5000u});
  EXPECT_FALSE(works_in_batches(log, {}));
}

TEST(Batches, AreKnownByBurstsAtEqualDistances) {
  const auto bursts = [](std::vector<std::uint64_t> seconds) {
    std::vector<AllocationBurst> all;
    for (const std::uint64_t second : seconds) all.push_back({.second = second});
    return all;
  };
  EXPECT_TRUE(works_in_batches({}, bursts({10, 30, 50, 71, 90})));
  EXPECT_FALSE(works_in_batches({}, bursts({10, 30, 35, 71, 90})));
  EXPECT_FALSE(works_in_batches({}, bursts({10, 30, 50})));
}

TEST(AccessLog, TellsWritesFromReads) {
  AccessLog log;
  for (std::uintptr_t k = 0; k < 100; ++k) log.note(1, k * 64, k % 4 == 0);
  EXPECT_NEAR(log.figures(1).written(), 0.25, 1e-9);
}

TEST(AccessLog, ForgetsWhatWasLongAgo) {
  AccessLog log;
  for (std::uintptr_t k = 0; k < 100'000; ++k) log.note(1, k * 64);
  std::mt19937_64 random(3);
  for (int k = 0; k < 1'000'000; ++k) log.note(1, random() % (std::uintptr_t{1} << 40));
  EXPECT_LT(log.figures(1).sequential(), 0.05);
  EXPECT_LE(log.figures(1).accesses, 65'536);
  EXPECT_EQ(log.figures(2).accesses, 0);
}

}  // namespace
}  // namespace tenure::testing
