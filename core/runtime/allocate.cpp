// The slow paths of allocation: what happens when a mutator's buffer does not answer.
#include <atomic>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

// The constructor's own stores had no barrier: what an object born old refers to is remembered.
void log_born_old(MutatorState& mutator, ObjectIndex object) {
  const std::uint32_t slots = slot_count(object);
  if (slots == 0) {
    return;
  }
  const std::uint32_t first = granule_of(object) + 1;
  for (std::uint32_t card = card_of(first); card <= card_of(first + (slots - 1) / 2); ++card) {
    if (std::atomic_ref(detail::cage_cards[card]).load(std::memory_order_relaxed) !=
        detail::kCardLogged) {
      detail::log_card(mutator.core, card);
    }
  }
}

[[gnu::always_inline]] inline void record_allocation(MutatorState& mutator, TypeId type,
                                                     std::uint64_t granules) {
  EventRing& events = *mutator.events;
  if (events.wants_time()) [[unlikely]] {
    events.set_time(host_platform().now_ns());
  }
  events.add_allocation(static_cast<std::uint32_t>(type), granules * kGranuleBytes);
}

}  // namespace

bool RuntimeState::is_stress_due() {
  if (config_.collect_every == 0) {
    return false;
  }
  return (allocations_.fetch_add(1, std::memory_order_relaxed) + 1) % config_.collect_every == 0;
}

Result<ObjectIndex> RuntimeState::allocate(MutatorState& mutator, TypeId type,
                                           std::uint64_t granules) {
  check(!mutator.constructing,
        "a constructor of an object allocated another: it may have moved what is half built");
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "an object was asked of a runtime that was closed"};
  }
  if (has_farewells()) {
    run_farewells(mutator);
  }
  const bool is_small = granules * kGranuleBytes < large_object().count();
  if (is_stress_due()) {
    conductor_->collect(&mutator, 0, CollectionTrigger::kExplicitRequest);
  }
  const auto no_room = [&](const std::string& why) {
    return Error{ErrorCode::kOutOfMemory,
                 "no room for an object of " + to_string(Bytes{granules * kGranuleBytes}) + " (" +
                     std::string(type_name(type)) + "): " + why + describe_heap(&mutator)};
  };
  for (bool collected = false;;) {
    safepoint_.park(mutator);
    if (collected) {
      if (const std::string why = conductor_->why_give_up(); !why.empty()) {
        return no_room(why + "; ");
      }
    }
    if (is_small && heap_->has_nursery()) {
      const auto size = static_cast<std::uint32_t>(granules);
      const ObjectIndex object = mutator.take_from_buffer(size);
      // Order: the limit was opened, now the flag is read; a stopper does it the other way round.
      if (safepoint_.is_wanted() || config_.collect_every != 0 || mutator.events != nullptr) {
        mutator.core.buffer.close();
      }
      if (object != ObjectIndex::kNull) {
        detail::write_zeroed(object, type, size);
        if (mutator.is_sample_due) [[unlikely]] {
          sample_object(mutator, object, type, granules);
        }
        if (mutator.events != nullptr) {
          record_allocation(mutator, type, granules);
        }
        return object;
      }
      conductor_->assist(mutator);
      if (const std::optional<BufferRun> run = heap_->take_buffer(size)) {
        mutator.change_buffer(*run);
        continue;
      }
      if (!collected && conductor_->is_young_due(granules * kGranuleBytes)) {
        conductor_->collect_by_trigger(mutator);
        collected = true;
        continue;
      }
    }
    if (!collected && conductor_->is_old_full(granules * kGranuleBytes)) {
      conductor_->collect_by_trigger(mutator);
      collected = true;
      continue;
    }
    conductor_->assist(mutator);
    if (const ObjectIndex object = heap_->take_born_old(type, granules);
        object != ObjectIndex::kNull) {
      mutator.bytes_allocated += granules * kGranuleBytes;
      log_born_old(mutator, object);
      if (mutator.sampler.is_on()) [[unlikely]] {
        mutator.count_taken();
        if (mutator.sampler.pass(granules)) {
          sample_object(mutator, object, type, granules);
        }
        mutator.core.buffer.close();  // its limit was where the sampler had the next sample
      }
      if (mutator.events != nullptr) {
        record_allocation(mutator, type, granules);
      }
      return object;
    }
    if (config_.mode == Mode::kManual || !try_full(mutator)) {
      return no_room("");
    }
    collected = true;
  }
}

ObjectIndex RuntimeState::try_record(MutatorState& mutator, TypeId type, std::uint64_t granules) {
  // Since the limit is closed, the sampler has passed all that was taken so far.
  const std::uint64_t end = mutator.core.buffer.next() + granules;
  if (end > mutator.buffer_limit || granules > mutator.sampler.until() || safepoint_.is_wanted() ||
      config_.collect_every != 0 || granules * kGranuleBytes >= large_object().count()) {
    return ObjectIndex::kNull;
  }
  const ObjectIndex object = object_on(mutator.core.buffer.next());
  mutator.core.buffer.advance(static_cast<std::uint32_t>(granules));
  (void)mutator.sampler.pass(granules);
  mutator.counted = mutator.core.buffer.next();
  detail::fetch_for_next(object);
  detail::write_header(object, type, static_cast<std::uint32_t>(granules));
  detail::zero(detail::data_of(object), (granules - 1) * kGranuleBytes);
  record_allocation(mutator, type, granules);
  return object;
}

bool RuntimeState::try_full(MutatorState& mutator) {
  // Twice without a byte freed is the end: what is left is alive, and packed.
  const Bytes before = heap_->committed();
  const CollectionReport report = conductor_->collect(
      &mutator, heap_->oldest(), CollectionTrigger::kLargeObject, Compact::kAlways);
  return report.bytes_freed.count() > 0 || heap_->committed() < before;
}

Result<ObjectIndex> allocate_object(Mutator& mutator, TypeId type, Bytes data) {
  if (data.is_zero()) {
    return Error{ErrorCode::kBadArgument, "an object needs a byte of data at least"};
  }
  MutatorState& state = *mutator.core().state;
  return state.runtime.allocate(state, type, 1 + granules_for(data.count()));
}

namespace detail {

ObjectIndex allocate_slowly(MutatorCore& core, TypeId type, std::uint64_t granules) {
  if (core.state->events != nullptr) [[unlikely]] {
    const ObjectIndex object = core.state->runtime.try_record(*core.state, type, granules);
    if (object != ObjectIndex::kNull) {
      return object;
    }
  }
  return value_or_throw(core.state->runtime.allocate(*core.state, type, granules));
}

ObjectIndex allocate_array(MutatorCore& core, TypeId type, std::uint64_t length) {
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 31;
  if (length > kLongest) {
    throw_failure({ErrorCode::kBadArgument,
                   "an array of " + std::to_string(length) + " references is longer than 2^31"});
  }
  const std::uint64_t granules = 1 + (length + 1) / 2 + 1;  // header, slots, the length itself
  const ObjectIndex object = allocate_slowly(core, type, granules);
  reinterpret_cast<std::uint32_t*>(data_of(object))[2 * (granules - 2)] =
      static_cast<std::uint32_t>(length);
  return object;
}

}  // namespace detail

}  // namespace tenure
