#include "tenure/permanent.hpp"

#include <string>

#include "core/heap/object_access.hpp"
#include "core/runtime/state.hpp"

namespace tenure {

Result<ObjectIndex> allocate_permanent(Mutator& mutator, TypeId type, Bytes data) {
  MutatorState& state = *mutator.core().state;
  if (!state.runtime.is_open()) {
    return Error{ErrorCode::kClosed, "an object was asked of a runtime that was closed"};
  }
  if (data.is_zero()) {
    return Error{ErrorCode::kBadArgument, "an object was asked for that has no data at all"};
  }
  const std::uint64_t granules = 1 + granules_for(data.count());
  const ObjectIndex object = state.runtime.heap().take_permanent(type, granules);
  if (object == ObjectIndex::kNull) {
    return Error{ErrorCode::kOutOfMemory, "there is no room for a permanent object of " +
                                              to_string(Bytes{granules * kGranuleBytes}) + " (" +
                                              std::string(type_name(type)) + ")"};
  }
  state.bytes_allocated += granules * kGranuleBytes;
  return object;
}

}  // namespace tenure
