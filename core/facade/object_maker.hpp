// How the kinds of the dynamic door lie in memory, and how they are made.
#pragma once

#include "tenure/facade/objects.hpp"
#include "tenure/mutator.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

/// Makes objects, and finds them among those of a census.
class GcObjectMaker {
 public:
  /// A zeroed object and a root for it.
  ///
  /// threshold  data from here on lie in a payload
  /// errors     kBadArgument: a size that the kind cannot have; kOutOfMemory
  [[nodiscard]] static Result<Handle<GcObject>> make(Mutator& mutator, ObjectType type,
                                                     std::uint64_t size, Bytes threshold);
};

}  // namespace tenure
