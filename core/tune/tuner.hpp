// The changes to one program: which wait, which is on trial, what became of the others.
//
//   stop   stop   stop   stop ...   stop   stop
//   | settling           | stretch, so many bytes of allocation     | the next one, with or without
//   ^ the lever is set                                     measured ^
//
// Invariant: one trial at a time, and a lever is at what the last kept trial set, unless it is on trial.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tune/experiment.hpp"
#include "core/tune/strategies.hpp"
#include "tenure/optimizer.hpp"

namespace tenure {

/// How a tuner reaches into the program. Called under whatever lock the tuner is under.
struct Levers {
  std::function<double(Lever)> get;
  std::function<void(Lever, double)> set;
  /// A trial began, was kept, taken back or revoked.
  std::function<void(Lever, const OptimizationTrial&)> tell = [](Lever, const OptimizationTrial&) {
  };
};

/// A change to be tried.
struct Proposal {
  const StrategyRow* strategy = nullptr;
  double value = 0;
  double predicted = 0;
  std::string reasoning;
};

/// threads  one at a time
class Tuner {
 public:
  explicit Tuner(Levers levers) : levers_(std::move(levers)) {}

  /// Queues a trial, unless one of that strategy waits or runs.
  ///
  /// returns  whether it waits now
  bool propose(const Proposal& proposal);

  /// Whether a change that did not pay, or was revoked, may be proposed by itself again. Why less and less
  /// often: what did not pay twice is not likely to pay soon; and what somebody revoked stays revoked.
  ///
  /// collection  of the runtime, now
  [[nodiscard]] bool may_retry(const Proposal& proposal, std::uint64_t collection) const;

  /// Whether there is anything to do at collections.
  [[nodiscard]] bool is_busy() const { return running_.has_value() || has_waiting(); }

  /// A collection is over. Stopped world.
  void note(const ProgramCounters& now);

  /// returns  false where nothing of that name is in force, on trial or waiting
  bool revert(std::string_view strategy, std::uint64_t collection);

  /// Forgets all trials that ended.
  void forget();

  [[nodiscard]] std::vector<OptimizationTrial> trials() const {
    return {trials_.begin(), trials_.end()};
  }

 private:
  // Of the larger nursery of the two, that are allocated in one stretch.
  static constexpr double kStretchNurseries = 4;
  // After the lever was set, until a nursery has grown to where it is going.
  static constexpr std::uint64_t kSettling = 3;
  static constexpr std::size_t kMostTrials = 64;
  static constexpr std::uint64_t kPatience =
      512;  // collections until the first retry; doubled each time

  struct Running {
    const StrategyRow* strategy = nullptr;
    Experiment experiment;
    bool is_with = false;
    double stretch_bytes = 0;
    std::uint64_t settled_at = 0;          // collection
    std::optional<ProgramCounters> began;  // the stretch; none while it settles
  };

  [[nodiscard]] bool has_waiting() const;
  void begin(const ProgramCounters& now);
  void step(const ProgramCounters& now);
  void change_side(const ProgramCounters& now);
  void end(ExperimentVerdict verdict, std::uint64_t collection);
  void write_figures(OptimizationTrial& trial) const;
  [[nodiscard]] OptimizationTrial& trial_of_running();

  Levers levers_;
  std::deque<OptimizationTrial> trials_;  // the oldest first; those that wait come last
  std::optional<Running> running_;
};

}  // namespace tenure
