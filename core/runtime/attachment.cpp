// How threads come to a heap and leave it.
#include <memory>

#include "core/base/check.hpp"
#include "core/runtime/state.hpp"
#include "tenure/mutator.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

void poll_one(MutatorState& state) {
  state.runtime.safepoint().park(state);
  if (state.runtime.has_farewells()) {
    state.runtime.run_farewells(state);
  }
}

}  // namespace

Mutator::Mutator(Runtime& runtime) : Mutator(runtime.state()) {}

Mutator::Mutator(RuntimeState& of) {
  check(of.is_open(), "a mutator was attached to a runtime that was closed");
  check(of.self() == nullptr, "a thread attached two mutators to one runtime");
  auto* const state = new MutatorState(of);  // given back in the destructor
  state->door = this;
  core_ = &state->core;
  of.safepoint().attach(*state, [&] {
    core_->barrier = of.conductor().barrier_state();
    of.heap().roots().attach(*core_);
    of.begin_watching(*state);
  });
  become_current();
}

void Mutator::become_current() {
  outer_ = detail::current_core;
  core_->state->outer = outer_->state;
  detail::current_core = core_;
}

void Mutator::resign() {
  check(detail::current_core == core_,
        "mutators of a thread ended in another order than they began");
  detail::current_core = outer_;
}

Mutator::~Mutator() {
  const std::unique_ptr<MutatorState> state(core_->state);
  resign();
  check(!state->has_locals(), "a mutator ended before the locals made with it");
  RuntimeState& of = state->runtime;
  if (of.is_child()) {
    return;  // the world that it was in stayed with the parent
  }
  of.safepoint().detach(*state, [&] {
    of.conductor().adopt(*state);
    of.heap().roots().detach(*core_);
  });
}

SharedMutator::SharedMutator(Runtime& runtime) : mutator_(std::make_unique<Mutator>(runtime)) {
  MutatorState& state = *mutator_->core().state;
  state.core.window.stays_closed = true;  // its users' stacks are many, and may be gone in a stop
  mutator_->resign();
  state.runtime.safepoint().leave(state);
}

SharedMutator::~SharedMutator() {
  MutatorState& state = *mutator_->core().state;
  state.runtime.safepoint().come_back(state);
  mutator_->become_current();
  mutator_.reset();
}

SharedMutator::Use::Use(SharedMutator& shared) : shared_(shared), lock_(shared.mutex_) {
  MutatorState& state = *shared.mutator_->core().state;
  state.runtime.safepoint().come_back(state);
  shared.mutator_->become_current();
}

SharedMutator::Use::Use(SharedMutator& shared, std::try_to_lock_t)
    : shared_(shared), lock_(shared.mutex_, std::try_to_lock) {
  if (!lock_.owns_lock()) {
    return;
  }
  MutatorState& state = *shared.mutator_->core().state;
  if (!state.runtime.safepoint().try_come_back(state)) {
    lock_.unlock();
    return;
  }
  shared.mutator_->become_current();
}

SharedMutator::Use::~Use() {
  if (!is_there()) {
    return;
  }
  MutatorState& state = *shared_.mutator_->core().state;
  check(!state.has_locals(), "a local outlived the use of the mutator it was made with");
  shared_.mutator_->resign();
  state.runtime.safepoint().leave(state);
}

void Mutator::poll() { poll_one(*core_->state); }

void poll() {
  for (MutatorState* state = detail::current_core->state; state != nullptr; state = state->outer) {
    poll_one(*state);
  }
}

Away::Away(Mutator& mutator) : core_(&mutator.core()) {
  core_->state->runtime.safepoint().leave(*core_->state);
}

Away::~Away() { core_->state->runtime.safepoint().come_back(*core_->state); }

namespace detail {

HandleCell* take_handle_cell(MutatorCore& core, ObjectIndex object) {
  check(core.state != nullptr, "a handle was made by a thread that has no mutator");
  return core.state->runtime.heap().roots().handles().take(object);
}

PinRow* take_pin(MutatorCore& core, ObjectIndex object) {
  check(core.state != nullptr, "an object was pinned by a thread that has no mutator");
  const HeapId heap = core.state->runtime.heap().cage().regions()[region_of(object)].heap;
  MutatorState* const mutator = mutator_of(core.state, heap);
  check(mutator != nullptr, "an object was pinned of a runtime that this thread has no mutator of");
  check(mutator->presence == Presence::kRunning, "an object was pinned by a thread that is away");
  return mutator->runtime.heap().roots().pins().pin(object);
}

}  // namespace detail

}  // namespace tenure
