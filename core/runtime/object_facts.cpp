#include "tenure/object_facts.hpp"

#include <atomic>

#include "core/heap/object_access.hpp"
#include "core/model/mark_law.hpp"
#include "core/runtime/state.hpp"

namespace tenure {

namespace {

std::uint32_t meta_of(ObjectIndex object) {
  return std::atomic_ref(detail::header_of(object).meta).load(std::memory_order_relaxed);
}

// Any card with a slot of the object. The sets are written in stops, and none is under way.
bool is_remembered(Heap& heap, ObjectIndex object) {
  const std::uint32_t slots = slot_count(object);
  if (slots == 0) {
    return false;
  }
  const std::uint32_t first = granule_of(object) + 1;
  for (std::uint32_t card = card_of(first); card <= card_of(first + (slots - 1) / 2); ++card) {
    if (std::atomic_ref(detail::cage_cards[card]).load(std::memory_order_relaxed) ==
            detail::kCardLogged ||
        heap.cards().remembered().has(card)) {
      return true;
    }
  }
  return false;
}

}  // namespace

ObjectFacts facts_of(Mutator& mutator, ObjectIndex object) {
  Heap& heap = mutator.core().state->runtime.heap();
  const std::uint32_t meta = meta_of(object);
  const std::uint32_t generation = heap.generation_of(object);
  return {.type = ObjectHeader::type_of(meta),
          .size = Bytes{std::uint64_t{detail::header_of(object).size} * kGranuleBytes},
          .generation = generation,
          .age = generation < heap.oldest() ? ObjectHeader::age_of(meta) : 0,
          .is_marked = generation == heap.oldest() && !heap.is_marking() &&
                       is_marked(heap.cage().marks(), object),
          .is_pinned = heap.roots().pins().pins_of(object) > 0,
          .has_finalizer = ObjectHeader::has(meta, ObjectFlag::kFinalizable),
          .is_weakly_held = heap.afterlife().weak().names(object),
          .is_sealed = ObjectHeader::has(meta, ObjectFlag::kSealed),
          .is_alone = heap.row(object).kind == RegionKind::kLargeHead,
          .is_remembered = is_remembered(heap, object)};
}

bool is_in_oldest(Mutator& mutator, ObjectIndex object) {
  Heap& heap = mutator.core().state->runtime.heap();
  return heap.generation_of(object) == heap.oldest();
}

std::vector<ObjectIndex> references_of(ObjectIndex object) {
  std::vector<ObjectIndex> found;
  const ObjectIndex* const slots = slots_of(object);
  for (std::uint32_t k = 0; k < slot_count(object); ++k) {
    if (slots[k] != ObjectIndex::kNull) {
      found.push_back(slots[k]);
    }
  }
  return found;
}

// Why atomic: beside us other mutators pin the object, and a marker reads its header.
void seal(Mutator&, ObjectIndex object) {
  std::atomic_ref(detail::header_of(object).meta)
      .fetch_or(static_cast<std::uint32_t>(ObjectFlag::kSealed), std::memory_order_relaxed);
}

std::uint64_t clear_weak_references(Mutator& mutator, ObjectIndex object) {
  return mutator.core().state->runtime.heap().afterlife().weak().clear_of(object);
}

}  // namespace tenure
