#include "tenure/facade/reference_tracker.hpp"

#include <string>
#include <unordered_set>

#include "core/facade/state.hpp"
#include "tenure/object_facts.hpp"
#include "tenure/regions.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

namespace {

Result<void> store(Mutator& mutator, ObjectIndex from, std::uint32_t slot, ObjectIndex to) {
  const auto& object = *reinterpret_cast<const GcObject*>(detail::data_of(from));
  if (slot >= object.reference_count()) {
    return Error{ErrorCode::kBadArgument, "there is no reference " + std::to_string(slot) +
                                              "; the object has " +
                                              std::to_string(object.reference_count())};
  }
  if (object.is_sealed()) {
    return Error{ErrorCode::kBadArgument, "a reference was to be stored in a " +
                                              std::string(to_string(object.type())) +
                                              " that is sealed"};
  }
  detail::write_reference(mutator.core(), detail::places_of(from)[slot + 1], to);
  return {};
}

}  // namespace

Result<void> ReferenceTracker::add_reference(const Handle<GcObject>& from, std::uint32_t slot,
                                             const Handle<GcObject>& to) {
  return state_->with(from, [&](Mutator& mutator, ObjectIndex index) -> Result<void> {
    if (!to) {
      return Error{ErrorCode::kBadArgument, "a reference to nothing was to be added"};
    }
    if (!heap_region_at(state_->runtime, detail::address_of(to.index()))) {
      return Error{ErrorCode::kBadArgument,
                   "a reference was to lead to another collector's object"};
    }
    return store(mutator, index, slot, to.index());
  });
}

Result<void> ReferenceTracker::remove_reference(const Handle<GcObject>& from, std::uint32_t slot) {
  return state_->with(from, [&](Mutator& mutator, ObjectIndex index) {
    return store(mutator, index, slot, ObjectIndex::kNull);
  });
}

// Nothing moves meanwhile: the thread reaches no safepoint.
Result<std::vector<Handle<GcObject>>> ReferenceTracker::get_reachable_objects(
    const Handle<GcObject>& from) const {
  using Found = std::vector<Handle<GcObject>>;
  return state_->with(from, [](Mutator& mutator, ObjectIndex index) -> Result<Found> {
    std::vector<ObjectIndex> reached{index};
    std::unordered_set<ObjectIndex> seen{index};
    Found found;
    for (std::size_t k = 0; k < reached.size(); ++k) {
      ObjectKind kind;
      if (detail::find_kind(detail::header_of(reached[k]).type(), kind)) {
        found.emplace_back(mutator.core(), reached[k]);
      }
      for (const ObjectIndex next : references_of(reached[k])) {
        if (seen.insert(next).second) {
          reached.push_back(next);
        }
      }
    }
    return found;
  });
}

Result<std::vector<ReferenceCycle>> ReferenceTracker::find_cycles() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const Result<HeapSnapshot> snapshot = take_snapshot(state_->runtime);
  if (!snapshot) {
    return snapshot.failure();
  }
  std::vector<ReferenceCycle> found;
  for (const ObjectCycle& cycle : tenure::find_cycles(*snapshot)) {
    ReferenceCycle made{.objects = cycle.objects.size(), .bytes = cycle.held.total(), .types = {}};
    for (const std::uint32_t object : cycle.objects) {
      ++made.types[snapshot->type_of(object).name];
    }
    found.push_back(std::move(made));
  }
  return found;
}

Result<std::map<std::string, Bytes>> ReferenceTracker::get_memory_usage_by_type() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const Result<HeapSnapshot> snapshot = take_snapshot(state_->runtime);
  if (!snapshot) {
    return snapshot.failure();
  }
  std::map<std::string, Bytes> usage;
  for (const TypeTotals& row : totals_by_type(*snapshot)) {
    usage[row.type] += row.held.total();
  }
  return usage;
}

Result<ReferenceStatistics> ReferenceTracker::reference_stats() const {
  Result<std::map<std::string, Bytes>> usage = get_memory_usage_by_type();
  if (!usage) {
    return usage.failure();
  }
  const Result<std::vector<ReferenceCycle>> cycles = find_cycles();
  if (!cycles) {
    return cycles.failure();
  }
  ReferenceStatistics made{.memory_usage_by_type = *std::move(usage),
                           .reference_cycles_detected = cycles->size()};
  for (const ReferenceCycle& cycle : *cycles) {
    made.largest_cycle_size = std::max(made.largest_cycle_size, cycle.objects);
  }
  return made;
}

}  // namespace tenure
