// Where payloads that were handed back wait until their pool looks: put by anyone, taken by one.
//
//   put:   [1] the block's link says "not known yet": it names the block itself
//          [2] head <-> block                   one exchange, whatever others do
//          [3] the block's link <- old head     until then, what lies below it is out of reach
//
//   head --> latest --> ... --> in between [1..3] -?-> ... --> earliest --> null
//
// Whoever takes the list may come between 2 and 3 of a thread that was interrupted, or is no more (a
// fork's child has one thread). That block is set aside until its link is known, and with it what lies
// below; nobody waits for it. It is not given to anyone meanwhile, as its link may still be written.
#pragma once

#include <atomic>
#include <utility>

#include "core/payload/block.hpp"

namespace tenure {

/// A stack through `PayloadBlock::link`, taken whole, so that a block that comes back meanwhile (the
/// ABA problem) cannot be mistaken.
///
/// Source: the queue of Vyukov (1024cores.net, Intrusive MPSC node-based queue), as a stack.
class alignas(64) RemoteFreeList {
 public:
  /// cost     one atomic exchange, two stores: wait-free
  /// threads  anyone: finalizers, signal handlers, exiting threads. No lock, no allocation.
  void put(PayloadBlock& block) noexcept { link(block, announce(block)); }

  /// The two halves of `put`, for tests of what may come between them.
  [[nodiscard]] PayloadBlock* announce(PayloadBlock& block) noexcept {
    block.link.store(&block, std::memory_order_relaxed);
    // Why release: whoever takes the block must see what its last owner wrote to it. The exchanges
    // of later puts go on from this one's, so that taking the head is enough to see all of them. Why
    // in one order with all such: whoever does not see a flag that was set before a `take_all` is
    // found by it.
    return head_.exchange(&block, std::memory_order_seq_cst);
  }
  static void link(PayloadBlock& block, PayloadBlock* before) noexcept {
    // Why release: it is the last that a putter does with the block, which may end soon after.
    block.link.store(before, std::memory_order_release);
  }

  /// Calls `visit(PayloadBlock&)` for all that was put, the latest first, as far as it is within
  /// reach; `visit` may do with the block what it likes. The pool's lock.
  template <class Visit>
  void take_all(Visit visit) {
    // Why a load first: an empty list is the common case of a pool that many lease from, and a
    // load leaves the line shared.
    if (head_.load(std::memory_order_seq_cst) != nullptr) {
      walk(head_.exchange(nullptr, std::memory_order_acquire), visit);
    }
    if (aside_ != nullptr) [[unlikely]] {
      PayloadBlock* next = nullptr;
      for (PayloadBlock* block = std::exchange(aside_, nullptr); block != nullptr; block = next) {
        next = block->note.aside;
        walk(block, visit);
      }
    }
  }

  /// Whether a block was taken whose link is not known yet. The pool's lock.
  [[nodiscard]] bool has_aside() const { return aside_ != nullptr; }

  /// Forgets all that was put, in the child of a fork: whoever was between the halves is no more.
  void abandon() {
    head_.store(nullptr, std::memory_order_relaxed);
    aside_ = nullptr;
  }

  [[nodiscard]] bool is_empty() const noexcept {
    return head_.load(std::memory_order_relaxed) == nullptr;
  }

 private:
  template <class Visit>
  void walk(PayloadBlock* block, Visit& visit) {
    while (block != nullptr) {
      PayloadBlock* const next = block->link.load(std::memory_order_acquire);
      if (next == block) [[unlikely]] {
        block->note.aside = std::exchange(aside_, block);
        return;
      }
      visit(*block);
      block = next;
    }
  }

  std::atomic<PayloadBlock*> head_{nullptr};
  PayloadBlock* aside_ = nullptr;  // through their notes; guarded by the pool's lock
};

}  // namespace tenure
