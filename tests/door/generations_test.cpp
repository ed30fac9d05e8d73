// What is kept goes through every generation in order, and stays in each for the age asked for.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr std::int64_t kKept = 100;
constexpr std::uint64_t kNodeBytes = 24;

// Every generation's differs from that of its neighbours, and one is the highest there is.
std::vector<std::uint32_t> ages_for(std::uint32_t generations) {
  const std::vector<std::uint32_t> all{2, 1, 3, 15, 1, 4, 2};
  return {all.begin(), all.begin() + generations - 1};
}

// The heap is verified after each collection, and nothing is collected that a test did not ask for.
Config config_with(std::uint32_t generations, const PerGeneration& ages) {
  Config config = small_config();
  config.generations = generations;
  config.promotion_age = ages;
  return config;
}

class Generations : public RuntimeTest, public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  Generations() : Generations(PerGeneration(ages_for(GetParam()))) {}
  explicit Generations(const PerGeneration& ages) : RuntimeTest(config_with(GetParam(), ages)) {}

  [[nodiscard]] std::uint32_t oldest() const { return GetParam() - 1; }
  CollectionReport collect_up_to(std::uint32_t last) {
    return value_or_throw(runtime.collect_up_to(last));
  }

  /// Every object is in `generation`, and of `age` where that is a young one.
  void expect_all_at(std::uint32_t generation, std::uint32_t age) {
    const Census census = take_census(runtime);
    const std::string at =
        "generation " + std::to_string(generation) + ", age " + std::to_string(age);
    for (std::uint32_t k = 0; k < census.by_generation.size(); ++k) {
      EXPECT_EQ(census.by_generation[k].objects, k == generation ? kKept : 0)
          << k << ", not " << at;
    }
    for (std::uint32_t k = 0; k < census.by_age.size(); ++k) {
      const bool is_there = generation < oldest() && k == age;
      EXPECT_EQ(census.by_age[k].objects, is_there ? kKept : 0) << k << ", not " << at;
      EXPECT_EQ(census.by_age[k].bytes, Bytes{is_there ? kKept * kNodeBytes : 0}) << at;
    }
  }
  /// Takes what is kept up to the oldest generation, by the ages of `ages`.
  void walk(const std::vector<std::uint32_t>& ages) {
    const Local<Node> kept = make_list(kKept);
    for (std::uint32_t generation = 0; generation < oldest(); ++generation) {
      for (std::uint32_t age = 0; age < ages[generation]; ++age) {
        expect_all_at(generation, age);
        collect_up_to(generation);
        ASSERT_EQ(length_of(kept.get()), kKept);
      }
    }
    expect_all_at(oldest(), 0);
    collect_up_to(oldest());
    expect_all_at(oldest(), 0);
    EXPECT_EQ(length_of(kept.get()), kKept);
  }
};

TEST_P(Generations, AreWalkedThroughInOrderAtTheAgesAskedFor) { walk(ages_for(GetParam())); }

TEST_P(Generations, AgeAnObjectOnlyWhereTheyAreCollected) {
  if (oldest() < 2) {
    return;  // there is no young generation but the youngest
  }
  const Local<Node> kept = make_list(kKept);
  for (std::uint32_t age = 0; age < ages_for(GetParam())[0]; ++age) {
    collect_up_to(0);
  }
  expect_all_at(1, 0);

  for (int k = 0; k < 20; ++k) {
    collect_up_to(0);
  }

  expect_all_at(1, 0);
  EXPECT_EQ(length_of(kept.get()), kKept);
}

TEST_P(Generations, AreEmptyBelowTheOldestAfterAFullCollection) {
  const Local<Node> kept = make_list(kKept);

  collect_full();

  expect_all_at(oldest(), 0);
}

class GenerationsByDefault : public Generations {
 protected:
  GenerationsByDefault() : Generations(PerGeneration{}) {}
};

TEST_P(GenerationsByDefault, KeepThreeSurvivalsInTheFirstTwoAndTwoInTheOthers) {
  walk({3, 3, 2, 2, 2, 2, 2});
}

class GenerationsOfOneAge : public Generations {
 protected:
  GenerationsOfOneAge() : Generations(PerGeneration(4)) {}
};

TEST_P(GenerationsOfOneAge, KeepTheAgeInAllOfThem) { walk({4, 4, 4, 4, 4, 4, 4}); }

INSTANTIATE_TEST_SUITE_P(All, Generations, ::testing::Range(1u, 9u));
INSTANTIATE_TEST_SUITE_P(All, GenerationsByDefault, ::testing::Range(1u, 9u));
INSTANTIATE_TEST_SUITE_P(All, GenerationsOfOneAge, ::testing::Range(1u, 9u));

TEST_F(RuntimeTest, CensusTellsAgesApart) {
  const Local<Node> older = make_list(10);
  collect_young();
  const Local<Node> young = make_list(7);
  collect_young();
  const Local<Node> youngest = make_list(3);

  const Census census = take_census(runtime);

  EXPECT_EQ(census.by_age[0].objects, 3u);
  EXPECT_EQ(census.by_age[1].objects, 7u);
  EXPECT_EQ(census.by_age[2].objects, 10u);
  EXPECT_EQ(census.by_generation[0].objects, 20u);
}

// Ages that nobody set: what all survives goes up at once after a while, what dies does not.
class LearntAges : public RuntimeTest {
 protected:
  static Config config() {
    Config config = small_config();
    config.mode = Mode::kAutomatic;
    config.promotion_age = {};
    return config;
  }
  LearntAges() : RuntimeTest(config()) {}
  [[nodiscard]] std::uint32_t age_of_the_youngest() {
    return runtime.statistics().promotion_age[0];
  }
};

TEST_F(LearntAges, BeginWithTheMost) { EXPECT_EQ(age_of_the_youngest(), 3u); }

TEST_F(LearntAges, AreOneWhereWhatSurvivesStays) {
  Local<Node> kept(*mutator);
  for (int k = 0; k < 16; ++k) {
    for (int node = 0; node < 50; ++node) {
      const Local<Node> more = make_node(node);
      more->left = kept;
      kept = more;
    }
    (void)value_or_throw(runtime.collect_up_to(0));
  }

  EXPECT_EQ(age_of_the_youngest(), 1u);
}

TEST_F(LearntAges, StayWhereWhatSurvivesDiesYoung) {
  Local<Node> last(*mutator);
  Local<Node> last_but_one(*mutator);
  for (int k = 0; k < 60; ++k) {
    last_but_one = last;  // what was there before has survived two collections, and dies
    last = make_list(50);
    (void)value_or_throw(runtime.collect_up_to(0));
  }

  EXPECT_EQ(age_of_the_youngest(), 3u);
}

TEST_F(LearntAges, AreNotLearntWhereTheyWereSet) {
  Config set = config();
  set.promotion_age = 3;
  Runtime other = value_or_throw(Runtime::open(set));
  const Mutator own(other);
  for (int k = 0; k < 40; ++k) {
    (void)value_or_throw(other.collect_up_to(0));
  }

  EXPECT_EQ(other.statistics().promotion_age[0], 3u);
}

}  // namespace
}  // namespace tenure::testing
