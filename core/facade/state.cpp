#include "core/facade/state.hpp"

#include "core/facade/object_maker.hpp"
#include "tenure/object_facts.hpp"
#include "tenure/regions.hpp"

namespace tenure {

Result<void> FacadeState::require(const Handle<GcObject>& object) {
  if (!object) {
    return Error{ErrorCode::kBadArgument, "a handle was given that keeps no object"};
  }
  if (!heap_region_at(runtime, detail::address_of(object.index()))) {
    return Error{ErrorCode::kBadArgument, "an object was given that is another collector's"};
  }
  ObjectKind kind;
  if (!detail::find_kind(detail::header_of(object.index()).type(), kind)) {
    return Error{ErrorCode::kBadArgument,
                 "an object was given that another door made, a " +
                     std::string(type_name(detail::header_of(object.index()).type()))};
  }
  return {};
}

void FacadeState::note(Mutator& by, const Result<Handle<GcObject>>& made) {
  if (made) {
    counts.note((*made)->type(), (*made)->size(), is_in_oldest(by, made->index()));
  }
}

Result<Handle<GcObject>> FacadeState::allocate(ObjectType type, std::uint64_t size,
                                               const AllocateOptions& options) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "an object was asked of a collector that was shut down"};
  }
  if (type == ObjectType::kFunction || type == ObjectType::kClosure) {
    return Error{ErrorCode::kBadArgument, "a " + std::string(to_string(type)) +
                                              " is made of code, by allocate_" +
                                              std::string(to_string(type)) + ", and not of a size"};
  }
  SharedMutator::Use use(*mutator);
  if (type == ObjectType::kUnitValue && unit && size == 0) {
    return unit;
  }
  AllocateOptions asked = options;
  asked.permanent = asked.permanent || type == ObjectType::kUnitValue;
  if (Result<void> fits = check_permanent(asked, size); !fits) {
    return fits.failure();
  }
  Result<Handle<GcObject>> made =
      GcObjectMaker::make(use.mutator(), type, size, asked, threshold());
  if (made && asked.permanent) {
    permanent.emplace_back(use.mutator().core(), made->index());
    permanent_bytes += facts_of(use.mutator(), made->index()).size;
  }
  if (made && type == ObjectType::kUnitValue) {
    unit = *made;
  } else {
    permanent_count.fetch_add(made && asked.permanent ? 1 : 0, std::memory_order_relaxed);
    note(use.mutator(), made);
  }
  return made;
}

Result<void> FacadeState::check_permanent(const AllocateOptions& options,
                                          std::uint64_t size) const {
  if (!options.permanent) {
    return {};
  }
  // At the most: where the data lie in a payload it is less.
  const Bytes most{detail::dynamic_bytes(options.references, Bytes{size} < threshold() ? size : 0)};
  const Bytes limit = configuration.permanent_size_mb * 1_MiB;
  if (permanent_bytes + most > limit) {
    return Error{ErrorCode::kOutOfMemory, "permanent objects have " + to_string(permanent_bytes) +
                                              " of permanent_size_mb, " + to_string(limit) +
                                              ", which has no room for " + to_string(most)};
  }
  return {};
}

Result<void> FacadeState::add_root(const Handle<GcObject>& object) {
  if (!is_open()) {
    return closed();
  }
  if (!object) {
    return Error{ErrorCode::kBadArgument, "a null handle was to become a root"};
  }
  SharedMutator::Use use(*mutator);
  try {
    roots->add(use.mutator(), object.index());
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
  return {};
}

Result<void> FacadeState::remove_root(const Handle<GcObject>& object) {
  if (!is_open()) {
    return closed();
  }
  SharedMutator::Use use(*mutator);
  if (!object || !roots->remove(use.mutator(), object.index())) {
    return Error{ErrorCode::kBadArgument,
                 "an object that is no root, or a null handle, was to be one no more"};
  }
  return {};
}

Result<RootCallbackId> FacadeState::add_root_callback(RootCallback callback) {
  if (!is_open()) {
    return closed();
  }
  return runtime.add_root_callback(std::move(callback));
}

bool FacadeState::remove_root_callback(RootCallbackId id) {
  return is_open() && runtime.remove_root_callback(id);
}

}  // namespace tenure
