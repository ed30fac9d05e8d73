// The dynamic door's optimizer: what a collector's load looks like, what is tried for it, and what became of
// that, by the names that its users know. A view of optimizer.hpp, which says what a trial is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/allocation_pattern.hpp"
#include "tenure/facade/objects.hpp"
#include "tenure/mutator.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

/// A view of a collector's optimizer; good while that is open.
///
/// errors   of all calls: kClosed
/// threads  anyone
class MemoryOptimizer {
 public:
  /// mutator    null once the collector was shut down
  /// automatic  whether the collector's configuration lets it look for changes by itself
  MemoryOptimizer(Runtime& runtime, SharedMutator* mutator, bool automatic)
      : runtime_(&runtime), mutator_(mutator), may_be_automatic_(automatic) {}

  /// Types by how many bytes they allocated, with their hints. Births and deaths are told by the heap itself.
  ///
  /// errors   kBadArgument: the profiler is below kDetailed
  [[nodiscard]] Result<std::vector<AllocationPattern>> analyze_patterns() const {
    return tenure::analyze_patterns(*runtime_);
  }
  /// Notes that an object was used, at `offset` of its bytes.
  ///
  /// errors   kBadArgument: the handle is null
  /// cost     some 100 ns, and other calls wait: for a sample of uses, not for all
  Result<void> record_access(const Handle<GcObject>& object, AccessKind kind,
                             std::uint64_t offset = 0);

  /// What is worth a trial now.
  [[nodiscard]] Result<std::vector<OptimizationRecommendation>> get_optimization_recommendations()
      const {
    return recommend_optimizations(*runtime_);
  }
  /// Tries what is recommended; each change is kept only where it pays.
  ///
  /// returns  the names of the strategies that are tried
  /// errors   kUnsupported: in manual mode
  Result<std::vector<std::string>> optimize() { return tenure::optimize(*runtime_); }
  /// Takes a change back, on trial or kept.
  ///
  /// errors   kBadArgument: nothing of that name is in force, on trial or waiting
  Result<void> revert(std::string_view strategy) {
    return revert_optimization(*runtime_, strategy);
  }
  /// What was tried, what was measured, and what is in force.
  [[nodiscard]] OptimizationReport get_optimization_report() const {
    return optimization_report(*runtime_);
  }

  /// Looks for changes by itself, or not any more. From the start it does so in adaptive mode.
  ///
  /// errors   kBadArgument: optimize_allocation_patterns is off; kUnsupported: manual mode
  Result<void> set_auto_optimize(bool on);
  /// errors   kBadArgument: out of range
  Result<void> set_optimization_parameters(double min_confidence,
                                           std::uint64_t max_optimizations_per_cycle) {
    return tenure::set_optimization_parameters(*runtime_,
                                               {min_confidence, max_optimizations_per_cycle});
  }
  /// Forgets what was tried and seen. What was kept stays in force.
  Result<void> clear_history() { return clear_optimization_history(*runtime_); }

  /// Applies the four rules for nursery and promotion age at once, without a trial.
  Result<CollectionParameters> optimize_collection_parameters() {
    return tenure::optimize_collection_parameters(*runtime_);
  }

  /// A batch of work is over: see `tenure::note_batch_boundary`.
  Result<void> note_batch_boundary();

 private:
  Runtime* runtime_;        // outlives the view
  SharedMutator* mutator_;  // likewise
  bool may_be_automatic_;
};

}  // namespace tenure
