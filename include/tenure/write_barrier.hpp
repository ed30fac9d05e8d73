// The barrier by itself, for who stores references by hand: generated code, or memory that was copied.
// A `Ref` needs none of it.
#pragma once

#include <cstdint>

#include "tenure/detail/fast_path.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

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

/// Turns barriers off, or on again: as `Config::write_barriers`, which says what that costs. A marking
/// beside mutators that is under way is ended by a full collection first.
///
/// errors   of `disable`: kUnsupported: in incremental and concurrent mode, and where a device marks;
///          kClosed
/// threads  anyone; a safepoint
Result<void> disable_write_barriers(Runtime& runtime);
Result<void> enable_write_barriers(Runtime& runtime);
[[nodiscard]] bool has_write_barriers(const Runtime& runtime);

}  // namespace tenure
