// What of the older generations names something younger, as the card log and the remembered cards have it.
#pragma once

#include <cstdint>
#include <vector>

#include "tenure/mutator.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Objects that name something younger and lie on a remembered card, by address; good until the next
/// safepoint.
///
/// cost     stops the world for a walk over the heap
/// threads  the mutator's own, not away
[[nodiscard]] std::vector<ObjectIndex> remembered_objects(Mutator& mutator);

/// Forgets the remembered cards that name nothing younger, as the next collection would.
///
/// returns  cards that stay
/// cost     stops the world for a look at each card
/// threads  as above
std::uint64_t forget_clean_cards(Mutator& mutator);

}  // namespace tenure
