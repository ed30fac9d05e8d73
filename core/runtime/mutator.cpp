#include "core/runtime/mutator.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/heap/local_scan.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/region.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {
// Mixed with a mutator's address, so that no word of another use is a tag by chance. The highest bit is
// set, as in no address.
constexpr std::uintptr_t kTagKey = 0xB5AD'4ECE'DA1C'E2A9;
}  // namespace

MutatorState::MutatorState(RuntimeState& of) : runtime(of) {
  core.state = this;
  core.window.key = reinterpret_cast<std::uintptr_t>(&core) ^ kTagKey;
}

const std::optional<StackRange>& MutatorState::stack() {
  if (!stack_) {
    stack_ = host_platform().stack();
  }
  return *stack_;
}

bool MutatorState::has_locals() const {
  bool found = core.locals != nullptr;
  for_each_tagged(core.window, [&found](const detail::LocalLink&) { found = true; });
  return found;
}

ObjectIndex MutatorState::take_from_buffer(std::uint32_t granules) {
  const std::uint32_t next = core.buffer.next();
  if (std::uint64_t{next} + granules > buffer_limit) {
    return ObjectIndex::kNull;
  }
  count_taken();
  is_sample_due = sampler.pass(granules);
  const std::uint32_t end = next + granules;
  counted = end;
  core.buffer.open(end, static_cast<std::uint32_t>(
                            std::min<std::uint64_t>(buffer_limit, end + sampler.until())));
  return object_on(next);
}

void MutatorState::count_taken() {
  const std::uint32_t next = core.buffer.next();
  (void)sampler.pass(next - counted);
  counted = next;
}

void MutatorState::change_buffer(const BufferRun& run) {
  retire_buffer();
  core.buffer.open(run.first, 0);
  counted = run.first;
  buffer_limit = run.limit;
  bytes_allocated += std::uint64_t{run.limit - run.first} * kGranuleBytes;
}

void MutatorState::retire_buffer() {
  count_taken();
  counted = 0;
  const std::uint32_t next = core.buffer.next();
  if (next < buffer_limit) {
    write_filler(next, buffer_limit - next);
    bytes_allocated -= std::uint64_t{buffer_limit - next} * kGranuleBytes;
  }
  buffer_limit = 0;
  core.buffer.open(0, 0);
}

MutatorState* mutator_of(MutatorState* newest, HeapId heap) {
  while (newest != nullptr && newest->runtime.heap().id() != heap) {
    newest = newest->outer;
  }
  return newest;
}

namespace detail {

constinit MutatorCore detached_core;

void log_card(MutatorCore& core, std::uint32_t card) {
  check(core.state != nullptr, "a reference was stored by a thread that has no mutator");
  const RegionRow& row = core.state->runtime.heap().cage().regions()[card / kCardsPerRegion];
  // A card of another heap belongs into the log of the thread's mutator there.
  MutatorState* const mutator = mutator_of(core.state, row.heap);
  check(mutator != nullptr,
        "a reference was stored in an object of a heap that this thread has no mutator of");
  if (row.kind == RegionKind::kNursery) {
    return;  // of a heap whose mutator is not the newest: its stores need no log either
  }
  // Why no exchange: if two mutators log the same card, the drain drops the twin.
  std::atomic_ref(cage_cards[card]).store(kCardLogged, std::memory_order_relaxed);
  mutator->log->add(card);
  if (mutator->log->is_full()) {
    mutator->log = mutator->runtime.heap().cards().exchange(std::move(mutator->log));
  }
}

void construction_begins(MutatorCore& core) { core.state->constructing = true; }
void construction_ends(MutatorCore& core) { core.state->constructing = false; }

}  // namespace detail

}  // namespace tenure
