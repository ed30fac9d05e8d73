// Ages follow deaths: an age is kept while enough die on its last step, and not else.
#include "core/gc/ageing.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tenure {
namespace {

constexpr std::uint64_t kComing = 10'000;  // granules that survive the nursery, each collection

// A generation whose objects die by `shares`: of those that have survived k times, shares[k] do not
// survive once more; of older ones none dies.
class Generation {
 public:
  Generation(std::uint32_t number, std::vector<double> shares)
      : number_(number), shares_(std::move(shares)) {}

  void collect(Ageing& ageing) {
    const std::uint32_t limit = ageing.age(number_);
    Survivors survivors{};
    std::array<std::uint64_t, kAgeLimit + 1> left{};
    for (std::uint32_t age = 0; age <= kAgeLimit; ++age) {
      const double dies = age > 0 && age <= shares_.size() ? shares_[age - 1] : 0.0;
      const double lives = age == 0 ? kComing : static_cast<double>(present_[age]) * (1.0 - dies);
      survivors[number_][age] = static_cast<std::uint64_t>(lives);
      if (age + 1 < limit) {
        left[age + 1] = survivors[number_][age];
      }
    }
    present_ = left;
    ageing.learn(number_, survivors);
  }
  void collect(Ageing& ageing, int times) {
    while (times-- > 0) {
      collect(ageing);
    }
  }

 private:
  std::uint32_t number_;
  std::vector<double> shares_;
  std::array<std::uint64_t, kAgeLimit + 1> present_{};  // by survivals
};

TEST(Ageing, BeginsWithTheMost) {
  const Ageing ageing({3, 5}, 3);

  EXPECT_EQ(ageing.age(0), 3u);
  EXPECT_EQ(ageing.age(1), 5u);
}

TEST(Ageing, PromotesAtOnceWhereNothingDies) {
  Ageing ageing({3}, 2);
  Generation generation(0, {0.0, 0.0});

  generation.collect(ageing, 14);

  EXPECT_EQ(ageing.age(0), 1u);
}

TEST(Ageing, KeepsTheAgeWhoseLastStepPays) {
  Ageing ageing({3}, 2);
  Generation generation(0, {0.5, 0.4});

  generation.collect(ageing, 100);

  EXPECT_EQ(ageing.age(0), 3u);
}

TEST(Ageing, LeavesOutTheStepsThatDoNotPay) {
  Ageing ageing({6}, 2);
  Generation generation(0, {0.6, 0.1, 0.1, 0.1, 0.1});

  int at_two = 0;
  for (int k = 0; k < 400; ++k) {
    generation.collect(ageing);
    at_two += ageing.age(0) == 2 ? 1 : 0;
  }

  EXPECT_GT(at_two, 300) << "but for the way there, and for trying one more at times";
}

TEST(Ageing, FindsTheWayBackOnceAgeingPaysAgain) {
  Ageing ageing({3}, 2);
  Generation still(0, {0.0, 0.0});
  still.collect(ageing, 20);
  ASSERT_EQ(ageing.age(0), 1u);

  Generation dying(0, {0.7, 0.7});
  dying.collect(ageing, 300);

  EXPECT_EQ(ageing.age(0), 3u);
}

TEST(Ageing, TriesLessAndLessOftenWhatNeverPays) {
  Ageing ageing({3}, 2);
  Generation generation(0, {0.0, 0.0});
  generation.collect(ageing, 20);

  int above_one = 0;
  for (int k = 0; k < 4000; ++k) {
    generation.collect(ageing);
    above_one += ageing.age(0) > 1 ? 1 : 0;
  }

  EXPECT_GT(above_one, 0) << "it is tried";
  EXPECT_LT(above_one, 100);
}

TEST(Ageing, NeverPassesTheMost) {
  Ageing ageing({2}, 2);
  Generation generation(0, {0.9, 0.9, 0.9});

  for (int k = 0; k < 500; ++k) {
    generation.collect(ageing);
    ASSERT_LE(ageing.age(0), 2u);
    ASSERT_GE(ageing.age(0), 1u);
  }
}

TEST(Ageing, DecidesForEachGenerationAlone) {
  Ageing ageing({3, 3}, 3);
  Generation older(1, {0.0, 0.0});

  older.collect(ageing, 14);

  EXPECT_EQ(ageing.age(0), 3u) << "nothing survived there that could be measured";
  EXPECT_EQ(ageing.age(1), 1u);
}

TEST(Ageing, DecidesNothingWithoutSurvivors) {
  Ageing ageing({3}, 2);

  for (int k = 0; k < 200; ++k) {
    ageing.learn(0, Survivors{});
  }

  EXPECT_EQ(ageing.age(0), 3u);
}

}  // namespace
}  // namespace tenure
