// What a program's load looks like, what could be changed for it while it runs, and what became of each
// change. Every change is an experiment on the running program: stretches of it with the change and without
// are measured in pairs, and the change stays only where it gains more than the noise and the program is
// not slower for it. Otherwise it is taken back, by itself.
//
//   recommended -> waiting -> on trial -> kept -> (revert) revoked
//                                      -> taken back
//
// Nothing is estimated in what a trial says; what a recommendation expects is marked as predicted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Mutator;
class Runtime;

/// What a type's allocations, or its objects' uses, look like.
enum class OptimizationHint : std::uint8_t {
  kSequentialAccess,     // of steps from use to use more than 0.7 are under 1 KiB
  kRandomAccess,         // less than 0.3
  kTemporalLocality,     // more than 0.7 of uses are of what was among the last used
  kSpatialLocality,      // more than 0.7 are near one of the last used, and not of it
  kShortLived,           // less than 0.1 of what was allocated lives
  kLongLived,            // more than 0.8
  kLargeAllocations,     // more than 64 KiB on average
  kFrequentAllocations,  // more than 1,000 a second
  kBatchProcessing,      // bursts at equal distances, and more than 100 a second
  kStreamingData,        // more than 500 a second, of which less than 0.2 lives
};
inline constexpr std::size_t kOptimizationHints = 10;
/// "sequential_access", "batch_processing".
[[nodiscard]] std::string_view to_string(OptimizationHint hint);

/// What can be changed.
struct OptimizationStrategy {
  std::string name;         // "Generation Tuning"
  std::string description;  // one sentence: what it changes, and what is measured
  std::vector<OptimizationHint> applicable_hints;
  std::uint32_t priority = 0;  // 4 is looked at first
};

/// The strategies that there are, by priority.
[[nodiscard]] std::vector<OptimizationStrategy> optimization_strategies();

/// Where a figure of improvement comes from.
enum class ImprovementBasis : std::uint8_t { kPredicted, kMeasured };

/// A change that the load asks for.
struct OptimizationRecommendation {
  OptimizationStrategy strategy;
  std::map<std::string, double> parameters;  // what to set: "nursery_bytes"
  double confidence = 0;                     // 0 to 1
  std::string reasoning;                     // with the figures that it was made of
  double estimated_improvement = 0;  // part of the strategy's figure that would be gone; 0 to 1
  ImprovementBasis basis = ImprovementBasis::kPredicted;
};

enum class TrialState : std::uint8_t {
  kWaiting,    // one trial at a time
  kRunning,    // now with the change, now without
  kKept,       // in force
  kTakenBack,  // it did not pay
  kRevoked,    // in force or on trial until somebody reverted it
};
[[nodiscard]] std::string_view to_string(TrialState state);

/// One change, and what was measured.
struct OptimizationTrial {
  std::string strategy;
  std::string parameter;  // "nursery_bytes"
  double before = 0;
  double after = 0;
  TrialState state = TrialState::kWaiting;
  std::string figure;     // what was measured: "share of time in collections"
  double without = 0;     // its median over the stretches without the change
  double with = 0;        // and with it
  double gain = 0;        // median over the pairs, as a part of `without`
  double gain_error = 0;  // a standard error of that
  double slowdown = 0;    // of the program's processor time for a byte allocated; a part
  double slowdown_error = 0;
  std::uint64_t pairs = 0;
  std::uint64_t began = 0;  // collection of the runtime, from 1; 0 while it waits
  std::uint64_t ended = 0;  // 0 until then
  double predicted = 0;     // gain that was expected
  std::string reasoning;    // why it was tried
  std::string conclusion;   // why it was kept or not, with the figures
};

/// All that was tried, the oldest first.
struct OptimizationReport {
  bool auto_optimize = false;
  double min_confidence = 0;
  std::uint64_t max_optimizations_per_cycle = 0;
  std::vector<OptimizationTrial> trials;  // the last 64

  /// The same as lines of text.
  [[nodiscard]] std::string text() const;
};

/// What is recommended at all, and how much at a time.
struct OptimizationParameters {
  double min_confidence = 0.7;                    // 0 to 1
  std::uint64_t max_optimizations_per_cycle = 3;  // 1 to 9
};

/// What the load asks for now, the most urgent first, of what happened since this was last asked or since
/// trials began on their own account.
///
/// cost     a stop's worth of figures; from `ProfileLevel::kDetailed` on sizes count, too
/// returns  nothing where fewer than 16 collections came meanwhile
/// errors   kClosed
[[nodiscard]] Result<std::vector<OptimizationRecommendation>> recommend_optimizations(
    Runtime& runtime);

/// Tries what is recommended.
///
/// returns  the names of the strategies whose trials wait now
/// errors   kClosed; kUnsupported: in manual mode nothing is done that nobody asked for
Result<std::vector<std::string>> optimize(Runtime& runtime);

/// Tries one change, recommended or made up by the caller. It is kept only where it pays.
///
/// errors   kBadArgument: no such strategy or parameter, a value out of its range or in force already, or a
///          trial of that strategy is under way; kClosed; kUnsupported: manual mode, or one generation
Result<void> try_optimization(Runtime& runtime, const OptimizationRecommendation& change);

/// Ends the trial of a strategy, or takes back the last of its changes that was kept: what was before is in
/// force again, from the next collection on.
///
/// errors   kBadArgument: nothing of that name is in force, on trial or waiting; kClosed
Result<void> revert_optimization(Runtime& runtime, std::string_view strategy);

[[nodiscard]] OptimizationReport optimization_report(const Runtime& runtime);

/// Looks for what to try by itself, after every 64 collections. Off at first.
///
/// errors   kClosed; kUnsupported: manual mode
Result<void> set_auto_optimize(Runtime& runtime, bool on);

/// errors   kBadArgument: out of range; kClosed
Result<void> set_optimization_parameters(Runtime& runtime,
                                         const OptimizationParameters& parameters);

/// Forgets trials that ended, so that they may be tried again, and what was seen so far. What was kept stays
/// in force, and cannot be reverted any more.
///
/// errors   kClosed
Result<void> clear_optimization_history(Runtime& runtime);

/// What the four rules set.
struct CollectionParameters {
  Bytes nursery{};                  // the most that is used of it
  std::uint32_t promotion_age = 0;  // survivals in generation 0
};

/// Applies four rules to what came since they were applied last, without a trial: of collections whose mean
/// pause is beyond 1.5 of the target the nursery becomes 0.8 of what it was, below 0.5 of it 1.1; where more
/// than 0.8 of what survived was promoted, objects wait for one collection more in generation 0, 10 at the
/// most; below 0.2 for one less, 1 at the least. Nothing changes of fewer than 10 collections, and no nursery
/// passes what it may be set to.
///
/// returns  what is in force now
/// cost     a stop
/// errors   kClosed; kUnsupported: manual mode, or one generation
Result<CollectionParameters> optimize_collection_parameters(Runtime& runtime);

/// Says that a batch of work is over, and that little of what it allocated lives on: the end of a step, a
/// frame, a request. With Batch Collection in force the nursery is collected here where the next batch would
/// not fit into what is left of it. A safepoint.
///
/// cost     a lock; a young collection now and then
/// threads  the mutator's own
void note_batch_boundary(Mutator& mutator);

}  // namespace tenure
