// Turns of older generations, as a program sees them that promotes and drops.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

// Nothing but a full nursery and turns starts a collection: limits and pause target are out of reach.
Config turning(Mode mode, const PerGeneration& ratio) {
  Config config = small_config();
  config.mode = mode;
  config.promotion_age = 1;
  config.collection_ratio = ratio;
  config.nursery = 256_KiB;
  config.old_start = 1_GiB;
  config.heap_limit = 2_GiB;
  config.max_pause_us = 60'000'000;
  config.verify = false;
  return config;
}

std::uint64_t by(const Statistics& statistics, CollectionTrigger trigger) {
  return statistics.collections_by_trigger[static_cast<std::size_t>(trigger)];
}

class Turning : public RuntimeTest {
 protected:
  explicit Turning(const Config& config = turning(Mode::kAutomatic, {1, 10, 50}))
      : RuntimeTest(config), table_(make_array<Node>(*mutator, kKept)) {}

  /// Makes garbage, and replaces so much of what is kept that most of it gets old and dies there.
  Statistics churn(std::uint64_t collections) {
    while (runtime.statistics().collections < collections) {
      for (int k = 0; k < 100; ++k) {
        const Local<Node> node = make<Node>(*mutator);
        if (random_() % made_for_one_kept == 0) {
          (*table_)[static_cast<std::uint32_t>(random_() % kKept)] = node;
        }
      }
    }
    return runtime.statistics();
  }

  static constexpr std::uint32_t kKept = 1000;
  std::uint32_t made_for_one_kept = 64;
  Local<RefArray<Node>> table_;
  std::mt19937_64 random_{1};
};

TEST_F(Turning, BringsFiftyAndTenOfFiveHundred) {
  const Statistics statistics = churn(500);

  ASSERT_EQ(statistics.collections, 500u);
  EXPECT_EQ(statistics.collections_by_generation[0], 450u);
  EXPECT_EQ(statistics.collections_by_generation[1], 40u);
  EXPECT_EQ(statistics.collections_by_generation[2], 10u);
  EXPECT_EQ(statistics.full_collections, 10u);
  EXPECT_EQ(by(statistics, CollectionTrigger::kPeriodic), 50u);
  EXPECT_EQ(by(statistics, CollectionTrigger::kAllocationPressure), 450u);
  EXPECT_EQ(statistics.cycles.begun, 0u);
}

TEST_F(Turning, CollectsNoOldestGenerationThatDoesNotGrow) {
  churn(100);
  collect_full();
  const std::uint64_t full = runtime.statistics().full_collections;

  while (runtime.statistics().collections < 400) {
    for (int k = 0; k < 100; ++k) {
      (void)make<Node>(*mutator);  // nothing is kept, so that nothing is promoted
    }
  }

  EXPECT_EQ(runtime.statistics().full_collections, full);
}

class TurningNever : public Turning {
 protected:
  TurningNever() : Turning(turning(Mode::kAutomatic, 0)) {}
};

TEST_F(TurningNever, CollectsNothingByTurn) {
  const Statistics statistics = churn(200);

  EXPECT_EQ(by(statistics, CollectionTrigger::kPeriodic), 0u);
  EXPECT_EQ(statistics.full_collections, 0u);
}

class TurningBeside : public Turning, public ::testing::WithParamInterface<Mode> {
 protected:
  TurningBeside() : Turning(turning(GetParam(), {1, 10, 50})) {}
};

TEST_P(TurningBeside, BeginsACycleInsteadOfAStop) {
  const Statistics statistics = churn(500);

  EXPECT_GE(statistics.cycles.ended, 1u);
  EXPECT_LE(statistics.cycles.begun, 10u);
  EXPECT_EQ(statistics.full_collections, statistics.cycles.ended) << "none of them in one stop";
  EXPECT_GE(by(statistics, CollectionTrigger::kPeriodic), 50u);
}

// Why not the thread's: how many of its cycles end in time depends on the machine.
TEST_P(TurningBeside, BeginsOneForEachTurn) {
  if (GetParam() == Mode::kConcurrent) {
    return;
  }
  const Statistics statistics = churn(549);

  EXPECT_EQ(statistics.cycles.begun, 10u);
  EXPECT_EQ(statistics.cycles.ended, 10u);
}

// What a cycle leaves is known only once its cells are settled; the limit must not follow the rest.
class LimitedBeside : public Turning, public ::testing::WithParamInterface<Mode> {
 protected:
  LimitedBeside() : Turning(limited(GetParam())) { made_for_one_kept = 2; }
  static Config limited(Mode mode) {
    Config config = turning(mode, 0);
    config.generations = 2;
    config.old_start = 1_MiB;
    return config;
  }
};

TEST_P(LimitedBeside, KeepsTheOldestGenerationNearWhatLives) {
  Bytes most;
  constexpr std::uint64_t kEnough = 20'000;  // ten times what it takes, so that a fault ends too
  while (runtime.statistics().cycles.ended < 8 && runtime.statistics().collections < kEnough) {
    churn(runtime.statistics().collections + 1);
    most = std::max(most, runtime.statistics().bytes_by_generation[1]);
    ASSERT_LT(most, 4_MiB) << "after " << runtime.statistics().cycles.ended << " cycles";
  }
  EXPECT_EQ(runtime.statistics().cycles.ended, 8u);
}

INSTANTIATE_TEST_SUITE_P(Modes, LimitedBeside,
                         ::testing::Values(Mode::kIncremental, Mode::kConcurrent));

INSTANTIATE_TEST_SUITE_P(Modes, TurningBeside,
                         ::testing::Values(Mode::kIncremental, Mode::kConcurrent));

// A heap that hardly grows gets less room than one that has just been filled.
class Room : public RuntimeTest {
 protected:
  static Config config() {
    Config config = small_config();
    config.old_start = 1_MiB;
    config.verify = false;
    return config;
  }
  Room() : RuntimeTest(config()), kept(*mutator) {}
  void grow(Bytes size) {
    constexpr std::uint64_t kNodeBytes = 24;
    for (std::uint64_t k = size.count() / kNodeBytes; k-- > 0;) {
      const Local<Node> node = make_node(0);
      node->left = kept;
      kept = node;
    }
    collect_full();
  }
  [[nodiscard]] double room() {
    const Statistics statistics = runtime.statistics();
    const Bytes live = statistics.bytes_by_generation[config().generations - 1];
    return static_cast<double>((statistics.old_limit - live).count()) /
           static_cast<double>(live.count());
  }

  Local<Node> kept;
};

TEST_F(Room, ShrinksWhereTheHeapHardlyGrows) {
  EXPECT_EQ(runtime.statistics().old_limit, 1_MiB);
  grow(3_MiB);
  const double filled = room();

  for (int k = 0; k < 5; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    grow(192_KiB);
  }

  EXPECT_LT(room(), 0.8 * filled);
  EXPECT_GE(room(), 0.24);
}

}  // namespace
}  // namespace tenure::testing
