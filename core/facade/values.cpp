#include "tenure/facade/values.hpp"

namespace tenure::detail {

Result<void> require_kind(const Handle<GcObject>& object, ObjectType type, ObjectType or_type) {
  if (!object) {
    return Error{ErrorCode::kBadArgument, "a handle was given that keeps no object"};
  }
  if (object->type() != type && object->type() != or_type) {
    return Error{ErrorCode::kBadArgument, "a " + std::string(to_string(object->type())) +
                                              " was looked at as a " +
                                              std::string(to_string(type))};
  }
  return {};
}

}  // namespace tenure::detail
