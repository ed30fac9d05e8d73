// Trials on a program that is made up: its clock, its collections and what it copies follow from the levers.
#include "core/tune/tuner.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tenure::testing {
namespace {

constexpr double kMiB = 1 << 20;

class TunerTest : public ::testing::Test {
 protected:
  // What survives one collection, and what a byte of allocation costs the program, by the levers.
  struct Program {
    std::function<double(double nursery, double large, bool batch)> survivors;
    std::function<double(double nursery, double large, bool batch)> ns_per_byte =
        [](double, double, bool) { return 1.0; };
  };

  /// The program allocates a nursery and is collected, so many times.
  void run(const Program& program, int collections) {
    std::normal_distribution<double> noise(1, 0.02);
    for (int k = 0; k < collections; ++k) {
      const double nursery = values[Lever::kNursery];
      const double large = values[Lever::kLargeObject];
      const bool batch = values[Lever::kBatchCollection] != 0;
      const double survivors = program.survivors(nursery, large, batch);
      const double own = nursery * program.ns_per_byte(nursery, large, batch) * noise(random_);
      const double pause = (50'000 + 1.5 * survivors) * noise(random_);
      counters.now_ns += static_cast<std::uint64_t>(own + pause);
      counters.processor_ns += static_cast<std::uint64_t>(own + pause);
      counters.paused_ns += static_cast<std::uint64_t>(pause);
      counters.bytes_allocated += static_cast<std::uint64_t>(nursery);
      counters.bytes_copied += static_cast<std::uint64_t>(survivors);
      ++counters.collections;
      tuner.note(counters);
    }
  }

  void propose(std::string_view strategy, double value) {
    ASSERT_TRUE(tuner.propose({.strategy = find_strategy(strategy),
                               .value = value,
                               .predicted = 0.5,
                               .reasoning = "made up"}));
  }

  OptimizationTrial last() const { return tuner.trials().back(); }

  std::map<Lever, double> values{
      {Lever::kNursery, 4 * kMiB}, {Lever::kLargeObject, 32768}, {Lever::kBatchCollection, 0}};
  std::vector<std::string> told;
  std::map<Lever, int> sets;
  ProgramCounters counters;
  Tuner tuner{{.get = [this](Lever lever) { return values[lever]; },
               .set =
                   [this](Lever lever, double value) {
                     values[lever] = value;
                     ++sets[lever];
                   },
               .tell =
                   [this](Lever, const OptimizationTrial& trial) {
                     told.push_back(std::string(to_string(trial.state)));
                   }}};

 private:
  std::mt19937 random_{1};
};

// So much is alive at any moment, whatever the nursery is.
const auto kFixedSurvivors = [](double, double, bool) { return 2 * kMiB; };
// Whatever is allocated lives.
const auto kAllSurvives = [](double nursery, double, bool) { return 0.9 * nursery; };

TEST_F(TunerTest, KeepsALargerNurseryWhereTheSameSurvivesOfIt) {
  propose("Generation Tuning", 8 * kMiB);
  run({kFixedSurvivors}, 600);

  EXPECT_EQ(last().state, TrialState::kKept) << last().conclusion;
  EXPECT_EQ(values[Lever::kNursery], 8 * kMiB);
  EXPECT_GT(last().gain, 0.2);
  EXPECT_LT(last().with, last().without);
  EXPECT_GE(last().pairs, Experiment::kLeastPairs);
  EXPECT_EQ(told, (std::vector<std::string>{"running", "kept"}));
}

TEST_F(TunerTest, TakesALargerNurseryBackWhereAllOfItSurvives) {
  propose("Generation Tuning", 8 * kMiB);
  run({kAllSurvives}, 1000);

  EXPECT_EQ(last().state, TrialState::kTakenBack) << last().conclusion;
  EXPECT_EQ(values[Lever::kNursery], 4 * kMiB);
}

TEST_F(TunerTest, TakesANurseryBackThatSlowsTheProgram) {
  propose("Generation Tuning", 8 * kMiB);
  run({kFixedSurvivors,
       [](double nursery, double, bool) { return nursery > 4 * kMiB ? 3.0 : 1.0; }},
      1000);

  EXPECT_EQ(last().state, TrialState::kTakenBack) << last().conclusion;
  EXPECT_EQ(values[Lever::kNursery], 4 * kMiB);
  EXPECT_NE(last().conclusion.find("slower"), std::string::npos) << last().conclusion;
}

TEST_F(TunerTest, EndsEachTrialWithinABoundedNumberOfCollections) {
  propose("Generation Tuning", 8 * kMiB);
  int collections = 0;
  for (; tuner.is_busy() && collections < 10'000; ++collections) {
    run({kAllSurvives}, 1);
  }
  // 40 stretches of 4 larger nurseries, and what settles between the pairs.
  EXPECT_LE(collections, 40 * (8 + 4));
}

TEST_F(TunerTest, LeavesWhatItMeasuredInWords) {
  propose("Batch Collection", 1);
  run({[](double, double, bool batch) { return batch ? 0.1 * kMiB : 2 * kMiB; }}, 600);

  EXPECT_EQ(last().state, TrialState::kKept);
  EXPECT_NE(
      last().conclusion.find("bytes copied for a byte allocated 0.5 without and 0.025 with it"),
      std::string::npos)
      << last().conclusion;
  EXPECT_NE(last().conclusion.find("8 pairs"), std::string::npos) << last().conclusion;

  propose("Generation Tuning", 8 * kMiB);
  const OptimizationReport report{.trials = tuner.trials()};
  EXPECT_NE(report.text().find("nursery_bytes 4194304 to 8388608: waiting"), std::string::npos)
      << report.text();
}

TEST_F(TunerTest, TriesOneChangeAtATime) {
  propose("Generation Tuning", 8 * kMiB);
  propose("Batch Collection", 1);
  run({kFixedSurvivors}, 10);

  EXPECT_EQ(tuner.trials()[0].state, TrialState::kRunning);
  EXPECT_EQ(tuner.trials()[1].state, TrialState::kWaiting);
  EXPECT_EQ(sets[Lever::kBatchCollection], 0);

  run({kFixedSurvivors}, 2000);
  EXPECT_EQ(tuner.trials()[0].state, TrialState::kKept);
  EXPECT_EQ(tuner.trials()[1].state, TrialState::kTakenBack);
  EXPECT_FALSE(tuner.is_busy());
}

TEST_F(TunerTest, RefusesASecondTrialOfTheSameStrategy) {
  propose("Generation Tuning", 8 * kMiB);
  EXPECT_FALSE(tuner.propose(
      {.strategy = find_strategy("Generation Tuning"), .value = 16 * kMiB, .reasoning = {}}));
}

TEST_F(TunerTest, RevertsWhatWasKeptStepByStep) {
  propose("Generation Tuning", 8 * kMiB);
  run({kFixedSurvivors}, 600);
  propose("Generation Tuning", 16 * kMiB);
  run({kFixedSurvivors}, 900);
  ASSERT_EQ(values[Lever::kNursery], 16 * kMiB) << last().conclusion;

  EXPECT_TRUE(tuner.revert("Generation Tuning", 1));
  EXPECT_EQ(values[Lever::kNursery], 8 * kMiB);
  EXPECT_TRUE(tuner.revert("Generation Tuning", 1));
  EXPECT_EQ(values[Lever::kNursery], 4 * kMiB);
  EXPECT_FALSE(tuner.revert("Generation Tuning", 1));
}

TEST_F(TunerTest, RevertsATrialThatRuns) {
  propose("Generation Tuning", 8 * kMiB);
  while (values[Lever::kNursery] == 4 * kMiB) {
    run({kFixedSurvivors}, 1);
  }
  EXPECT_TRUE(tuner.revert("Generation Tuning", 99));

  EXPECT_EQ(values[Lever::kNursery], 4 * kMiB);
  EXPECT_EQ(last().state, TrialState::kRevoked);
  EXPECT_EQ(last().ended, 99u);
  run({kFixedSurvivors}, 100);
  EXPECT_EQ(values[Lever::kNursery], 4 * kMiB);
}

TEST_F(TunerTest, RevertsATrialThatWaits) {
  propose("Batch Collection", 1);
  EXPECT_TRUE(tuner.revert("Batch Collection", 1));
  run({kFixedSurvivors}, 100);
  EXPECT_EQ(sets[Lever::kBatchCollection], 0);
}

TEST_F(TunerTest, IsPatientWithWhatDidNotPayAndNeverRepeatsWhatWasRevoked) {
  const Proposal larger{
      .strategy = find_strategy("Generation Tuning"), .value = 8 * kMiB, .reasoning = {}};
  EXPECT_TRUE(tuner.may_retry(larger, 0));
  propose("Generation Tuning", 8 * kMiB);
  run({kAllSurvives}, 1000);
  const std::uint64_t ended = last().ended;
  EXPECT_FALSE(tuner.may_retry(larger, ended + 511));
  EXPECT_TRUE(tuner.may_retry(larger, ended + 512));
  EXPECT_TRUE(
      tuner.may_retry({.strategy = larger.strategy, .value = 2 * kMiB, .reasoning = {}}, ended));

  propose("Generation Tuning", 8 * kMiB);
  tuner.revert("Generation Tuning", ended);
  EXPECT_FALSE(tuner.may_retry(larger, ended + 1'000'000));
  tuner.forget();
  EXPECT_TRUE(tuner.may_retry(larger, 0));
}

TEST_F(TunerTest, MeasuresNothingWhileANurserySettles) {
  propose("Generation Tuning", 8 * kMiB);
  // The first collections after each change are as bad as can be; no stretch may see them.
  double seen = values[Lever::kNursery];
  int since = 0;
  run({[&](double nursery, double, bool) {
        since = nursery == seen ? since + 1 : 0;
        seen = nursery;
        return nursery > 4 * kMiB && since < 3 ? 8 * kMiB : 2 * kMiB;
      }},
      1000);
  EXPECT_EQ(last().state, TrialState::kKept) << last().conclusion;
  EXPECT_NEAR(last().gain, 0.363, 0.02) << last().conclusion;
}

}  // namespace
}  // namespace tenure::testing
