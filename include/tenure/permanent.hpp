// Objects that are there for good: neither collected nor moved, and what they refer to lives.
#pragma once

#include "tenure/bytes.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// An object of a type that is known only as the program runs, made in a region that holds nothing else, its
/// data zero and not rooted yet: whoever keeps it for good pins it before the next safepoint.
///
/// type     from `register_type`
/// data     behind the header
/// errors   kOutOfMemory, without a collection; kBadArgument: no data at all; kClosed
/// threads  the mutator's own, not away
[[nodiscard]] Result<ObjectIndex> allocate_permanent(Mutator& mutator, TypeId type, Bytes data);

}  // namespace tenure
