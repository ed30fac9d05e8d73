// When a collection comes by itself, and what it says why: sizes and limits as they were configured.
#include <gtest/gtest.h>

#include <cstdint>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr std::uint64_t kNodeBytes = 24;

// Nothing comes by turn or for the pause's sake.
Config plain(Bytes nursery, Bytes old_start) {
  Config config = small_config();
  config.mode = Mode::kAutomatic;
  config.promotion_age = 1;
  config.collection_ratio = 0;
  config.nursery = nursery;
  config.old_start = old_start;
  config.heap_limit = 256_MiB;
  config.max_pause_us = 60'000'000;
  config.verify = false;
  return config;
}

class Triggers : public RuntimeTest {
 protected:
  explicit Triggers(const Config& config) : RuntimeTest(config) {}
  std::uint64_t by(CollectionTrigger trigger) {
    return runtime.statistics().collections_by_trigger[static_cast<std::size_t>(trigger)];
  }
};

class FullNursery : public Triggers {
 protected:
  FullNursery() : Triggers(plain(4_MiB, 64_MiB)) {}
};

TEST_F(FullNursery, ComesAgainAndAgainAfterSoManyBytes) {
  constexpr std::uint64_t kBuffer = 64 * 1024;  // what one mutator may have taken, and not used
  constexpr std::uint64_t kNursery = 4u << 20;
  std::uint64_t made = 0;
  for (std::uint64_t collection = 1; collection <= 20; ++collection) {
    while (runtime.statistics().collections < collection) {
      for (int k = 0; k < 20; ++k, made += kNodeBytes) {
        (void)make<Node>(*mutator);
      }
    }
    ASSERT_LE(made, collection * kNursery + kBuffer) << "collection " << collection;
    ASSERT_GE(made + collection * kBuffer, collection * kNursery) << "collection " << collection;
  }
  EXPECT_EQ(by(CollectionTrigger::kAllocationPressure), 20u);
}

class SmallNursery : public Triggers {
 protected:
  SmallNursery() : Triggers(plain(256_KiB, 32_MiB)) {}
};

TEST_F(SmallNursery, PromotesToTheLimitAndTwoPercentAtTheMost) {
  constexpr double kLimit = 32.0 * (1u << 20);
  Local<Node> kept(*mutator);
  double before = 0;
  while (runtime.statistics().full_collections == 0) {
    before = static_cast<double>(runtime.statistics().bytes_by_generation[2].count());
    for (int k = 0; k < 50; ++k) {
      const Local<Node> node = make<Node>(*mutator);
      node->left = kept;
      kept = node;
      for (int garbage = 0; garbage < 4; ++garbage) {
        (void)make<Node>(*mutator);
      }
    }
  }

  EXPECT_NEAR(before, kLimit, 0.02 * kLimit);
  EXPECT_GE(by(CollectionTrigger::kPromotionThreshold), 1u);
}

class DistantLimit : public Triggers {
 protected:
  DistantLimit() : Triggers(plain(1_MiB, 200_MiB)) {}
};

TEST_F(DistantLimit, LeavesItToALargeRequestThatFindsNoRoom) {
  const auto of_the_limit = [&](double share) {
    return static_cast<std::uint64_t>(share * 256 * (1u << 20)) / sizeof(Ref<Node>);
  };
  { const Local<RefArray<Node>> first = make_array<Node>(*mutator, of_the_limit(0.6)); }
  EXPECT_EQ(by(CollectionTrigger::kLargeObject), 0u);

  const Local<RefArray<Node>> second = make_array<Node>(*mutator, of_the_limit(0.6));

  EXPECT_EQ(second->size(), of_the_limit(0.6));
  EXPECT_GE(by(CollectionTrigger::kLargeObject), 1u);
}

}  // namespace
}  // namespace tenure::testing
