#include "core/pressure/payload_trigger.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

TEST(PayloadTrigger, LetsThePoolGrowWhileNothingIsOwned) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(0_B, 1_GiB), PayloadAdvice::kGrow);
}

TEST(PayloadTrigger, DoesNotLookForLessThanAMebibyte) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(1_MiB - 1_B, 1_MiB), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.advise(1_MiB, 1_MiB), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, CollectsYoungOnceEnoughOfWhatIsLeasedCouldBeDead) {
  const PayloadTrigger trigger;

  EXPECT_EQ(trigger.advise(62_MiB, 1_GiB), PayloadAdvice::kGrow);
  EXPECT_EQ(trigger.advise(64_MiB, 1_GiB), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, GoesOnToAFullCollectionWhenTheYoungOneWasNotEnough) {
  PayloadTrigger trigger;
  trigger.learn_young(128_MiB, 0_B);

  EXPECT_EQ(trigger.advise(128_MiB, 1_GiB), PayloadAdvice::kCollectFull);

  trigger.learn_full(128_MiB, 100_MiB);
  EXPECT_EQ(trigger.advise(128_MiB, 1_GiB), PayloadAdvice::kGrow);
}

TEST(PayloadTrigger, ComesLessOftenOnceTheyNoLongerPay) {
  PayloadTrigger trigger;
  trigger.learn_young(100_MiB, 90_MiB);
  ASSERT_EQ(trigger.advise(132_MiB, 1_GiB), PayloadAdvice::kCollectYoung);

  trigger.learn_young(132_MiB, 0_B);

  EXPECT_NE(trigger.advise(180_MiB, 1_GiB), PayloadAdvice::kCollectYoung);
  EXPECT_EQ(trigger.advise(196_MiB, 1_GiB), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, ComesOftenerWhileTheyPay) {
  PayloadTrigger trigger;
  trigger.learn_young(100_MiB, 90_MiB);
  trigger.learn_young(200_MiB, 90_MiB);

  EXPECT_EQ(trigger.advise(232_MiB, 1_GiB), PayloadAdvice::kCollectYoung);
}

TEST(PayloadTrigger, CountsWhatWasReleasedByItselfAsGone) {
  PayloadTrigger trigger;
  trigger.learn_full(500_MiB, 0_B);

  // 400 MiB of older ones were released since: the sum is below what it was.
  EXPECT_EQ(trigger.advise(100_MiB, 200_MiB), PayloadAdvice::kGrow);
}

}  // namespace
}  // namespace tenure
