// What threads keep of a pool's blocks while they contend for its lock: blocks that were handed back on
// a thread, for the same request by it.
//
//   hand back:  [a free place of the thread's stripe] <- block           one compare-exchange
//   lease:      [a place whose block is like the request] -> block       one exchange
//   the pool:   takes what stands in any place, under its lock           one exchange each
//
// A place is one word, and whoever empties it owns the block: threads, the pool, and a signal handler in
// the middle of either never wait for one another. A stripe is not a thread's own. It belongs to the
// pool, and threads are dealt onto stripes, so that a thread's end, or a fork, leaves nothing behind
// that the pool would not find; two threads on one stripe only use up each other's places.
//
//      63                    6 5        0
//     +-----------------------+----------+
//     | block, 64 B aligned   | mark     |     0: free; the mark is a hash of what was asked for
//     +-----------------------+----------+
//
// Invariant: a block in a place is handed back (kReturned), of no client, used by the one stream that
// leased it, and counts as leased until it is leased again or the pool looks. So a lease out of a place
// changes nothing that the pool counts but leases and returns, and no stream needs to be ordered.
//
// Source: the magazines of Bonwick and Adams (Magazines and Vmem, USENIX 2001), emptied by anyone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/payload/block.hpp"
#include "core/payload/remote_free_list.hpp"

namespace tenure {

namespace detail {

// A number of the calling thread's, from 1; 0 until it is first asked for. Why initial-exec: a signal
// handler may be the first to ask, and other models may allocate then.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local std::uint32_t own_thread_number =
    0;
inline constinit std::atomic<std::uint32_t> thread_numbers{0};

inline std::uint32_t thread_number() noexcept {
  if (own_thread_number == 0) [[unlikely]] {
    own_thread_number = thread_numbers.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return own_thread_number;
}

}  // namespace detail

/// threads  anyone, but where a call says otherwise
class ThreadCaches {
 public:
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kPlaces = 8;  // of a stripe

  /// A lease out of a place.
  struct Taken {
    PayloadBlock* block = nullptr;  // null where there is none
    bool is_due = false;            // the pool ought to look whether threads contend still
  };

  /// overflow  where blocks go for which there is no place; outlives the caches
  explicit ThreadCaches(RemoteFreeList& overflow) : overflow_(overflow) {}

  /// Puts a block that was handed back in a place, or where the pool finds it.
  ///
  /// cost     wait-free: a look at each place of a stripe, an exchange or two
  void put(PayloadBlock& block) noexcept {
    if (!try_put(block)) {
      overflow_.put(block);
    }
  }

  /// A block that was leased for just this, and handed back; by the same thread, as a rule.
  [[nodiscard]] Taken take(std::uint64_t asked, StreamId stream) noexcept {
    Stripe& stripe = own_stripe();
    const std::uintptr_t mark = mark_of(asked, stream);
    for (Place& place : stripe.places) {
      const std::uintptr_t seen = place.load(std::memory_order_relaxed);
      if (seen == 0 || (seen & kMarks) != mark) {
        continue;
      }
      PayloadBlock* const block = block_of(place.exchange(0, std::memory_order_acquire));
      if (block == nullptr) {
        continue;
      }
      if (block->asked == asked && block->uses.is_only_ongoing(stream)) {
        const std::uint64_t hits = stripe.hits.fetch_add(1, std::memory_order_relaxed) + 1;
        return {block, hits % kLookEvery == 0};
      }
      overflow_.put(*block);
    }
    return {};
  }

  /// Blocks of more bytes are not kept.
  void keep_up_to(std::uint64_t bytes) { most_.store(bytes, std::memory_order_relaxed); }

  /// Empties all places into the overflow.
  ///
  /// returns  how many blocks there were
  std::uint64_t drain() noexcept {
    std::uint64_t blocks = 0;
    for (Stripe& stripe : stripes_) {
      for (Place& place : stripe.places) {
        if (place.load(std::memory_order_relaxed) == 0) {
          continue;
        }
        if (PayloadBlock* const block = block_of(place.exchange(0, std::memory_order_acquire))) {
          overflow_.put(*block);
          ++blocks;
        }
      }
    }
    return blocks;
  }

  /// Bytes that stand in places.
  struct Kept {
    std::uint64_t asked = 0;
    std::uint64_t size = 0;  // as rounded
  };
  /// The pool's lock: nobody else writes the sizes of blocks, wherever they go meanwhile.
  [[nodiscard]] Kept kept() const {
    Kept kept;
    for (const Stripe& stripe : stripes_) {
      for (const Place& place : stripe.places) {
        if (const PayloadBlock* const block = block_of(place.load(std::memory_order_relaxed))) {
          kept.asked += block->asked;
          kept.size += block->size;
        }
      }
    }
    return kept;
  }

  /// Leases out of places so far, each a return before it.
  [[nodiscard]] std::uint64_t hits() const {
    std::uint64_t hits = 0;
    for (const Stripe& stripe : stripes_) {
      hits += stripe.hits.load(std::memory_order_relaxed);
    }
    return hits;
  }
  /// On how many stripes there were some since it was last asked. The pool's lock.
  [[nodiscard]] std::uint32_t stripes_in_use() {
    std::uint32_t in_use = 0;
    for (Stripe& stripe : stripes_) {
      const std::uint64_t hits = stripe.hits.load(std::memory_order_relaxed);
      in_use += hits != stripe.hits_seen ? 1 : 0;
      stripe.hits_seen = hits;
    }
    return in_use;
  }

  /// Forgets what stands in places, in the child of a fork, which finds it by its state.
  void abandon() {
    for (Stripe& stripe : stripes_) {
      for (Place& place : stripe.places) {
        place.store(0, std::memory_order_relaxed);
      }
    }
  }

  /// The first thing about what stands in places that is not as it should be, or nothing. Empties
  /// them. The pool's lock.
  [[nodiscard]] std::string fault();

 private:
  using Place = std::atomic<std::uintptr_t>;

  static constexpr std::uintptr_t kMarks = alignof(PayloadBlock) - 1;
  static constexpr std::uint64_t kLookEvery = 4096;

  // Two lines and a bit, and none of another's.
  struct alignas(64) Stripe {
    std::array<Place, kPlaces> places{};
    alignas(64) std::atomic<std::uint64_t> hits{0};
    std::uint64_t hits_seen = 0;  // guarded by the pool's lock
  };

  [[nodiscard]] static std::uintptr_t mark_of(std::uint64_t asked, StreamId stream) {
    const std::uint64_t mixed =
        (asked ^ std::uint64_t{static_cast<std::uint32_t>(stream)} << 48) * 0x9E3779B97F4A7C15u;
    return static_cast<std::uintptr_t>(mixed >> 58) & kMarks;
  }
  [[nodiscard]] static PayloadBlock* block_of(std::uintptr_t word) {
    return reinterpret_cast<PayloadBlock*>(word & ~kMarks);
  }
  [[nodiscard]] Stripe& own_stripe() { return stripes_[detail::thread_number() % kStripes]; }
  [[nodiscard]] bool may_keep(const PayloadBlock& block) const {
    return block.size <= most_.load(std::memory_order_relaxed) && block.client == 0 &&
           block.uses.is_only_ongoing(block.uses.home());
  }
  [[nodiscard]] bool try_put(PayloadBlock& block) noexcept {
    if (!may_keep(block)) {
      return false;
    }
    const std::uintptr_t word =
        reinterpret_cast<std::uintptr_t>(&block) | mark_of(block.asked, block.uses.home());
    for (Place& place : own_stripe().places) {
      std::uintptr_t free = place.load(std::memory_order_relaxed);
      // Why release: whoever takes the block must see what its last owner wrote to it. Nothing of
      // ours is touched after that: the pool may take the block, close, and be gone.
      if (free == 0 && place.compare_exchange_strong(free, word, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  RemoteFreeList& overflow_;
  std::atomic<std::uint64_t> most_{0};  // bytes of a block
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace tenure
