#include "tenure/remembered.hpp"

#include <algorithm>

#include "core/gc/card_slots.hpp"
#include "core/heap/object_access.hpp"
#include "core/runtime/state.hpp"
#include "tenure/object_facts.hpp"

namespace tenure {

namespace {

// Whether it names something younger, on a card that is remembered.
bool is_noted(Heap& heap, ObjectIndex object) {
  const std::uint32_t generation = heap.generation_of(object);
  const ObjectIndex* const slots = slots_of(object);
  const std::uint32_t first = granule_of(object) + 1;
  for (std::uint32_t k = 0; k < slot_count(object); ++k) {
    if (slots[k] != ObjectIndex::kNull && heap.generation_of(slots[k]) < generation &&
        heap.cards().remembered().has(card_of(first + k / 2))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<ObjectIndex> remembered_objects(Mutator& mutator) {
  MutatorState& self = *mutator.core().state;
  Heap& heap = self.runtime.heap();
  std::vector<ObjectIndex> found;
  self.runtime.conductor().in_stop(&self, [&] {
    heap.for_each_object([&](ObjectIndex object) {
      if (is_noted(heap, object)) {
        found.push_back(object);
      }
    });
  });
  std::sort(found.begin(), found.end());
  return found;
}

std::uint64_t forget_clean_cards(Mutator& mutator) {
  MutatorState& self = *mutator.core().state;
  Heap& heap = self.runtime.heap();
  self.runtime.conductor().in_stop(&self, [&] {
    CardSet& cards = heap.cards().remembered();
    for (const std::uint32_t card : cards.take_all()) {
      if (look_at_card(heap, card).has_younger) {
        cards.add(card);
      }
    }
  });
  return heap.cards().remembered().cards().size();
}

}  // namespace tenure
