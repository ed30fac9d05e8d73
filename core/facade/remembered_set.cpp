#include "tenure/facade/remembered_set.hpp"

#include <string>

#include "core/facade/state.hpp"
#include "tenure/object_facts.hpp"
#include "tenure/remembered.hpp"
#include "tenure/write_barrier.hpp"

namespace tenure {

namespace {

// Calls `visit(slot)` for each slot of `owner` that names `target`; gives how many there were.
template <class Visit>
std::uint32_t each_slot(ObjectIndex owner, ObjectIndex target, Visit visit) {
  const auto& object = *reinterpret_cast<const GcObject*>(detail::data_of(owner));
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < object.reference_count(); ++slot) {
    if (detail::places_of(owner)[slot + 1] == target) {
      visit(slot);
      ++count;
    }
  }
  return count;
}

Error null_target() { return {ErrorCode::kBadArgument, "a handle was given that keeps no object"}; }

}  // namespace

Result<void> RememberedSet::record_reference(const Handle<GcObject>& owner,
                                             const Handle<GcObject>& target) {
  return state_->with(owner, [&](Mutator& mutator, ObjectIndex index) -> Result<void> {
    if (!target) {
      return null_target();
    }
    const std::uint32_t found = each_slot(index, target.index(), [&](std::uint32_t slot) {
      tenure::record_write(mutator, index, slot + 1);
    });
    if (found == 0) {
      return Error{ErrorCode::kBadArgument,
                   "a reference was to be remembered that the object does not have"};
    }
    return {};
  });
}

Result<bool> RememberedSet::remove_reference(const Handle<GcObject>& owner,
                                             const Handle<GcObject>& target) {
  return state_->with(owner, [&](Mutator& mutator, ObjectIndex index) -> Result<bool> {
    if (!target) {
      return null_target();
    }
    if (each_slot(index, target.index(), [](std::uint32_t) {}) != 0) {
      return Error{ErrorCode::kBadArgument,
                   "a reference was to be forgotten that the object has: it is kept for as long"};
    }
    (void)forget_clean_cards(mutator);
    return facts_of(mutator, index).is_remembered;
  });
}

// Nothing moves between the walk and the handles: the thread reaches no safepoint.
Result<std::vector<Handle<GcObject>>> RememberedSet::get_dirty_objects() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  SharedMutator::Use use(*state_->mutator);
  std::vector<Handle<GcObject>> found;
  for (const ObjectIndex object : remembered_objects(use.mutator())) {
    ObjectKind kind;
    if (detail::find_kind(detail::header_of(object).type(), kind)) {
      found.emplace_back(use.mutator().core(), object);
    }
  }
  return found;
}

Result<std::uint64_t> RememberedSet::clear_dirty_objects() {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  SharedMutator::Use use(*state_->mutator);
  return forget_clean_cards(use.mutator());
}

Result<void> WriteBarrier::record_write(const Handle<GcObject>& owner, std::uint32_t slot) {
  return state_->with(owner, [&](Mutator& mutator, ObjectIndex index) -> Result<void> {
    const auto& object = *reinterpret_cast<const GcObject*>(detail::data_of(index));
    if (slot >= object.reference_count()) {
      return Error{ErrorCode::kBadArgument, "there is no reference " + std::to_string(slot) +
                                                "; the object has " +
                                                std::to_string(object.reference_count())};
    }
    tenure::record_write(mutator, index, slot + 1);
    return {};
  });
}

Result<void> WriteBarrier::enable() {
  return state_->is_open() ? enable_write_barriers(state_->runtime)
                           : Result<void>(FacadeState::closed());
}
Result<void> WriteBarrier::disable() {
  return state_->is_open() ? disable_write_barriers(state_->runtime)
                           : Result<void>(FacadeState::closed());
}
bool WriteBarrier::is_enabled() const {
  return state_->is_open() && has_write_barriers(state_->runtime);
}

}  // namespace tenure
