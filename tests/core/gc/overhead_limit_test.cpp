#include "core/gc/overhead_limit.hpp"

#include <gtest/gtest.h>

namespace tenure::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class OverheadLimitTest : public ::testing::Test {
 protected:
  // A second after the one before, `stopped` of it in stops.
  void collect(double stopped, Bytes freed) {
    now_ns_ += kSecond;
    stopped_ns_ += static_cast<std::uint64_t>(stopped * static_cast<double>(kSecond));
    limit.note({.ended_ns = now_ns_, .stopped_ns = stopped_ns_, .freed = freed});
  }

  OverheadLimit limit{100_MiB};

 private:
  std::uint64_t now_ns_ = 0;
  std::uint64_t stopped_ns_ = 0;
};

TEST_F(OverheadLimitTest, IsPassedByTheFifthVainCollectionInARow) {
  for (int k = 0; k < 4; ++k) {
    collect(0.99, 1_MiB);
    EXPECT_FALSE(limit.is_passed()) << k;
  }
  collect(0.99, 1_MiB);
  EXPECT_TRUE(limit.is_passed());
}

TEST_F(OverheadLimitTest, BeginsAnewWhereACollectionFreedAFiftieth) {
  for (int k = 0; k < 4; ++k) {
    collect(0.99, 1_MiB);
  }
  collect(0.99, 2_MiB);
  for (int k = 0; k < 4; ++k) {
    collect(0.99, 2_MiB - Bytes{1});
  }
  EXPECT_FALSE(limit.is_passed());
  collect(0.99, {});
  EXPECT_TRUE(limit.is_passed());
}

TEST_F(OverheadLimitTest, BeginsAnewWhereTheProgramRan) {
  for (int k = 0; k < 4; ++k) {
    collect(0.99, {});
  }
  collect(0.98, {});
  EXPECT_FALSE(limit.is_passed());
  for (int k = 0; k < 5; ++k) {
    collect(0.981, {});
  }
  EXPECT_TRUE(limit.is_passed());
  collect(0.5, {});
  EXPECT_FALSE(limit.is_passed());
}

TEST_F(OverheadLimitTest, SaysWhatTheCollectionsInARowTookAndFreed) {
  collect(0.1, 50_MiB);
  for (std::uint64_t k = 1; k <= 6; ++k) {
    collect(0.99, Bytes{k});
  }
  EXPECT_EQ(limit.describe(),
            "the last 6 full collections took 99.0 % of 6 s and freed at most 6 B each");
}

}  // namespace
}  // namespace tenure::testing
