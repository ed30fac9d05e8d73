// The optimizer's part of a runtime: the levers it may pull, the figures it goes by, and when it looks.
//
// Invariant: levers are pulled under mutex_ alone. While a stop waits for it, nobody who has it waits for a
// stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tune/access_log.hpp"
#include "core/tune/batch_log.hpp"
#include "core/tune/recommend.hpp"
#include "core/tune/tuner.hpp"
#include "tenure/allocation_pattern.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class RuntimeState;
struct MutatorState;

/// threads  anyone, unless it says otherwise
class Optimizer {
 public:
  /// runtime        outlives it
  /// nursery_most   that the nursery may be set to
  Optimizer(RuntimeState& runtime, Bytes nursery_most);

  /// A stop's collecting is over; stopped world. Costs one load unless something is to be done.
  void note(const CollectionReport& report) {
    if (is_awake_.load(std::memory_order_relaxed) && report.collected != CollectionReport::kNothing)
        [[unlikely]] {
      step();
    }
  }

  [[nodiscard]] std::vector<OptimizationRecommendation> recommend(MutatorState* self);
  std::vector<std::string> optimize(MutatorState* self);
  Result<void> try_change(const OptimizationRecommendation& change);
  Result<void> revert(std::string_view strategy);
  [[nodiscard]] OptimizationReport report() const;
  void set_auto(bool on);
  void set_parameters(const OptimizationParameters& parameters);
  void clear(MutatorState* self);
  CollectionParameters apply_rules(MutatorState* self);

  [[nodiscard]] std::vector<AllocationPattern> patterns() const;
  void note_access(TypeId type, const void* address, AccessKind kind);

  /// Goes by what `as` makes of the program's counters from now on: for tests, whose clock is made up. Before
  /// there is a mutator.
  void measure(std::function<ProgramCounters(const ProgramCounters&)> as) { as_ = std::move(as); }

  /// A batch of the mutator's ended. Its own thread, running.
  void note_batch(MutatorState& mutator);

 private:
  [[nodiscard]] double get(Lever lever) const;
  void set(Lever lever, double value);
  void tell(Lever lever, const OptimizationTrial& trial);
  [[nodiscard]] double least(Lever lever) const;
  [[nodiscard]] double most(Lever lever) const;
  void step();
  [[nodiscard]] LoadFigures figures(const ProgramCounters& now) const;
  [[nodiscard]] std::vector<Proposal> proposals(const ProgramCounters& now) const;
  void stay_awake();
  [[nodiscard]] ProgramCounters counters() const;

  RuntimeState& runtime_;
  const Bytes nursery_most_;
  std::atomic<bool> is_awake_{false};                // written under mutex_
  std::atomic<bool> collects_at_boundaries_{false};  // likewise
  std::function<ProgramCounters(const ProgramCounters&)> as_;
  mutable std::mutex mutex_;  // guards what follows
  Tuner tuner_;
  OptimizationParameters parameters_;
  bool auto_ = false;
  ProgramCounters analysed_;  // when figures were last looked at
  ProgramCounters ruled_;     // when the rules last were
  BatchLog batches_;

  mutable std::mutex accesses_mutex_;
  AccessLog accesses_;  // guarded by accesses_mutex_
};

}  // namespace tenure
