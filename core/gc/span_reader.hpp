// How marked objects are read fast: the loop that all host markers share.
//
//   queue of spans -> batch of grey objects, in address order -> their references -> ring -> mark bits
//         ^                                                                                    |
//         +----------------------- a span that had no grey object before ----------------------+
//
// The mark bit is tested at the edge, before the object is touched: the bits of a heap are 1/128 of
// it. Between an edge and its bit stands a ring, so that the bit's line is fetched meanwhile; between
// a batch's objects and their reading, the same.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "core/gc/array_pieces.hpp"
#include "core/gc/cell_places.hpp"
#include "core/gc/span_queue.hpp"
#include "core/gc/span_table.hpp"
#include "core/model/heap_view.hpp"
#include "core/model/marker.hpp"
#include "core/model/shared_marks.hpp"

namespace tenure {

/// One thread's way through a marking. Queue is the thread's own; table and pieces may be shared.
///
/// threads  one
template <Beside kBeside, class Queue>
class SpanReader {
 public:
  SpanReader(SpanTable<kBeside>& spans, ArrayPieces& pieces, Queue& queue)
      : spans_(spans), pieces_(pieces), queue_(queue) {}

  /// Starts anew, with nothing to read.
  void begin(const HeapView& heap) {
    heap_ = heap;
    open_ = {};
    stats_ = {};
    ring_.fill(ObjectIndex::kNull);
  }

  /// Marks objects, and queues the spans that have to be read for it.
  void reach(std::span<const ObjectIndex> objects) {
    for (const ObjectIndex object : objects) {
      follow(object);
    }
    settle();
  }

  /// Reads a batch or a piece of an array, and takes what that cost from `budget`. False when
  /// neither queue nor pieces hold anything; all that was reached is then marked.
  bool read_some(std::uint64_t& budget);

  /// Puts back what was opened and is unread, so that others may read it.
  void rest() {
    settle();
    if (open_.groups != 0) {
      queue(open_.span, open_.groups);
      open_ = {};
    }
  }

  /// A span from elsewhere. Nothing of this reader's own was left.
  void open(std::uint32_t span) { open_ = {span, spans_.take_grey(span)}; }

  [[nodiscard]] const MarkStats& stats() const { return stats_; }

 private:
  // Measured: `bench mark`, random graph of 10 M objects; flat between 16 and 64.
  static constexpr std::uint32_t kEdgesAhead = 32;
  static constexpr std::uint32_t kObjectsAhead = 12;
  static constexpr std::uint32_t kBatch = 128;
  // So many slots of an array are as much work as one object of the usual size.
  static constexpr std::uint32_t kSlotsPerObject = 4;

  using Reader = std::conditional_t<kBeside == Beside::kNobody, PlainReader, AcquireReader>;
  struct OpenSpan {
    std::uint32_t span = kNoSpan;
    std::uint64_t groups = 0;  // that hold grey objects, and are not in the batch yet
  };

  std::uint32_t gather(std::uint64_t limit);
  void read_batch(std::uint32_t count);
  void read_slots(ObjectIndex object, std::uint32_t first, std::uint32_t end) {
    for (std::uint32_t k = first; k < end; ++k) {
      const ObjectIndex child = reference_at(heap_, object, k, Reader{});
      if (child != ObjectIndex::kNull) {
        ++stats_.references;
        follow(child);
      }
    }
  }

  // An edge goes into the ring, the oldest comes out.
  void follow(ObjectIndex child) {
    __builtin_prefetch(heap_.marks + mark_bit(child) / 32, 1);
    ObjectIndex& place = ring_[ring_at_++ % kEdgesAhead];
    const ObjectIndex due = place;
    place = child;
    mark(due);
  }
  // All that is in the ring comes out. Why not the whole ring: of a list it holds one edge at a time.
  void settle() {
    const std::uint64_t end = ring_at_;
    for (std::uint64_t k = std::max(settled_, end - std::min<std::uint64_t>(end, kEdgesAhead));
         k < end; ++k) {
      mark(std::exchange(ring_[k % kEdgesAhead], ObjectIndex::kNull));
    }
    settled_ = end;
  }

  void mark(ObjectIndex object);
  [[nodiscard]] bool is_marked_now(ObjectIndex object) const {
    if constexpr (kBeside == Beside::kMarkers) {
      const std::uint32_t word = AcquireReader{}(heap_.marks[mark_bit(object) / 32]);
      return (word >> (mark_bit(object) % 32) & 1) != 0;
    }
    return is_marked(heap_.marks, object);
  }
  [[nodiscard]] bool claim(ObjectIndex object) {
    if constexpr (kBeside == Beside::kMarkers) {
      return claim_shared(heap_.marks, object);
    }
    return claim_alone(heap_.marks, object);
  }
  void queue(std::uint32_t span, std::uint64_t groups) {
    if (spans_.add_grey(span, groups)) {
      queue_.push(span);
    }
  }

  HeapView heap_;
  SpanTable<kBeside>& spans_;
  ArrayPieces& pieces_;
  Queue& queue_;
  OpenSpan open_;
  MarkStats stats_;
  std::uint64_t ring_at_ = 0;  // edges that went into the ring
  std::uint64_t settled_ = 0;  // so many of them came out at once
  std::array<ObjectIndex, kEdgesAhead> ring_{};
  std::array<ObjectIndex, kBatch + kMarksPerGroup + kObjectsAhead> batch_{};
};

template <Beside kBeside, class Queue>
bool SpanReader<kBeside, Queue>::read_some(std::uint64_t& budget) {
  if (!pieces_.empty()) {
    if (const std::optional<ArrayPiece> piece = pieces_.pop()) {
      read_slots(piece->object, piece->first, piece->end);
      budget -= std::min<std::uint64_t>(budget, (piece->end - piece->first) / kSlotsPerObject + 1);
      return true;
    }
  }
  std::uint32_t count = gather(budget);
  if (count == 0) {
    settle();
    count = gather(budget);
  }
  read_batch(count);
  budget -= std::min<std::uint64_t>(budget, count);
  return count > 0;
}

template <Beside kBeside, class Queue>
std::uint32_t SpanReader<kBeside, Queue>::gather(std::uint64_t limit) {
  const auto wanted = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, kBatch));
  std::uint32_t count = 0;
  while (count < wanted) {
    if (open_.groups == 0) {
      const std::uint32_t span = queue_.pop();
      if (span == kNoSpan) {
        break;
      }
      open(span);
      if (const std::uint32_t next = queue_.peek(); next != kNoSpan) {
        spans_.prefetch(heap_.marks, next);
      }
      continue;
    }
    const auto group = static_cast<std::uint32_t>(std::countr_zero(open_.groups));
    open_.groups &= open_.groups - 1;
    const std::uint32_t first = first_mark_of(open_.span, group);
    const CellPlaces places(heap_, first / (kGranulesPerBlock / kGranulesPerMark));
    for (std::uint64_t grey = spans_.take_objects(heap_.marks, open_.span, group); grey != 0;
         grey &= grey - 1) {
      batch_[count++] =
          places.object_of(first + static_cast<std::uint32_t>(std::countr_zero(grey)));
    }
  }
  return count;
}

template <Beside kBeside, class Queue>
void SpanReader<kBeside, Queue>::read_batch(std::uint32_t count) {
  const auto prefetch = [this](ObjectIndex object) {
    __builtin_prefetch(heap_.words + first_word_of(object));
  };
  std::fill_n(batch_.begin() + count, kObjectsAhead, count > 0 ? batch_[count - 1] : batch_[0]);
  for (std::uint32_t k = 0; k < kObjectsAhead && k < count; ++k) {
    prefetch(batch_[k]);
  }
  for (std::uint32_t k = 0; k < count; ++k) {
    prefetch(batch_[k + kObjectsAhead]);
    const ObjectIndex object = batch_[k];
    std::uint32_t slots = reference_count(heap_, object, Reader{});
    if (slots > ArrayPieces::kSlots) [[unlikely]] {
      pieces_.push({object, ArrayPieces::kSlots, slots});
      slots = ArrayPieces::kSlots;
    }
    read_slots(object, 0, slots);
  }
}

template <Beside kBeside, class Queue>
void SpanReader<kBeside, Queue>::mark(ObjectIndex object) {
  // Why the bit first: three of four edges lead to what is marked already. A bit outside of what the
  // marking covers may say anything.
  if (object == ObjectIndex::kNull || is_marked_now(object) || !marking_claims(heap_, object) ||
      !claim(object)) {
    return;
  }
  ++stats_.objects;
  if (!is_leaf(heap_, object)) {
    queue(span_of(object), std::uint64_t{1} << group_of(object));
  }
}

}  // namespace tenure
