// The law of marking: what an object refers to, which objects a marking covers, and which bit is an
// object's. All markers, on the host and on a device, are loops over these functions, so that on one
// heap they differ in order and never in outcome.
//
// Invariant: constexpr functions over plain data; how a word is read is a parameter, since a marker
// beside running mutators must acquire what the barrier released.
#pragma once

#include <cstdint>

#include "core/model/heap_view.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Reads a word that nobody writes meanwhile: in a stop, or in a copy.
struct PlainReader {
  constexpr std::uint32_t operator()(const std::uint32_t& word) const { return word; }
};

[[nodiscard]] constexpr std::uint64_t first_word_of(ObjectIndex object) {
  return std::uint64_t{2} * static_cast<std::uint32_t>(object);
}

/// How many reference slots an object of that type and size has. Some may be null.
[[nodiscard]] constexpr std::uint32_t reference_count(const TypeRow& row, std::uint32_t granules) {
  return row.references == TypeRow::kFill ? 2 * (granules - 1 - row.tail) : row.references;
}

template <class Reader = PlainReader>
[[nodiscard]] constexpr std::uint32_t reference_count(const HeapView& heap, ObjectIndex object,
                                                      Reader read = {}) {
  const std::uint64_t word = first_word_of(object);
  const TypeId type = ObjectHeader::type_of(read(heap.words[word]));
  return reference_count(heap.types[static_cast<std::uint32_t>(type)], read(heap.words[word + 1]));
}

/// The k-th slot's target, which may be null.
template <class Reader = PlainReader>
[[nodiscard]] constexpr ObjectIndex reference_at(const HeapView& heap, ObjectIndex object,
                                                 std::uint32_t k, Reader read = {}) {
  return static_cast<ObjectIndex>(read(heap.words[first_word_of(object) + 2 + k]));
}

/// Whether the marking under way covers the objects of a region: they do not move meanwhile.
[[nodiscard]] constexpr bool marking_covers(const HeapView& heap, const RegionRow& row) {
  return row.heap == heap.heap && (row.flags & RegionRow::kMarking) != 0;
}

/// Whether the marking under way covers the object: it is there, and does not move meanwhile.
[[nodiscard]] constexpr bool marking_claims(const HeapView& heap, ObjectIndex object) {
  if (object == ObjectIndex::kNull) {
    return false;
  }
  return marking_covers(heap, heap.regions[region_of(object)]);
}

/// Whether an object may be marked without ever being read.
[[nodiscard]] constexpr bool is_leaf(const HeapView& heap, ObjectIndex object) {
  return heap.regions[region_of(object)].leaf != 0;
}

/// The object's bit: word `mark_bit / 32`, bit `mark_bit % 32`.
[[nodiscard]] constexpr std::uint32_t mark_bit(ObjectIndex object) {
  return static_cast<std::uint32_t>(object) / kGranulesPerMark;
}

/// The object whose bit it is. A bit stands for two granules, of which one starts a cell, or a run.
///
/// bit   of an object in a region of blocks, or of a large one
[[nodiscard]] constexpr ObjectIndex object_of_mark(const HeapView& heap, std::uint32_t bit) {
  const std::uint32_t even = bit * kGranulesPerMark;
  const std::uint32_t cell = heap.blocks[even / kGranulesPerBlock].cell;  // 0: a run starts here
  const bool starts_behind = cell != 0 && even % kGranulesPerBlock % cell != 0;
  return static_cast<ObjectIndex>(even + (starts_behind ? 1 : 0));
}

[[nodiscard]] constexpr bool is_marked(const std::uint32_t* marks, ObjectIndex object) {
  return (marks[mark_bit(object) / 32] >> (mark_bit(object) % 32) & 1) != 0;
}

/// Sets the bit. True where it was clear. For one thread.
constexpr bool claim_alone(std::uint32_t* marks, ObjectIndex object) {
  std::uint32_t& word = marks[mark_bit(object) / 32];
  const std::uint32_t bit = 1u << (mark_bit(object) % 32);
  const bool fresh = (word & bit) == 0;
  word |= bit;
  return fresh;
}

/// Calls `visit(child)` for each slot that is not null, in slot order.
template <class Visit, class Reader = PlainReader>
constexpr void for_each_reference(const HeapView& heap, ObjectIndex object, Visit visit,
                                  Reader read = {}) {
  const std::uint32_t count = reference_count(heap, object, read);
  for (std::uint32_t k = 0; k < count; ++k) {
    const ObjectIndex child = reference_at(heap, object, k, read);
    if (child != ObjectIndex::kNull) {
      visit(child);
    }
  }
}

}  // namespace tenure
