// The optimizer's calls, as a program makes them.
#include <string>

#include "core/runtime/optimizer.hpp"
#include "core/runtime/state.hpp"
#include "tenure/mutator.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

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

Result<std::vector<OptimizationRecommendation>> recommend_optimizations(Runtime& runtime) {
  Result<RuntimeState*> state = open_state(runtime);
  if (!state) {
    return state.failure();
  }
  return (*state)->optimizer().recommend((*state)->self());
}

Result<CollectionParameters> optimize_collection_parameters(Runtime& runtime) {
  Result<RuntimeState*> state = tunable_state(runtime);
  if (!state) {
    return state.failure();
  }
  return (*state)->optimizer().apply_rules((*state)->self());
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
