#include "core/runtime/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/runtime/state.hpp"
#include "core/tune/collection_rules.hpp"
#include "core/tune/figures_text.hpp"

namespace tenure {

namespace {

// Collections between two looks of the automatic cycle.
constexpr std::uint64_t kCycle = 64;
// Of the heap's limit, that a nursery may take. Measured: a third did no better on GCBench in 64 MiB.
constexpr std::uint64_t kNurseryPart = 4;
// Of the nursery, that one object of it may take; `check_config` holds options to the same.
constexpr std::uint64_t kObjectPart = 8;
constexpr Bytes kLeastLargeObject{1u << 10};
constexpr Bytes kMostLargeObject{128u << 10};
constexpr Bytes kLeastNursery{256u << 10};
// Where nothing survived, no rule about what was promoted has anything to say.
constexpr double kNothingPromoted = 0.5;

double as_number(Bytes bytes) { return static_cast<double>(bytes.count()); }
Bytes as_bytes(double number) { return Bytes{static_cast<std::uint64_t>(number)}; }

Adapted adapted_by(Lever lever) {
  switch (lever) {
    case Lever::kNursery:
      return Adapted::kNurseryLimit;
    case Lever::kLargeObject:
      return Adapted::kLargeObject;
    case Lever::kBatchCollection:
      return Adapted::kBatchCollection;
    case Lever::kCopiesAhead:
      break;
  }
  return Adapted::kCopiesAhead;
}

}  // namespace

Optimizer::Optimizer(RuntimeState& runtime, Bytes nursery_most)
    : runtime_(runtime),
      nursery_most_(std::max(std::min(nursery_most, runtime.heap().limit() / kNurseryPart),
                             runtime.config().nursery)),
      tuner_(
          {.get = [this](Lever lever) { return get(lever); },
           .set = [this](Lever lever, double value) { set(lever, value); },
           .tell = [this](Lever lever, const OptimizationTrial& trial) { tell(lever, trial); }}) {}

double Optimizer::get(Lever lever) const {
  switch (lever) {
    case Lever::kNursery:
      return as_number(runtime_.conductor().nursery_limit());
    case Lever::kLargeObject:
      return as_number(runtime_.large_object());
    case Lever::kBatchCollection:
      return collects_at_boundaries_ ? 1 : 0;
    case Lever::kCopiesAhead:
      break;
  }
  return runtime_.heap().copies_ahead();
}

void Optimizer::set(Lever lever, double value) {
  switch (lever) {
    case Lever::kNursery:
      runtime_.conductor().resize_nursery(as_bytes(value));
      break;
    case Lever::kLargeObject:
      runtime_.set_large_object(as_bytes(value));
      break;
    case Lever::kBatchCollection:
      collects_at_boundaries_ = value != 0;
      break;
    case Lever::kCopiesAhead:
      runtime_.heap().set_copies_ahead(static_cast<std::uint32_t>(value));
      break;
  }
}

double Optimizer::least(Lever lever) const {
  switch (lever) {
    case Lever::kNursery:
      return std::max(as_number(kLeastNursery), as_number(runtime_.large_object()) * kObjectPart);
    case Lever::kLargeObject:
      return as_number(kLeastLargeObject);
    case Lever::kBatchCollection:
      return 0;
    case Lever::kCopiesAhead:
      break;
  }
  return 1;
}

double Optimizer::most(Lever lever) const {
  switch (lever) {
    case Lever::kNursery:
      return as_number(nursery_most_);
    case Lever::kLargeObject:
      return std::min(as_number(kMostLargeObject),
                      as_number(runtime_.conductor().nursery_limit()) / kObjectPart);
    case Lever::kBatchCollection:
      return 1;
    case Lever::kCopiesAhead:
      break;
  }
  return Heap::kMostCopiesAhead;
}

void Optimizer::tell(Lever lever, const OptimizationTrial& trial) {
  if (lever == Lever::kNursery) {
    runtime_.conductor().put_nursery_on_trial(trial.state == TrialState::kRunning);
  }
  const std::string why = trial.strategy + ", " + trial.conclusion;
  if (trial.state == TrialState::kKept) {
    runtime_.conductor().note_decision(adapted_by(lever), trial.before, trial.after, why);
  } else if (trial.state == TrialState::kRevoked) {
    runtime_.conductor().note_decision(adapted_by(lever), trial.before, trial.before, why);
  }
}

// Stopped world.
ProgramCounters Optimizer::counters() const {
  const ProgramCounters now = runtime_.conductor().counters();
  return as_ ? as_(now) : now;
}

void Optimizer::step() {
  const ProgramCounters now = counters();
  const std::scoped_lock lock(mutex_);
  tuner_.note(now);
  if (auto_ && now.collections >= analysed_.collections + kCycle && !tuner_.is_busy()) {
    for (const Proposal& proposal : proposals(now)) {
      if (tuner_.may_retry(proposal, now.collections)) {
        (void)tuner_.propose(proposal);
      }
    }
    analysed_ = now;
  }
  stay_awake();
}

void Optimizer::stay_awake() { is_awake_ = auto_ || tuner_.is_busy(); }

LoadFigures Optimizer::figures(const ProgramCounters& now) const {
  LoadFigures load;
  load.began = analysed_;
  load.ended = now;
  load.nursery = get(Lever::kNursery);
  load.nursery_in_use = as_number(runtime_.conductor().nursery_in_use());
  load.nursery_most = most(Lever::kNursery);
  load.large_object = get(Lever::kLargeObject);
  load.large_object_least = least(Lever::kLargeObject);
  load.size_histogram = runtime_.profiler().size_histogram();
  load.collects_at_boundaries = collects_at_boundaries_;
  load.copies_ahead = get(Lever::kCopiesAhead);
  {
    const std::scoped_lock accesses(accesses_mutex_);
    double spatial = 0;
    accesses_.for_each([&](std::uint32_t, const AccessFigures& of) {
      load.accesses += of.accesses;
      spatial += of.accesses * of.spatial();
    });
    load.accesses_beside = load.accesses > 0 ? spatial / load.accesses : 0;
  }
  load.batches = batches_.count();
  load.batch_bytes = batches_.mean();
  load.batch_unevenness = batches_.unevenness();
  return load;
}

std::vector<Proposal> Optimizer::proposals(const ProgramCounters& now) const {
  std::vector<Proposal> all;
  for (const OptimizationRecommendation& one : tenure::recommend(figures(now), parameters_)) {
    all.push_back({.strategy = find_strategy(one.strategy.name),
                   .value = one.parameters.begin()->second,
                   .predicted = one.estimated_improvement,
                   .reasoning = one.reasoning});
  }
  return all;
}

std::vector<OptimizationRecommendation> Optimizer::recommend(MutatorState* self) {
  std::vector<OptimizationRecommendation> all;
  runtime_.conductor().in_stop(self, [&] {
    const ProgramCounters now = counters();
    const std::scoped_lock lock(mutex_);
    all = tenure::recommend(figures(now), parameters_);
  });
  return all;
}

std::vector<std::string> Optimizer::optimize(MutatorState* self) {
  std::vector<std::string> tried;
  runtime_.conductor().in_stop(self, [&] {
    const ProgramCounters now = counters();
    const std::scoped_lock lock(mutex_);
    for (const Proposal& proposal : proposals(now)) {
      if (tuner_.propose(proposal)) {
        tried.emplace_back(proposal.strategy->name);
      }
    }
    analysed_ = now;
    stay_awake();
  });
  return tried;
}

Result<void> Optimizer::try_change(const OptimizationRecommendation& change) {
  const StrategyRow* const strategy = find_strategy(change.strategy.name);
  if (strategy == nullptr) {
    return Error{ErrorCode::kBadArgument, "there is no strategy \"" + change.strategy.name + "\""};
  }
  const auto parameter = change.parameters.find(std::string(strategy->parameter));
  if (change.parameters.size() != 1 || parameter == change.parameters.end()) {
    return Error{ErrorCode::kBadArgument, change.strategy.name + " takes one parameter, " +
                                              std::string(strategy->parameter)};
  }
  const std::scoped_lock lock(mutex_);
  const double value = parameter->second;
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kBadArgument, parameter->first + " is to be " +
                                              std::to_string(static_cast<std::int64_t>(value)) +
                                              "; " + why};
  };
  if (!(value >= least(strategy->lever) && value <= most(strategy->lever)) ||
      value != std::floor(value)) {
    return refuse("it takes " + std::to_string(static_cast<std::int64_t>(least(strategy->lever))) +
                  " to " + std::to_string(static_cast<std::int64_t>(most(strategy->lever))));
  }
  if (value == get(strategy->lever)) {
    return refuse("it is that already");
  }
  if (!tuner_.propose({.strategy = strategy,
                       .value = value,
                       .predicted = change.estimated_improvement,
                       .reasoning = change.reasoning})) {
    return refuse("another trial of " + change.strategy.name + " is under way");
  }
  stay_awake();
  return {};
}

Result<void> Optimizer::revert(std::string_view strategy) {
  const std::uint64_t collection = runtime_.conductor().collections();
  const std::scoped_lock lock(mutex_);
  if (find_strategy(strategy) == nullptr || !tuner_.revert(strategy, collection)) {
    return Error{ErrorCode::kBadArgument, "nothing called \"" + std::string(strategy) +
                                              "\" is in force, on trial, or waits"};
  }
  stay_awake();
  return {};
}

OptimizationReport Optimizer::report() const {
  const std::scoped_lock lock(mutex_);
  return {.auto_optimize = auto_,
          .min_confidence = parameters_.min_confidence,
          .max_optimizations_per_cycle = parameters_.max_optimizations_per_cycle,
          .trials = tuner_.trials()};
}

void Optimizer::set_auto(bool on) {
  const std::scoped_lock lock(mutex_);
  auto_ = on;
  stay_awake();
}

void Optimizer::set_parameters(const OptimizationParameters& parameters) {
  const std::scoped_lock lock(mutex_);
  parameters_ = parameters;
}

void Optimizer::clear(MutatorState* self) {
  runtime_.conductor().in_stop(self, [&] {
    const ProgramCounters now = counters();
    const std::scoped_lock lock(mutex_);
    tuner_.forget();
    batches_.clear();
    analysed_ = now;
    const std::scoped_lock accesses(accesses_mutex_);
    accesses_.clear();
  });
}

CollectionParameters Optimizer::apply_rules(MutatorState* self) {
  YoungParameters after;
  runtime_.conductor().in_stop(self, [&] {
    const ProgramCounters now = counters();
    const std::scoped_lock lock(mutex_);
    Conductor& conductor = runtime_.conductor();
    const double collections = static_cast<double>(now.collections - ruled_.collections);
    const double copied = static_cast<double>(now.bytes_copied - ruled_.bytes_copied);
    YoungFigures figures{.collections = now.collections - ruled_.collections,
                         .target_ns = static_cast<double>(conductor.pause_target_ns()),
                         .promoted_share = kNothingPromoted};
    if (collections > 0) {
      figures.mean_pause_ns = static_cast<double>(now.paused_ns - ruled_.paused_ns) / collections;
    }
    if (copied > 0) {
      figures.promoted_share =
          static_cast<double>(now.bytes_promoted - ruled_.bytes_promoted) / copied;
    }
    const YoungParameters before{get(Lever::kNursery), runtime_.heap().promotion_age(0)};
    after = tenure::apply_rules(figures, before, {least(Lever::kNursery), most(Lever::kNursery)});
    if (figures.collections >= kEnoughForRules) {
      ruled_ = now;
    }
    if (after.nursery != before.nursery) {
      set(Lever::kNursery, after.nursery);
      conductor.note_decision(Adapted::kNurseryLimit, before.nursery, after.nursery,
                              "by rule: the mean pause was " + number_text(figures.mean_pause_ns) +
                                  " ns, and " + number_text(figures.target_ns) + " is aimed at");
    }
    if (after.age != before.age) {
      conductor.set_promotion_age(0, after.age);
    }
  });
  return {as_bytes(after.nursery), after.age};
}

void Optimizer::note_batch(MutatorState& mutator) {
  const std::uint64_t allocated = mutator.bytes_allocated.load(std::memory_order_relaxed);
  const Bytes batch{allocated - std::exchange(mutator.allocated_at_boundary, allocated)};
  Bytes next;
  {
    const std::scoped_lock lock(mutex_);
    batches_.note(batch);
    next = batches_.largest();
  }
  if (!collects_at_boundaries_.load(std::memory_order_relaxed)) {
    return;
  }
  Heap& heap = runtime_.heap();
  const Bytes used = heap.young().nursery_used();
  const Bytes size = heap.young().nursery_size();
  // A batch larger than the nursery is collected in its midst whatever is done here.
  if (next <= size && used + next > size) {
    runtime_.conductor().collect_by_trigger(mutator);
  }
}

}  // namespace tenure
