#include "core/runtime/optimizer.hpp"

#include <algorithm>
#include <utility>

#include "core/runtime/state.hpp"
#include "tenure/mutator.hpp"
#include "tenure/runtime.hpp"

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

double as_number(Bytes bytes) { return static_cast<double>(bytes.count()); }
Bytes as_bytes(double number) { return Bytes{static_cast<std::uint64_t>(number)}; }

Adapted adapted_by(Lever lever) {
  switch (lever) {
    case Lever::kNursery:
      return Adapted::kNurseryLimit;
    case Lever::kLargeObject:
      return Adapted::kLargeObject;
    case Lever::kBatchCollection:
      break;
  }
  return Adapted::kBatchCollection;
}

Result<RuntimeState*> open_state(const Runtime& runtime) {
  RuntimeState& state = runtime.state();
  if (state.is_child() || !state.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has nothing to optimize"};
  }
  return &state;
}

Result<RuntimeState*> tunable_state(const Runtime& runtime) {
  Result<RuntimeState*> state = open_state(runtime);
  if (state && (*state)->config().mode == Mode::kManual) {
    return Error{ErrorCode::kUnsupported,
                 "in manual mode nothing is changed that nobody asked for"};
  }
  if (state && (*state)->config().generations == 1) {
    return Error{ErrorCode::kUnsupported,
                 "a heap of one generation has nothing that could be tuned"};
  }
  return state;
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
      break;
  }
  return collects_at_boundaries_ ? 1 : 0;
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
  }
}

double Optimizer::least(Lever lever) const {
  switch (lever) {
    case Lever::kNursery:
      return std::max(as_number(kLeastNursery), as_number(runtime_.large_object()) * kObjectPart);
    case Lever::kLargeObject:
      return as_number(kLeastLargeObject);
    case Lever::kBatchCollection:
      break;
  }
  return 0;
}

double Optimizer::most(Lever lever) const {
  switch (lever) {
    case Lever::kNursery:
      return as_number(nursery_most_);
    case Lever::kLargeObject:
      return std::min(as_number(kMostLargeObject),
                      as_number(runtime_.conductor().nursery_limit()) / kObjectPart);
    case Lever::kBatchCollection:
      break;
  }
  return 1;
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
  if (!(value >= least(strategy->lever) && value <= most(strategy->lever))) {
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
  });
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

Result<std::vector<OptimizationRecommendation>> recommend_optimizations(Runtime& runtime) {
  Result<RuntimeState*> state = open_state(runtime);
  if (!state) {
    return state.failure();
  }
  return (*state)->optimizer().recommend((*state)->self());
}

Result<std::vector<std::string>> optimize(Runtime& runtime) {
  Result<RuntimeState*> state = tunable_state(runtime);
  if (!state) {
    return state.failure();
  }
  return (*state)->optimizer().optimize((*state)->self());
}

Result<void> try_optimization(Runtime& runtime, const OptimizationRecommendation& change) {
  Result<RuntimeState*> state = tunable_state(runtime);
  return state ? (*state)->optimizer().try_change(change) : Result<void>(state.failure());
}

Result<void> revert_optimization(Runtime& runtime, std::string_view strategy) {
  Result<RuntimeState*> state = open_state(runtime);
  return state ? (*state)->optimizer().revert(strategy) : Result<void>(state.failure());
}

OptimizationReport optimization_report(const Runtime& runtime) {
  return runtime.state().optimizer().report();
}

Result<void> set_auto_optimize(Runtime& runtime, bool on) {
  Result<RuntimeState*> state = tunable_state(runtime);
  if (!state) {
    return state.failure();
  }
  (*state)->optimizer().set_auto(on);
  return {};
}

Result<void> set_optimization_parameters(Runtime& runtime,
                                         const OptimizationParameters& parameters) {
  Result<RuntimeState*> state = open_state(runtime);
  if (!state) {
    return state.failure();
  }
  if (!(parameters.min_confidence >= 0 && parameters.min_confidence <= 1)) {
    return Error{
        ErrorCode::kBadArgument,
        "min_confidence is " + std::to_string(parameters.min_confidence) + "; it takes 0 to 1"};
  }
  constexpr std::uint64_t kMost = 9;
  if (parameters.max_optimizations_per_cycle < 1 ||
      parameters.max_optimizations_per_cycle > kMost) {
    return Error{ErrorCode::kBadArgument,
                 "max_optimizations_per_cycle is " +
                     std::to_string(parameters.max_optimizations_per_cycle) + "; it takes 1 to 9"};
  }
  (*state)->optimizer().set_parameters(parameters);
  return {};
}

Result<void> clear_optimization_history(Runtime& runtime) {
  Result<RuntimeState*> state = open_state(runtime);
  if (!state) {
    return state.failure();
  }
  (*state)->optimizer().clear((*state)->self());
  return {};
}

void note_batch_boundary(Mutator& mutator) {
  mutator.poll();
  MutatorState& state = *mutator.core().state;
  if (state.runtime.is_open()) {
    state.runtime.optimizer().note_batch(state);
  }
}

}  // namespace tenure
