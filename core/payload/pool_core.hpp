// What the leases of a pool touch without it. It outlives the pool while leases do.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/backend/backend.hpp"
#include "core/payload/block_slab.hpp"
#include "core/payload/guard.hpp"
#include "core/payload/remote_free_list.hpp"
#include "core/payload/thread_cache.hpp"

namespace tenure {

struct PoolCore {
  PoolCore(MemoryKind memory_kind, const Backend& of)
      : kind(memory_kind), backend(of), slab(*this) {}

  const MemoryKind kind;
  const Backend& backend;  // may be gone once the pool closed
  std::mutex mutex;        // the pool's lock
  std::atomic<bool> is_leasing{
      false};      // a lease has the mutex; read by those who are about to take it
  BlockSlab slab;  // guarded by mutex
  RemoteFreeList returned;

  /// Whether threads keep blocks. Each lease and return looks at it, so that it lies on a line which is
  /// seldom written.
  alignas(64) std::atomic<bool> is_caching{false};
  /// The pool closed, or is about to: blocks that come back are inert.
  std::atomic<bool> is_closed{false};
  std::unique_ptr<ThreadCaches>
      caches;                 // null until threads first kept blocks, and there from then on
  RemoteFreeList guarded;     // what was handed back of a pool with a guard
  RemoteFreeList evictables;  // what was handed back of evictable payloads
  std::unique_ptr<PayloadGuard> guard;  // null but in a checked runtime; set before any lease

  /// After the pool closed: leases still out, plus one while the pool itself is there; a few more while
  /// it closes. Whoever takes it to 0 deletes the core.
  std::atomic<std::uint64_t> holders{1};

  /// In the child of a fork, with the lock taken: what other threads were about to put in a list, and
  /// what lay below it, is found by its state.
  void find_returned() {
    returned.abandon();
    guarded.abandon();
    evictables.abandon();
    if (caches != nullptr) {
      caches->abandon();
    }
    slab.for_each([this](PayloadBlock& block) {
      if (block.is(BlockState::kReturned) && (guard == nullptr || !guard->keeps(block))) {
        list_of(block).put(block);
      }
    });
  }

  [[nodiscard]] RemoteFreeList& list_of(const PayloadBlock& block) {
    if (guard != nullptr) {
      return guarded;
    }
    return block.shelf == kEvictableShelf ? evictables : returned;
  }

  /// One holder less.
  void let_go() noexcept {
    if (holders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete this;
    }
  }
};

}  // namespace tenure
