#include "core/gc/span_queue.hpp"

#include <algorithm>
#include <utility>

namespace tenure {

void SpanQueue::grow() {
  std::vector<std::uint32_t> larger(std::max(2 * ring_.size(), kFirstCapacity));
  for (std::uint64_t place = head_; place != tail_; ++place) {
    larger[place & (larger.size() - 1)] = ring_[place & (ring_.size() - 1)];
  }
  ring_ = std::move(larger);
}

StealableSpanQueue::StealableSpanQueue() {
  rings_.push_back(std::make_unique<Ring>(kFirstCapacity));
  ring_.store(rings_.back().get(), std::memory_order_relaxed);
}

void StealableSpanQueue::push(std::uint32_t span) {
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  // Why acquire: a place is written anew only after whoever emptied it is done with it.
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  if (tail - head > ring_.load(std::memory_order_relaxed)->mask) {
    grow(head, tail);
  }
  ring_.load(std::memory_order_relaxed)->at(tail).store(span, std::memory_order_relaxed);
  // Why release: whoever sees the new tail sees the span, and the ring that it is in.
  tail_.store(tail + 1, std::memory_order_release);
}

std::uint32_t StealableSpanQueue::pop() {
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  while (head < tail_.load(std::memory_order_acquire)) {
    // Why the ring may be an outgrown one: what it holds from `head_` on, its successor holds too.
    const std::uint32_t span =
        ring_.load(std::memory_order_acquire)->at(head).load(std::memory_order_relaxed);
    if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
      return span;
    }
  }
  return kNoSpan;
}

std::uint32_t StealableSpanQueue::peek() const {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  return head < tail_.load(std::memory_order_acquire)
             ? ring_.load(std::memory_order_acquire)->at(head).load(std::memory_order_relaxed)
             : kNoSpan;
}

std::uint64_t StealableSpanQueue::size() const {
  // Why acquire: a head read first is no later than the tail.
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  return tail > head ? tail - head : 0;
}

void StealableSpanQueue::grow(std::uint64_t head, std::uint64_t tail) {
  const Ring& outgrown = *ring_.load(std::memory_order_relaxed);
  auto larger = std::make_unique<Ring>(2 * (outgrown.mask + 1));
  for (std::uint64_t place = head; place < tail; ++place) {
    larger->at(place).store(outgrown.at(place).load(std::memory_order_relaxed),
                            std::memory_order_relaxed);
  }
  ring_.store(larger.get(), std::memory_order_release);
  rings_.push_back(std::move(larger));
}

}  // namespace tenure
