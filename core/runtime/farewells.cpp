// The doors to what follows a death, and the mutator's turn in which whom it concerns is told.
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/heap/afterlife.hpp"
#include "core/runtime/state.hpp"
#include "tenure/finalizer.hpp"
#include "tenure/weak.hpp"
#include "tenure/weak_map.hpp"

namespace tenure {

namespace {

// The thread's mutator in the object's heap.
MutatorState& mutator_at(detail::MutatorCore& core, ObjectIndex object) {
  check(core.state != nullptr, "an object's death was asked about by a thread without a mutator");
  const HeapId heap = core.state->runtime.heap().cage().regions()[region_of(object)].heap;
  MutatorState* const mutator = mutator_of(core.state, heap);
  check(mutator != nullptr,
        "an object's death was asked about that is of a runtime this thread has no mutator of");
  check(mutator->presence == Presence::kRunning,
        "an object's death was asked about by a thread that is away");
  return *mutator;
}

// Makes one call of a user's, which may throw.
template <class Call>
void call_out(Finalizers& finalizers, Call call) {
  try {
    call();
  } catch (const std::exception& thrown) {
    finalizers.note_failure(thrown.what());
  } catch (...) {
    finalizers.note_failure("an exception that is no std::exception");
  }
}

}  // namespace

bool RuntimeState::has_farewells() {
  Afterlife& afterlife = heap_->afterlife();
  return afterlife.weak().has_due() || afterlife.finalizers().has_due();
}

std::uint64_t RuntimeState::run_farewells(MutatorState& mutator) {
  if (mutator.saying_farewell || mutator.constructing || mutator.is_background) {
    return 0;
  }
  mutator.saying_farewell = true;
  std::uint64_t told = 0;
  Afterlife& afterlife = heap_->afterlife();
  Finalizers& finalizers = afterlife.finalizers();
  while (const std::function<void()> on_death = afterlife.weak().take_due()) {
    call_out(finalizers, on_death);
    ++told;
  }
  while (std::optional<Finalizers::Due> due = finalizers.take_due()) {
    // Why no safepoint may come before: the object is no root until the call makes it a local.
    call_out(finalizers, [&] { due->call(*mutator.door, due->object); });
    ++told;
  }
  mutator.saying_farewell = false;
  return told;
}

void RuntimeState::finish_farewells(MutatorState& mutator, CloseReport& report) {
  // Finalizers may set others as they run; after so many rounds that counts as going on for ever.
  constexpr int kRounds = 8;
  Afterlife& afterlife = heap_->afterlife();
  const FinalizerStatistics before = afterlife.finalizers().statistics();
  run_farewells(mutator);
  for (int round = 0; round < kRounds && afterlife.finalizers().statistics().set > 0; ++round) {
    // All that is left dies now: no weak way leads to it once its finalizer runs.
    conductor_->in_stop(&mutator, [&] {
      afterlife.clear_all();
      afterlife.finalizers().queue_all();
    });
    run_farewells(mutator);
  }
  const FinalizerStatistics after = afterlife.finalizers().statistics();
  report.finalizers_run = after.ran - before.ran;
  report.finalizers_failed = after.failed - before.failed;
  report.finalizers_left = after.set + after.waiting;
}

std::uint64_t run_finalizers(Mutator& mutator) {
  MutatorState& state = *mutator.core().state;
  state.runtime.safepoint().park(state);
  return state.runtime.run_farewells(state);
}

namespace detail {

WeakCell* take_weak_cell(MutatorCore& core, ObjectIndex object, std::function<void()> on_death) {
  return mutator_at(core, object)
      .runtime.heap()
      .afterlife()
      .weak()
      .take(object, std::move(on_death));
}

ObjectIndex lock_weak_cell(MutatorCore&, const WeakCell* cell) {
  // Why a marking that goes on beside us need not hear of it: the object becomes a local, and locals
  // are looked at again in the stop that ends the marking; where it is stored a card is logged.
  return weak_object(cell);
}

void DropWeakMap::operator()(EphemeronMap* map) const noexcept { delete map; }

WeakMapOwner make_weak_map(MutatorCore& core) {
  return WeakMapOwner(new EphemeronMap(core.state->runtime.heap().afterlife().ephemerons()));
}

void weak_map_set(EphemeronMap& map, ObjectIndex key, ObjectIndex value) {
  check(key != ObjectIndex::kNull, "a weak map was given null for a key");
  map.set(key, value);
}

ObjectIndex weak_map_find(const EphemeronMap& map, ObjectIndex key) { return map.find(key); }
bool weak_map_has(const EphemeronMap& map, ObjectIndex key) { return map.has(key); }
bool weak_map_erase(EphemeronMap& map, ObjectIndex key) { return map.erase(key); }
void weak_map_clear(EphemeronMap& map) { map.clear(); }
std::uint64_t weak_map_size(const EphemeronMap& map) { return map.size(); }

Result<void> set_finalizer(MutatorCore& core, ObjectIndex object, FinalizerCall call) {
  if (object == ObjectIndex::kNull) {
    return Error{ErrorCode::kBadArgument, "a finalizer was set on null"};
  }
  check(static_cast<bool>(call), "a finalizer was set that cannot be called");
  if (!mutator_at(core, object)
           .runtime.heap()
           .afterlife()
           .finalizers()
           .set(object, std::move(call))) {
    return Error{
        ErrorCode::kBadArgument,
        "a finalizer was set on an object whose finalizer has run: its next death is final"};
  }
  return {};
}

bool finalize(Mutator& mutator, ObjectIndex object) {
  if (object == ObjectIndex::kNull) {
    return false;
  }
  Finalizers& finalizers =
      mutator_at(mutator.core(), object).runtime.heap().afterlife().finalizers();
  const FinalizerCall call = finalizers.take(object);
  if (!call) {
    return false;
  }
  call_out(finalizers, [&] { call(mutator, object); });
  return true;
}

bool remove_finalizer(MutatorCore& core, ObjectIndex object) {
  return object != ObjectIndex::kNull &&
         mutator_at(core, object).runtime.heap().afterlife().finalizers().remove(object);
}

}  // namespace detail

}  // namespace tenure
