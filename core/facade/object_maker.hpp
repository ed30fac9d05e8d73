// How objects of the dynamic door are made.
#pragma once

#include <span>
#include <string_view>

#include "tenure/facade/allocation.hpp"
#include "tenure/facade/objects.hpp"
#include "tenure/mutator.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class GcObjectMaker {
 public:
  /// A zeroed object and a root for it; a device's memory is zeroed in order of its default stream.
  ///
  /// threshold  data from here on lie in a payload
  /// errors     kBadArgument: a size, a shape or slots that the kind cannot have; kOutOfMemory
  [[nodiscard]] static Result<Handle<GcObject>> make(Mutator& mutator, ObjectType type,
                                                     std::uint64_t size,
                                                     const AllocateOptions& options,
                                                     Bytes threshold);

  /// The same of a type that is one of `type`'s kind.
  [[nodiscard]] static Result<Handle<GcObject>> make_of(Mutator& mutator, TypeId row,
                                                        ObjectType type, std::uint64_t size,
                                                        const AllocateOptions& options,
                                                        Bytes threshold);

  /// A sealed string.
  ///
  /// errors   kBadArgument: the bytes are no UTF-8; kOutOfMemory
  [[nodiscard]] static Result<Handle<GcObject>> make_string(Mutator& mutator, std::string_view text,
                                                            Bytes threshold);

  /// A sealed function, or a closure where it captures: its data are the code's address and its name.
  ///
  /// captures   none of them null
  /// errors     kBadArgument: no code, or more captures than there may be; kOutOfMemory
  [[nodiscard]] static Result<Handle<GcObject>> make_function(
      Mutator& mutator, ObjectType type, const void* code, std::string_view name,
      std::span<const Handle<GcObject>> captures);
};

}  // namespace tenure
