#include "core/pressure/payload_trigger.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr std::uint64_t kNow = 0;
constexpr std::uint64_t kMillisecond = 1'000'000;

TEST(PayloadTrigger, LetsThePoolGrowWhileNothingIsOwned) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(0_B, 1_GiB, kNow), PayloadAdvice::kGrow);
}

TEST(PayloadTrigger, DoesNotLookForLessThanAMebibyte) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(1_MiB - 1_B, 1_MiB, kNow), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.advise(1_MiB, 1_MiB, kNow), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, CollectsYoungOnceEnoughOfWhatIsLeasedCouldBeDead) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(62_MiB, 1_GiB, kNow), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.advise(64_MiB, 1_GiB, kNow), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, GoesOnToAFullCollectionWhenTheYoungOneWasNotEnough) {
  PayloadTrigger trigger;
  trigger.learn_young({.owned = 128_MiB, .retired = 0_B});

  EXPECT_EQ(trigger.advise(128_MiB, 1_GiB, kNow), PayloadAdvice::kCollectFull);

  trigger.learn_full({.owned = 128_MiB, .retired = 100_MiB});
  EXPECT_EQ(trigger.advise(128_MiB, 1_GiB, kNow), PayloadAdvice::kGrow);
}

TEST(PayloadTrigger, ComesLessOftenOnceTheyNoLongerPay) {
  PayloadTrigger trigger;
  trigger.learn_young({.owned = 100_MiB, .retired = 90_MiB});
  ASSERT_EQ(trigger.advise(132_MiB, 1_GiB, kNow), PayloadAdvice::kCollectYoung);

  trigger.learn_young({.owned = 132_MiB, .retired = 0_B});

  EXPECT_NE(trigger.advise(180_MiB, 1_GiB, kNow), PayloadAdvice::kCollectYoung);
  EXPECT_EQ(trigger.advise(196_MiB, 1_GiB, kNow), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, ComesOftenerWhileTheyPay) {
  PayloadTrigger trigger;
  trigger.learn_young({.owned = 100_MiB, .retired = 90_MiB});
  trigger.learn_young({.owned = 200_MiB, .retired = 90_MiB});

  EXPECT_EQ(trigger.advise(232_MiB, 1_GiB, kNow), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, CountsWhatWasReleasedByItselfAsGone) {
  PayloadTrigger trigger;
  trigger.learn_full({.owned = 500_MiB, .retired = 0_B});

  // 400 MiB of older ones were released since: the sum is below what it was.
  EXPECT_EQ(trigger.advise(100_MiB, 200_MiB, kNow), PayloadAdvice::kGrow);
}

TEST(PayloadTrigger, GivesTheProgramNineteenTimesWhatALongCollectionTook) {
  PayloadTrigger trigger;
  trigger.learn_full({.owned = 1_GiB,
                      .retired = 1_GiB,
                      .took_ns = 10 * kMillisecond,
                      .ended_ns = 100 * kMillisecond});
  trigger.learn_young({.owned = 1_GiB,
                       .retired = 1_GiB,
                       .took_ns = 10 * kMillisecond,
                       .ended_ns = 100 * kMillisecond});

  EXPECT_EQ(trigger.advise(2_GiB, 1_GiB, 289 * kMillisecond), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.advise(2_GiB, 1_GiB, 290 * kMillisecond), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, DoesNotCountTheTimeOfShortOnes) {
  PayloadTrigger trigger;
  trigger.learn_young({.owned = 1_GiB,
                       .retired = 1_GiB,
                       .took_ns = kMillisecond / 2,
                       .ended_ns = 100 * kMillisecond});

  EXPECT_EQ(trigger.advise(2_GiB, 1_GiB, 100 * kMillisecond), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, CountsAnewAfterAFullCollectionThatWasNotItsOwn) {
  PayloadTrigger trigger;
  EXPECT_EQ(trigger.advise(100_MiB, 100_MiB, kNow), PayloadAdvice::kCollectYoung);
  EXPECT_EQ(trigger.owned_since_full(100_MiB), 100_MiB);

  trigger.settle_full(100_MiB);

  EXPECT_EQ(trigger.advise(100_MiB, 100_MiB, kNow), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.owned_since_full(101_MiB), 1_MiB);
}

}  // namespace
}  // namespace tenure
