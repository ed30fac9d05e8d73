// What is known of one object beside its data: where it lives, how old it is, who watches it, and what
// it refers to. For debuggers, reports and doors that know types only as the program runs.
#pragma once

#include <cstdint>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// One object at one moment.
struct ObjectFacts {
  TypeId type = TypeId::kFreeCell;
  Bytes size{};  // of the heap, its header included
  std::uint32_t generation = 0;
  std::uint32_t age = 0;  // collections survived in that generation; 0 in the oldest
  /// The last marking of the oldest generation reached it; false for all while the next one is made ready or
  /// goes on, and for what came there since.
  bool is_marked = false;
  bool is_pinned = false;
  bool has_finalizer = false;   // that is set, and has not run
  bool is_weakly_held = false;  // a Weak names it
  bool is_sealed = false;
  bool is_alone = false;       // in regions that hold nothing else
  bool is_remembered = false;  // a card that its references lie on is in a log, or remembered
};

/// object   not null, of the mutator's runtime
/// cost     a lock, and a walk over the weak references to objects of its generation
/// threads  the mutator's own, not away
[[nodiscard]] ObjectFacts facts_of(Mutator& mutator, ObjectIndex object);

/// Whether the object lies in the oldest generation.
///
/// cost     a look at its region's row
/// threads  as above
[[nodiscard]] bool is_in_oldest(Mutator& mutator, ObjectIndex object);

/// What the object refers to, in slot order, without the empty slots; good until the next safepoint.
///
/// threads  as above
[[nodiscard]] std::vector<ObjectIndex> references_of(ObjectIndex object);

/// Says that nothing is to be stored in the object any more. Doors that check it refuse stores; what is
/// stored past them is stored.
///
/// threads  as above
void seal(Mutator& mutator, ObjectIndex object);

/// Clears every Weak that names the object, and tells nobody.
///
/// returns  how many there were
/// cost     a walk over the weak references to objects of its generation
/// threads  as above
std::uint64_t clear_weak_references(Mutator& mutator, ObjectIndex object);

}  // namespace tenure
