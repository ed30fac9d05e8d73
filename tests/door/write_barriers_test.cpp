// Barriers turned off: nobody notes a store, and nothing is lost.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tenure/write_barrier.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config without(Mode mode = Mode::kAutomatic) {
  Config config = small_config();
  config.write_barriers = false;
  config.mode = mode;
  return config;
}

class WithoutBarriers : public RuntimeTest {
 protected:
  explicit WithoutBarriers(const Config& config = without()) : RuntimeTest(config) {}
};

TEST_F(WithoutBarriers, WhatOldObjectsAloneHoldSurvivesYoungCollections) {
  const Local<Node> old = make_node(1);
  collect_full();
  old->left = make_list(50);

  for (int k = 0; k < 100; ++k) {
    collect_young();
  }

  EXPECT_EQ(length_of(old->left.get()), 50);
}

TEST_F(WithoutBarriers, WhatAMiddleGenerationAloneHoldsSurvivesToo) {
  const Local<Node> middle = make_node(1);
  while (objects_in(1) == 0) {
    collect_young();
  }
  middle->left = make_list(50);

  collect_young();

  EXPECT_EQ(length_of(middle->left.get()), 50);
}

// The price: each young collection looks at all that is older.
TEST_F(WithoutBarriers, YoungCollectionsLookAtMoreTheMoreIsOld) {
  const auto cards = [&] {
    const std::uint64_t before = runtime.statistics().cards_scanned;
    collect_young();
    return runtime.statistics().cards_scanned - before;
  };
  const Local<Node> small = make_list(100);
  collect_full();
  const std::uint64_t few = cards();
  const Local<Node> large = make_list(200'000);
  collect_full();

  EXPECT_GT(cards(), 5 * few);
}

TEST_F(WithoutBarriers, TheyCanBeTurnedOnAndWhatWasStoredBeforeIsSeen) {
  const Local<Node> old = make_node(1);
  collect_full();
  old->left = make_list(50);

  ASSERT_TRUE(enable_write_barriers(runtime).ok());

  EXPECT_TRUE(has_write_barriers(runtime));
  collect_young();
  EXPECT_EQ(length_of(old->left.get()), 50);
  old->right = make_list(20);
  collect_young();
  EXPECT_EQ(length_of(old->right.get()), 20);
}

using WithBarriers = RuntimeTest;

TEST_F(WithBarriers, TheyCanBeTurnedOff) {
  const Local<Node> old = make_node(1);
  collect_full();
  old->right = make_list(20);

  ASSERT_TRUE(disable_write_barriers(runtime).ok());
  old->left = make_list(50);
  collect_young();

  EXPECT_FALSE(has_write_barriers(runtime));
  EXPECT_EQ(length_of(old->left.get()), 50);
  EXPECT_EQ(length_of(old->right.get()), 20);
}

// A mutator that comes later stores as all others do.
TEST_F(WithBarriers, StayOffForWhoComesLater) {
  const Local<Node> old = make_node(1);
  collect_full();
  ASSERT_TRUE(disable_write_barriers(runtime).ok());
  ASSERT_TRUE(enable_write_barriers(runtime).ok());
  ASSERT_TRUE(disable_write_barriers(runtime).ok());
  collect_young();
  const std::uint64_t before = runtime.statistics().cards_scanned;
  collect_young();

  EXPECT_GT(runtime.statistics().cards_scanned, before) << "it looks everywhere each time";
}

class Marking : public RuntimeTest, public ::testing::WithParamInterface<Mode> {
 protected:
  Marking()
      : RuntimeTest([] {
          Config config = small_config();
          config.mode = GetParam();
          return config;
        }()) {}
};

TEST_P(Marking, BesideMutatorsNeedsThem) {
  const Result<void> off = disable_write_barriers(runtime);

  ASSERT_FALSE(off.ok());
  EXPECT_EQ(off.failure().code, ErrorCode::kUnsupported);
  EXPECT_NE(off.failure().message.find(std::string(to_string(GetParam()))), std::string::npos);
  EXPECT_TRUE(has_write_barriers(runtime));
  EXPECT_EQ(Runtime::open(without(GetParam())).failure().code, ErrorCode::kBadConfig);
}
INSTANTIATE_TEST_SUITE_P(Beside, Marking, ::testing::Values(Mode::kIncremental, Mode::kConcurrent),
                         [](const auto& of) { return std::string(to_string(of.param)); });

// With a pause target that no marking fits, and none is spread all the same.
class WithoutSlices : public WithoutBarriers {
 protected:
  WithoutSlices()
      : WithoutBarriers([] {
          Config config = without(Mode::kAdaptive);
          config.max_pause_us = 10;
          return config;
        }()) {}
};
TEST_F(WithoutSlices, MarkingsAreDoneInOneStop) {
  const Local<Node> kept = make_list(200'000);
  for (int round = 0; round < 20; ++round) {
    (void)make_list(20'000);
  }

  EXPECT_EQ(runtime.statistics().cycles.begun, 0u);
  EXPECT_GT(runtime.statistics().full_collections, 0u);
  EXPECT_EQ(length_of(kept.get()), 200'000);
}

// A cycle that is under way when they go is ended first: nobody would tell it of stores.
class Sliced : public RuntimeTest {
 protected:
  Sliced()
      : RuntimeTest([] {
          Config config = small_config();
          config.max_pause_us = 100;
          config.heap_limit = 256_MiB;
          return config;
        }()) {}
};
TEST_F(Sliced, ACycleUnderWayEndsBeforeTheyDo) {
  const Local<Node> kept = make_list(400'000);
  Local<Node> grown(*mutator);
  const auto is_under_way = [&] {
    const CycleStatistics cycles = runtime.statistics().cycles;
    return cycles.begun > cycles.ended + cycles.abandoned;
  };
  for (int round = 0; round < 20'000 && !is_under_way(); ++round) {
    for (int k = 0; k < 100; ++k) {
      const Local<Node> node = make_node(0);
      node->right = grown;
      grown = node;
    }
  }
  ASSERT_TRUE(is_under_way());

  ASSERT_TRUE(disable_write_barriers(runtime).ok());

  EXPECT_FALSE(is_under_way());
  EXPECT_EQ(length_of(kept.get()), 400'000);
}

// Random stores between objects of all ages that nothing else holds, with the barriers turned at random.
TEST(TurningBarriers, LosesNothingInRandomGraphs) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Config config = small_config();
    config.generations = 2 + static_cast<std::uint32_t>(seed % 4);
    Runtime runtime = value_or_throw(Runtime::open(config));
    Mutator mutator(runtime);
    std::mt19937_64 random(seed);
    constexpr std::size_t kLists = 64;
    std::vector<Local<Node>> heads;
    std::vector<std::int64_t> lengths(kLists, 0);
    for (std::size_t k = 0; k < kLists; ++k) {
      heads.push_back(make<Node>(mutator));
    }
    for (int step = 0; step < 4'000; ++step) {
      const std::size_t k = random() % kLists;
      // The newest of a list hangs behind its oldest object alone.
      const Local<Node> node = make<Node>(mutator);
      node->value = lengths[k]++;
      node->left = heads[k]->left;
      heads[k]->left = node;
      if (random() % 40 == 0) {
        value_or_throw(
            runtime.collect_up_to(static_cast<std::uint32_t>(random() % config.generations)));
      }
      if (random() % 200 == 0) {
        ASSERT_TRUE((has_write_barriers(runtime) ? disable_write_barriers(runtime)
                                                 : enable_write_barriers(runtime))
                        .ok());
      }
    }
    for (std::size_t k = 0; k < kLists; ++k) {
      std::int64_t left = lengths[k];
      for (const Node* node = heads[k]->left.get(); node != nullptr; node = node->left.get()) {
        ASSERT_EQ(node->value, --left);
      }
      ASSERT_EQ(left, 0);
    }
  }
}

}  // namespace
}  // namespace tenure::testing
