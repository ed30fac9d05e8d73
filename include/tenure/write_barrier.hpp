// The barrier by itself, for who stores references by hand: generated code, or memory that was copied.
// A `Ref` needs none of it.
#pragma once

#include <cstdint>

#include "tenure/detail/fast_path.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Says that reference number `slot` of an object was stored past the barrier, after the store and before
/// the next safepoint. Without it a collection may miss what was stored, and free it.
///
/// object   not null, of the mutator's runtime; it has that slot
/// cost     as a store through a `Ref`
/// threads  the mutator's own
inline void record_write(Mutator& mutator, ObjectIndex object, std::uint32_t slot) {
  ObjectIndex& place = reinterpret_cast<ObjectIndex*>(detail::data_of(object))[slot];
  detail::write_reference(mutator.core(), place, place);
}

}  // namespace tenure
