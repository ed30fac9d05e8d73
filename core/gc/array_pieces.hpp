// Large arrays that are being read, in pieces: so that a slice ends in time, and a team shares one
// array. An array here is marked and open: from `next` on its slots are unread.
//
// Invariant: readers open arrays before spans, and a span holds 16 large arrays at the most; so there
// are few, whatever the heap.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "tenure/object.hpp"

namespace tenure {

/// Slots [first, end) of an object.
struct ArrayPiece {
  ObjectIndex object = ObjectIndex::kNull;
  std::uint32_t first = 0;
  std::uint32_t end = 0;
};

/// threads  anyone
class ArrayPieces {
 public:
  /// Slots read in one go. Why 1024: 4 KiB, some microseconds of work for one lock.
  static constexpr std::uint32_t kSlots = 1024;

  void push(const ArrayPiece& rest) {
    const std::scoped_lock lock(mutex_);
    rests_.push_back(rest);
    count_.store(rests_.size(), std::memory_order_relaxed);
  }

  /// kSlots of the array opened last, or what is left of it.
  [[nodiscard]] std::optional<ArrayPiece> pop() {
    const std::scoped_lock lock(mutex_);
    if (rests_.empty()) {
      return std::nullopt;
    }
    ArrayPiece& rest = rests_.back();
    const ArrayPiece piece{rest.object, rest.first,
                           rest.end - rest.first > kSlots ? rest.first + kSlots : rest.end};
    rest.first = piece.end;
    if (rest.first == rest.end) {
      rests_.pop_back();
      count_.store(rests_.size(), std::memory_order_relaxed);
    }
    return piece;
  }

  /// A moment's answer, without the lock.
  [[nodiscard]] bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }

  void clear() {
    const std::scoped_lock lock(mutex_);
    rests_.clear();
    count_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::size_t> count_{0};
  std::mutex mutex_;
  std::vector<ArrayPiece> rests_;  // guarded by mutex_
};

}  // namespace tenure
