// What an experiment says of loads whose figures are made up, with their noise.
#include "core/tune/experiment.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace tenure::testing {
namespace {

struct Load {
  double gain = 0;      // of the cost, with the change
  double slowdown = 0;  // of the time
  double noise = 0.03;  // deviation of a stretch, of either figure
  double drift = 0;     // of the cost, a stretch
  double spoilt = 0;    // share of stretches in which the machine did something else
  double cost = 0.1;    // without
};

class ExperimentOn {
 public:
  explicit ExperimentOn(std::uint32_t seed) : random_(seed) {}

  ExperimentVerdict run(const Load& load) {
    experiment = Experiment();
    std::normal_distribution<double> noise(1, load.noise);
    std::uniform_real_distribution<double> chance(0, 1);
    double drift = 1;
    while (experiment.verdict() == ExperimentVerdict::kOpen) {
      const bool with = experiment.is_with();
      const double spoilt = chance(random_) < load.spoilt ? 5 : 1;
      drift += load.drift;
      experiment.add({load.cost * (with ? 1 - load.gain : 1) * noise(random_) * spoilt * drift,
                      4.0 * (with ? 1 + load.slowdown : 1) * noise(random_) * spoilt});
    }
    return experiment.verdict();
  }

  int count(const Load& load, ExperimentVerdict verdict, int times = 400) {
    int seen = 0;
    for (int k = 0; k < times; ++k) {
      seen += run(load) == verdict ? 1 : 0;
    }
    return seen;
  }

  Experiment experiment;

 private:
  std::mt19937 random_;
};

TEST(Experiment, KeepsWhatGainsMoreThanItsNoise) {
  ExperimentOn load(1);
  EXPECT_GE(load.count({.gain = 0.1}, ExperimentVerdict::kPays), 380);
}

TEST(Experiment, SeldomKeepsWhatGainsNothing) {
  ExperimentOn load(2);
  EXPECT_LE(load.count({}, ExperimentVerdict::kPays), 12) << "of 400";
  EXPECT_LE(load.count({.noise = 0.15}, ExperimentVerdict::kPays), 12) << "of 400";
}

TEST(Experiment, TakesBackWhatCosts) {
  ExperimentOn load(3);
  EXPECT_GE(load.count({.gain = -0.1}, ExperimentVerdict::kCosts), 380);
  EXPECT_EQ(load.count({.gain = -0.1}, ExperimentVerdict::kPays), 0);
}

TEST(Experiment, TakesBackWhatSlowsTheProgramWhateverItsOwnFigureSays) {
  ExperimentOn load(4);
  EXPECT_GE(load.count({.gain = 0.5, .slowdown = 0.1}, ExperimentVerdict::kSlows), 390);
}

TEST(Experiment, CountsWhatTheChangeCostsNowAndThen) {
  int kept = 0;
  std::mt19937 random(10);
  std::uniform_real_distribution<double> chance(0, 1);
  for (int k = 0; k < 400; ++k) {
    Experiment experiment;
    while (experiment.verdict() == ExperimentVerdict::kOpen) {
      const bool with = experiment.is_with();
      const double marking = with && chance(random) < 0.3 ? 8 : 0;
      experiment.add({with ? 0.01 : 0.1, 4 + 0.1 * chance(random) + marking});
    }
    kept += experiment.verdict() == ExperimentVerdict::kPays ? 1 : 0;
  }
  EXPECT_LE(kept, 40) << "of 400";
}

TEST(Experiment, IsNotMisledByALoadThatDrifts) {
  ExperimentOn load(5);
  EXPECT_LE(load.count({.noise = 0.005, .drift = 0.02}, ExperimentVerdict::kPays), 12);
  EXPECT_LE(load.count({.noise = 0.005, .drift = -0.01}, ExperimentVerdict::kPays), 12);
}

TEST(Experiment, SeesAGainBesideStretchesThatWereSpoilt) {
  ExperimentOn load(6);
  EXPECT_GE(load.count({.gain = 0.2, .spoilt = 0.1}, ExperimentVerdict::kPays), 360);
}

TEST(Experiment, KeepsNoGainTooSmallToBeWorthAChange) {
  ExperimentOn load(7);
  EXPECT_EQ(load.count({.gain = 0.01, .noise = 0.001}, ExperimentVerdict::kPays), 0);
}

TEST(Experiment, SaysWhatWasGainedAndHowSureThatIs) {
  ExperimentOn load(8);

  ASSERT_EQ(load.run({.gain = 0.25, .noise = 0.01}), ExperimentVerdict::kPays);

  EXPECT_NEAR(load.experiment.cost_without(), 0.1, 0.003);
  EXPECT_NEAR(load.experiment.cost_with(), 0.075, 0.003);
  EXPECT_NEAR(load.experiment.gain().middle, 0.25, 0.03);
  EXPECT_GT(load.experiment.gain().error, 0);
  EXPECT_LT(load.experiment.gain().error, 0.02);
}

TEST(Experiment, GainsNothingWhereThereIsNothingToGain) {
  ExperimentOn load(9);
  EXPECT_EQ(load.run({.gain = 0.5, .noise = 0.01, .cost = 0}), ExperimentVerdict::kGainsNone);
  EXPECT_EQ(load.experiment.pairs(), Experiment::kMostPairs);
}

TEST(Experiment, GoesToAndFro) {
  Experiment experiment;
  std::vector<bool> with;
  for (int k = 0; k < 8; ++k) {
    with.push_back(experiment.is_with());
    experiment.add({});
  }
  EXPECT_EQ(with, (std::vector<bool>{false, true, true, false, false, true, true, false}));
}

}  // namespace
}  // namespace tenure::testing
