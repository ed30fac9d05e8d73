// Barriers that are turned off and on. Stores look at one range of addresses, and at nothing else: where
// it is all there are, no store is one to note.
#include "tenure/write_barrier.hpp"

#include <limits>
#include <string>

#include "core/heap/object_access.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

detail::BarrierState Conductor::barrier_state() {
  if (!has_write_barriers()) {
    return {.nursery = 0, .nursery_bytes = std::numeric_limits<std::uintptr_t>::max()};
  }
  if (!heap_.has_nursery()) {
    return {};
  }
  const RegionRun nursery = heap_.young().nursery();
  const auto first = static_cast<ObjectIndex>(first_granule_of_region(nursery.first));
  return {.nursery = reinterpret_cast<std::uintptr_t>(detail::address_of(first)),
          .nursery_bytes = std::uintptr_t{nursery.count} * kGranulesPerRegion * kGranuleBytes};
}

Result<void> Conductor::disable_write_barriers(MutatorState* self) {
  if (options_.mode == Mode::kIncremental || options_.mode == Mode::kConcurrent) {
    return Error{ErrorCode::kUnsupported,
                 "write barriers stay on in " + std::string(to_string(options_.mode)) +
                     " mode: a marking beside mutators is told by them of each store"};
  }
  if (device_markers_.in_stops != nullptr) {
    return Error{ErrorCode::kUnsupported,
                 "write barriers stay on where a device marks: its copy of the heap follows them"};
  }
  while (has_write_barriers()) {
    if (driver_.is_under_way()) {
      (void)collect(self, heap_.oldest(), CollectionTrigger::kExplicitRequest);
    }
    in_stop(self, [this] {
      if (!driver_.is_under_way()) {
        has_barriers_.store(false, std::memory_order_relaxed);
        safepoint_.for_each([this](MutatorState& other) { other.core.barrier = barrier_state(); });
      }
    });
  }
  return {};
}

// What was stored meanwhile nobody noted: the next young collection looks everywhere once more.
void Conductor::enable_write_barriers(MutatorState* self) {
  in_stop(self, [this] {
    if (!has_write_barriers()) {
      has_barriers_.store(true, std::memory_order_relaxed);
      safepoint_.for_each([this](MutatorState& other) { other.core.barrier = barrier_state(); });
    }
  });
}

Result<void> disable_write_barriers(Runtime& runtime) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "write barriers were turned off in a runtime that was closed"};
  }
  return runtime.state().conductor().disable_write_barriers(runtime.state().self());
}

Result<void> enable_write_barriers(Runtime& runtime) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "write barriers were turned on in a runtime that was closed"};
  }
  runtime.state().conductor().enable_write_barriers(runtime.state().self());
  return {};
}

bool has_write_barriers(const Runtime& runtime) {
  return runtime.state().conductor().has_write_barriers();
}

}  // namespace tenure
