#include "core/gc/marker_choice.hpp"

#include <gtest/gtest.h>

namespace tenure::testing {
namespace {

constexpr std::uint64_t kMany = 1'000'000;

class MarkingChoiceTest : public ::testing::Test {
 protected:
  // A marking of `kMany` objects that took so many milliseconds.
  void took(MarkingSide side, std::uint64_t ms) { choice.learn(side, kMany, ms * 1'000'000); }
  MarkingSide next() { return choice.choose(kMany); }

  MarkingChoice choice;
};

TEST_F(MarkingChoiceTest, BeginsWithTheHost) { EXPECT_EQ(next(), MarkingSide::kHost); }

TEST_F(MarkingChoiceTest, TriesTheDeviceOnceTheHostIsKnown) {
  took(MarkingSide::kHost, 50);

  EXPECT_EQ(next(), MarkingSide::kDevice);
}

TEST_F(MarkingChoiceTest, LeavesFewObjectsToTheHost) {
  took(MarkingSide::kHost, 50);
  took(MarkingSide::kDevice, 1);

  EXPECT_EQ(choice.choose(MarkingChoice::kFewObjects - 1), MarkingSide::kHost);
}

TEST_F(MarkingChoiceTest, ChangesSidesWhereTheOtherWasBetterTwice) {
  took(MarkingSide::kHost, 50);
  took(MarkingSide::kDevice, 10);

  EXPECT_EQ(next(), MarkingSide::kHost);
  EXPECT_EQ(next(), MarkingSide::kDevice);
}

TEST_F(MarkingChoiceTest, StaysWhereTheOtherIsALittleBetter) {
  took(MarkingSide::kHost, 50);
  took(MarkingSide::kDevice, 42);

  for (int k = 0; k < 5; ++k) {
    EXPECT_EQ(next(), MarkingSide::kHost);
  }
}

TEST_F(MarkingChoiceTest, GoesBackWhenTheDeviceBecomesSlow) {
  took(MarkingSide::kHost, 50);
  took(MarkingSide::kDevice, 10);
  (void)next();
  (void)next();
  for (int k = 0; k < 5; ++k) {
    took(MarkingSide::kDevice, 500);
  }

  EXPECT_EQ(next(), MarkingSide::kDevice);
  EXPECT_EQ(next(), MarkingSide::kHost);
}

TEST_F(MarkingChoiceTest, AsksADeviceThatFailsEverMoreSeldom) {
  took(MarkingSide::kHost, 50);
  std::uint32_t asked = 0;
  for (int k = 0; k < 100; ++k) {
    if (next() == MarkingSide::kDevice) {
      ++asked;
      choice.note_failure();
    }
  }

  EXPECT_GT(asked, 3u);
  EXPECT_LT(asked, 8u);
}

}  // namespace
}  // namespace tenure::testing
