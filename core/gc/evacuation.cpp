#include "core/gc/evacuation.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "core/heap/card_scan.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/mark_law.hpp"

namespace tenure {

namespace {

// Copies `granules` granules; small counts, so that a loop of words beats a call.
inline void copy_object(ObjectIndex to, ObjectIndex from, std::uint32_t granules) {
  const auto* source = reinterpret_cast<const std::uint64_t*>(detail::address_of(from));
  auto* target = reinterpret_cast<std::uint64_t*>(detail::address_of(to));
  constexpr std::uint32_t kLoop = 16;  // granules; above, memcpy's vectors win
  if (granules > kLoop) {
    std::memcpy(target, source, std::uint64_t{granules} * kGranuleBytes);
    return;
  }
  for (std::uint32_t k = 0; k < granules; ++k) {
    target[k] = source[k];
  }
}

// One copying worker: its cells, its stack of copies not yet read, its counts.
class Copier {
 public:
  Copier(Heap& heap, Promotion promotion)
      : heap_(heap),
        regions_(heap.cage().regions()),
        types_(TypeTable::instance().rows()),
        promotion_(promotion),
        oldest_(heap.oldest()),
        age_limit_(heap.options().promotion_age),
        is_marking_(heap.is_marking()) {}

  // Rewrites the slot if it names something that moves.
  void visit(ObjectIndex& slot) {
    if (slot == ObjectIndex::kNull) {
      return;
    }
    const RegionRow& row = regions_[region_of(slot)];
    if ((row.flags & RegionRow::kCondemned) != 0) {
      slot = survive(slot, row);
    }
  }

  // Reads the copies made so far, and those that they lead to.
  void drain() {
    while (!unread_.empty()) {
      const ObjectIndex object = unread_.back();
      unread_.pop_back();
      read(object);
    }
  }

  // Keeps a card while it holds a reference from old to young.
  void scan_card(std::uint32_t card) {
    const RegionRow& row = regions_[card / kCardsPerRegion];
    if (row.heap != heap_.id() || row.kind == RegionKind::kFree ||
        (row.flags & RegionRow::kCondemned) != 0) {
      return;
    }
    bool keeps = false;
    for_each_slot_on_card(heap_.cage(), card, [&](ObjectIndex& slot) {
      visit(slot);
      keeps |= slot != ObjectIndex::kNull && generation_of(slot) < row.generation;
    });
    if (keeps) {
      heap_.cards().remembered().add(card);
    }
    ++stats_.cards_scanned;
  }

  // Whether a condemned object lives; rewritten if it moved.
  bool survives(ObjectIndex& object) const {
    const ObjectHeader header = detail::header_of(object);
    if (header.has(ObjectFlag::kForwarded)) {
      object = object_on(header.size);
      return true;
    }
    return is_marked(heap_.cage().marks(), object);  // held back
  }

  EvacuationStats finish() {
    heap_.old().flush(cells_);
    return stats_;
  }

 private:
  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) const {
    return regions_[region_of(object)].generation;
  }

  // Where a reached, condemned object is from now on.
  ObjectIndex survive(ObjectIndex object, const RegionRow& row) {
    ObjectHeader& header = detail::header_of(object);
    if (header.has(ObjectFlag::kForwarded)) {
      return object_on(header.size);
    }
    const bool stayed =
        (row.flags & RegionRow::kHeld) != 0 && is_marked(heap_.cage().marks(), object);
    if (stayed || header.has(ObjectFlag::kPinned)) [[unlikely]] {
      return stay(object);
    }
    const std::uint32_t granules = header.size;
    const std::uint32_t generation = row.generation;
    const std::uint32_t references =
        reference_count(types_[static_cast<std::uint32_t>(header.type())], granules);
    const std::uint32_t age = header.age() + 1;
    const bool goes_up = promotion_ == Promotion::kAllToOldest || age >= age_limit_;
    const std::uint32_t target = promotion_ == Promotion::kAllToOldest ? oldest_
                                 : goes_up                             ? generation + 1
                                                                       : generation;
    const ObjectIndex copy = take(target, granules, references == 0);
    if (copy == ObjectIndex::kNull) [[unlikely]] {
      return stay(object);
    }
    copy_object(copy, object, granules);
    detail::header_of(copy).meta = ObjectHeader::with_age(header.meta, goes_up ? 0 : age);
    header.meta |= static_cast<std::uint32_t>(ObjectFlag::kForwarded);
    header.size = granule_of(copy);
    count(goes_up, granules);
    if (references > 0) {
      unread_.push_back(copy);
    }
    if (target == oldest_ && is_marking_) [[unlikely]] {
      stats_.promoted_while_marking.push_back(copy);
    }
    return copy;
  }

  [[nodiscard]] ObjectIndex take(std::uint32_t target, std::uint32_t granules, bool leaf) {
    return target == oldest_ ? heap_.take_promoted(cells_, granules,
                                                   leaf ? Content::kLeaves : Content::kReferences)
                             : heap_.young().take_for_survivor(target, granules);
  }

  // Why a mark: a header that says "forwarded" would lose its size, and the region must be walked.
  ObjectIndex stay(ObjectIndex object) {
    if (claim_alone(heap_.cage().marks(), object)) {
      heap_.young().hold_back(object);
      ++stats_.objects_held;
      unread_.push_back(object);
    }
    return object;
  }

  void read(ObjectIndex object) {
    const std::uint32_t own = generation_of(object);
    const ObjectHeader header = detail::header_of(object);
    const std::uint32_t references =
        reference_count(types_[static_cast<std::uint32_t>(header.type())], header.size);
    ObjectIndex* const slots = slots_of(object);
    for (std::uint32_t k = 0; k < references; ++k) {
      visit(slots[k]);
      if (own > 0 && slots[k] != ObjectIndex::kNull && generation_of(slots[k]) < own) {
        heap_.cards().remembered().add(card_of(granule_of(object) + 1 + k / 2));
      }
    }
  }

  void count(bool goes_up, std::uint32_t granules) {
    const Bytes size{std::uint64_t{granules} * kGranuleBytes};
    if (goes_up) {
      ++stats_.objects_promoted;
      stats_.bytes_promoted += size;
    } else {
      ++stats_.objects_copied;
      stats_.bytes_copied += size;
    }
  }

  Heap& heap_;
  const RegionRow* regions_;
  const TypeRow* types_;
  Promotion promotion_;
  std::uint32_t oldest_;
  std::uint32_t age_limit_;
  bool is_marking_;
  CellCache cells_;
  std::vector<ObjectIndex> unread_;
  EvacuationStats stats_;
};

// A region with an object that stayed is walkable again: what is dead or moved becomes filler.
void clean_held(Heap& heap, std::uint32_t region) {
  const std::uint32_t first = first_granule_of_region(region);
  const std::uint32_t top = first + heap.cage().regions()[region].top;
  for (std::uint32_t at = first; at < top;) {
    const ObjectHeader header = detail::header_of(object_on(at));
    const bool moved = header.has(ObjectFlag::kForwarded);
    const std::uint32_t granules =
        moved ? detail::header_of(object_on(header.size)).size : header.size;
    std::uint32_t& word = heap.cage().marks()[mark_bit(object_on(at)) / 32];
    const std::uint32_t bit = 1u << (mark_bit(object_on(at)) % 32);
    if ((word & bit) == 0) {
      write_filler(at, granules);
    }
    word &= ~bit;
    at += granules;
  }
}

Retired settle_owners(Heap& heap, const Copier& copier, std::uint32_t last) {
  Retired sum;
  // Why from above: an owner that goes up must not be looked at again.
  for (std::uint32_t generation = last + 1; generation-- > 0;) {
    const Retired part = heap.owners().settle(
        generation, [&](ObjectIndex& owner) { return copier.survives(owner); },
        [&](ObjectIndex owner) { return heap.generation_of(owner); });
    sum.payloads += part.payloads;
    sum.bytes += part.bytes;
  }
  return sum;
}

}  // namespace

EvacuationStats evacuate(Heap& heap, std::uint32_t last, Promotion promotion) {
  heap.young().condemn(last);
  Copier copier(heap, promotion);
  const std::vector<std::uint32_t> remembered = heap.cards().remembered().take_all();
  for (const std::uint32_t card : remembered) {
    copier.scan_card(card);
  }
  heap.roots().for_each([&](ObjectIndex& root) { copier.visit(root); });
  copier.drain();
  const Retired retired = settle_owners(heap, copier, last);
  heap.young().finish([&](std::uint32_t region) { clean_held(heap, region); });
  EvacuationStats stats = copier.finish();
  stats.retired = retired;
  return stats;
}

}  // namespace tenure
