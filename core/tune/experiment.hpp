// Whether a change to a running program pays: stretches of the program with it and without it, in pairs.
//
//   without  with | with  without | without  with | with ...
//   \__ pair 1 _/   \__ pair 2 _/   \__ pair 3 _/
//
// Why to and fro: a load that drifts one way favours the change in one pair, and what was in the next.
// Numbers in, verdict out: no clock, no program.
//
// Invariant: it ends after `kMostPairs` pairs, and ends as taken back unless the gain was proven.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenure {

/// One stretch of a program.
struct TrialStretch {
  double cost = 0;  // what the change is to lower, in the unit of its figure
  double time = 0;  // processor time of the whole program for a byte allocated, ns
};

/// A middle, and how far it may be off.
struct Estimate {
  double middle = 0;
  double error = 0;  // one standard error
};

/// The middle of figures that a busy machine spoils now and then: their median, with the error that goes
/// with their median distance from it.
///
/// source  P. J. Huber, "Robust Statistics" (1981): the constants make both what mean and deviation are
///         where nothing is spoilt
[[nodiscard]] Estimate estimate(std::vector<double> figures);

enum class ExperimentVerdict : std::uint8_t {
  kOpen,       // more pairs are needed
  kPays,       // it gains more than its noise, and the program is not slower for it
  kGainsNone,  // no gain was proven in as many pairs as there may be
  kCosts,      // it is worse than what was, beyond the noise
  kSlows,      // its own figure may be better; the program is slower
};

/// threads  one at a time
class Experiment {
 public:
  static constexpr std::size_t kLeastPairs = 8;
  static constexpr std::size_t kMostPairs = 20;

  /// Whether the change is to be in force in the next stretch.
  [[nodiscard]] bool is_with() const {
    return stretches_.size() % 4 == 1 || stretches_.size() % 4 == 2;
  }

  /// The stretch that `is_with` asked for is over.
  void add(const TrialStretch& stretch) { stretches_.push_back(stretch); }

  /// Meaningful at the end of a pair; in the middle of one it stays open.
  [[nodiscard]] ExperimentVerdict verdict() const;

  [[nodiscard]] std::size_t pairs() const { return stretches_.size() / 2; }
  /// Medians of the cost.
  [[nodiscard]] double cost_without() const { return median_cost(false); }
  [[nodiscard]] double cost_with() const { return median_cost(true); }
  /// What the pairs gained, as a part of the cost without; its error likewise.
  [[nodiscard]] Estimate gain() const;
  /// What the program's time grew by in the pairs, as a part of it; its error likewise. Why a mean, and no
  /// median: a marking that comes in every third stretch is part of what a change costs.
  [[nodiscard]] Estimate slowdown() const;

 private:
  // Of the cost; less is not worth a change.
  static constexpr double kLeastGain = 0.02;
  // A slowdown that counts. Less is not told from noise on any machine that does something else as well.
  static constexpr double kLeastSlowdown = 0.01;
  // Standard errors that a difference must be away from nothing. Why not two: verdicts are asked for after
  // each pair, so that chance has a dozen goes. Measured: `core.tune.experiment_test`, by simulation.
  static constexpr double kBeyondNoise = 4.5;
  // To keep a change before all pairs are there, a slowdown past this must be unlikely; once they are, one
  // that is so many errors away from nothing takes it back.
  static constexpr double kTolerance = 0.05;
  static constexpr double kSuspicious = 1.5;

  [[nodiscard]] double median_cost(bool with) const;
  [[nodiscard]] std::vector<double> differences(double TrialStretch::*figure) const;

  std::vector<TrialStretch> stretches_;  // in their order; pair k is 2k and 2k + 1
};

}  // namespace tenure
