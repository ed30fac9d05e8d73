// Where spans wait: first in, first out, so that a span gathers objects while it waits and is read in
// one go. One queue for a marker alone, one for each member of a team, which others may steal from.
//
// Invariant: a span is in one queue once. So a queue is no longer than the heap has spans, and needs
// no way out when it is full.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/gc/span_table.hpp"

namespace tenure {

/// A ring that grows to a power of two.
class SpanQueue {
 public:
  void push(std::uint32_t span) {
    if (tail_ - head_ == ring_.size()) {
      grow();
    }
    ring_[tail_++ & (ring_.size() - 1)] = span;
  }
  /// kNoSpan when empty.
  [[nodiscard]] std::uint32_t pop() {
    return head_ == tail_ ? kNoSpan : ring_[head_++ & (ring_.size() - 1)];
  }
  /// What `pop` would give.
  [[nodiscard]] std::uint32_t peek() const {
    return head_ == tail_ ? kNoSpan : ring_[head_ & (ring_.size() - 1)];
  }
  [[nodiscard]] bool empty() const { return head_ == tail_; }

 private:
  void grow();

  static constexpr std::size_t kFirstCapacity = 64;
  std::vector<std::uint32_t> ring_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
};

/// The same for a member of a team: the owner pushes, and everybody takes the oldest.
///
/// threads  `push`: the owner; `pop`, `peek`, `size`: anyone
class StealableSpanQueue {
 public:
  StealableSpanQueue();
  StealableSpanQueue(const StealableSpanQueue&) = delete;
  StealableSpanQueue& operator=(const StealableSpanQueue&) = delete;

  void push(std::uint32_t span);
  /// kNoSpan when empty.
  [[nodiscard]] std::uint32_t pop();
  /// What `pop` may give next.
  [[nodiscard]] std::uint32_t peek() const;
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Spans that were ever taken.
  [[nodiscard]] std::uint64_t taken() const { return head_.load(std::memory_order_relaxed); }

 private:
  struct Ring {
    explicit Ring(std::uint64_t capacity)
        : mask(capacity - 1), spans(std::make_unique<std::atomic<std::uint32_t>[]>(capacity)) {}
    [[nodiscard]] std::atomic<std::uint32_t>& at(std::uint64_t place) const {
      return spans[place & mask];
    }
    std::uint64_t mask;
    std::unique_ptr<std::atomic<std::uint32_t>[]> spans;
  };
  void grow(std::uint64_t head, std::uint64_t tail);

  static constexpr std::uint64_t kFirstCapacity = 64;
  static constexpr std::size_t kLine = 64;

  // Places only ever go up, so that a span read at a place is still there if `head_` is.
  alignas(kLine) std::atomic<std::uint64_t> head_{0};
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};  // the owner's
  std::atomic<Ring*> ring_;
  // Outgrown rings stay, since a thief may still read one. Together they are no longer than the last.
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace tenure
