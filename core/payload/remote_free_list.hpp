// Where payloads that were handed back wait until their pool looks: put by anyone, taken by one.
#pragma once

#include <atomic>

#include "core/payload/block.hpp"

namespace tenure {

/// A stack through `PayloadBlock::link`. It is only ever taken whole, so that a block that comes
/// back meanwhile (the ABA problem) cannot be mistaken.
///
/// Source: Treiber, Systems Programming: Coping with Parallelism, 1986.
class alignas(64) RemoteFreeList {
 public:
  /// threads  anyone: finalizers, signal handlers, exiting threads. No lock, no allocation.
  void put(PayloadBlock& block) noexcept {
    PayloadBlock* head = head_.load(std::memory_order_relaxed);
    do {
      block.link = head;
      // Why release: whoever takes the block must see what its last owner wrote to it.
    } while (!head_.compare_exchange_weak(head, &block, std::memory_order_release,
                                          std::memory_order_relaxed));
  }

  /// All that was put, the latest first; null where there is nothing. The pool's lock.
  [[nodiscard]] PayloadBlock* take_all() noexcept {
    // Why a load first: an empty list is the common case of a pool that many lease from, and a
    // load leaves the line shared.
    if (head_.load(std::memory_order_relaxed) == nullptr) {
      return nullptr;
    }
    return head_.exchange(nullptr, std::memory_order_acquire);
  }

  [[nodiscard]] bool is_empty() const noexcept {
    return head_.load(std::memory_order_relaxed) == nullptr;
  }

 private:
  std::atomic<PayloadBlock*> head_{nullptr};
};

}  // namespace tenure
