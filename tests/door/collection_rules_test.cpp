// The four rules of optimize_collection_parameters on a real heap.
#include <gtest/gtest.h>

#include "tests/support/optimizer_fixture.hpp"

namespace tenure::testing {
namespace {

// Pauses by the clock that is made up: so many nanoseconds each.
class CollectionRulesTest : public OptimizerTest {
 protected:
  void pauses(std::uint64_t ns) {
    runtime.state().optimizer().measure([ns](const ProgramCounters& real) {
      ProgramCounters made = real;
      made.paused_ns = real.collections * ns;
      return made;
    });
  }
  void run(std::size_t live) {
    for (const std::uint64_t until = collections() + 12; collections() < until;) {
      churn(10'000, live);
    }
  }
};

TEST_F(CollectionRulesTest, GrowTheNurseryOfShortPausesUpToItsBound) {
  pauses(1'000);
  run(0);
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).nursery,
            Bytes{(512_KiB).count() * 11 / 10});
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).nursery,
            Bytes{(512_KiB).count() * 11 / 10})
      << "too few collections since";
}

TEST_F(CollectionRulesTest, ShrinkTheNurseryOfLongPausesDownToItsBound) {
  pauses(2'000'000'000);
  Bytes nursery;
  for (int k = 0; k < 6; ++k) {
    run(0);
    nursery = value_or_throw(optimize_collection_parameters(runtime)).nursery;
  }
  EXPECT_EQ(nursery, 256_KiB);
  churn(100'000, 0);
  EXPECT_EQ(runtime.state().heap().young().nursery_size(), 256_KiB);
}

TEST_F(CollectionRulesTest, LetObjectsWaitShorterWhereFewAreEverPromoted) {
  pauses(1'000'000'000);
  run(1'000);  // none of them survives twice
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).promotion_age, 2u);
  run(1'000);
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).promotion_age, 1u);
  run(1'000);
  EXPECT_LE(runtime.statistics().promotion_age[0], 1u);
}

}  // namespace
}  // namespace tenure::testing
