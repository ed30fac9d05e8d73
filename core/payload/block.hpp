// One stretch of a pool's addresses, and who has it.
//
// Invariant: blocks tile their segment: each starts where the one before ends. A block's address
// and size change only under the pool's lock, and never while it is leased.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/payload/stream_use.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"

namespace tenure {

struct Evictable;

struct PoolCore;

/// Sizes and addresses of blocks are multiples of it. DLPack wants 256; rivals round to 512 too.
inline constexpr std::uint64_t kBlockStep = 512;

/// A bit of a leased block's site: somebody follows the payload, and is told of its end.
inline constexpr std::uint32_t kSampledSite = 1u << 31;

/// The shelf that a leased block names which may be evicted; others name none that is looked at.
inline constexpr std::uint16_t kEvictableShelf = 0xFFFE;

///   unmapped <--> free --> leased --> returned --> free
///                  |          \--> inert (the pool closed first)
///                  +--> planned, and its slots: planned --> leased --> returned --> planned
/// In the pool of a checked runtime `guarded` stands for `leased`, and for a payload that may be evicted
/// `evictable` does, so that the others do not ask.
enum class BlockState : std::uint8_t {
  kSpare,     // a descriptor that describes nothing
  kUnmapped,  // addresses without memory behind them
  kFree,      // on a shelf of the pool, or its wilderness
  kLeased,
  kPlanned,    // a range that a plan lays out, or an idle slot of it
  kReturned,   // in the remote free list: its pool has not looked yet
  kInert,      // leased when its pool closed; nothing lies behind it
  kGuarded,    // leased, with redzones around what its holder was given
  kEvictable,  // leased, and its bytes may be elsewhere
};

/// A free block's place in its index: a tree by size, a ring through blocks of one size. An unmapped
/// block is in a list, by `ring_before` and `ring_after`.
///
/// Why without defaults: it shares its place with the note of a leased block, and is made by assignment.
struct FreeNode {
  PayloadBlock* parent;
  std::array<PayloadBlock*, 2> child;
  PayloadBlock* ring_before;
  PayloadBlock* ring_after;
};

/// What is noted of a leased block where its pool plans: which lease it was, and whether a plan had a
/// place for it. And of one that was handed back, where it is kept aside.
struct LeaseNote {
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
  static constexpr std::uint32_t kAside =
      kNoSlot - 1;  // leased elsewhere while a plan was followed

  std::uint64_t lease;
  std::uint32_t slot;
  std::uint32_t plan;    // the number of the plan that was followed
  PayloadBlock* aside;   // the next one of the remote free list whose link is not known yet
  Evictable* evictable;  // of a leased block that may be evicted; of no other is it set
};

/// Two cache lines: what lease and return touch, then what is asked of the free.
struct alignas(64) PayloadBlock {
  std::byte* data = nullptr;
  std::uint64_t size = 0;        // bytes, a multiple of kBlockStep
  std::uint64_t asked : 48 = 0;  // bytes asked for; of a leased block, as its client is
  std::uint64_t client : 16 = 0;
  PayloadBlock* before = nullptr;  // neighbours by address; null at the segment's ends
  PayloadBlock* after = nullptr;
  PoolCore* core = nullptr;                    // outlives the block
  std::atomic<PayloadBlock*> link{nullptr};    // next in the remote free list, or among spare ones
  std::atomic<SiteId> site{SiteId::kUnknown};  // that leased it
  std::atomic<BlockState> state{BlockState::kSpare};
  bool noted_seam = false;  // is in the pool's list of seams
  std::uint16_t shelf = 0;  // that a free block stands on

  UseSet uses;
  union {
    FreeNode node{};
    LeaseNote note;  // of a leased block, and of one handed back that its pool has not looked at
  };

  /// Why relaxed: whoever asks holds the pool's lock or the lease; only handing back races, and a
  /// block that is being handed back counts as leased until the pool takes it.
  [[nodiscard]] bool is(BlockState wanted) const {
    return state.load(std::memory_order_relaxed) == wanted;
  }
  void set_asked(Bytes bytes, ClientId whose) {
    constexpr std::uint64_t kMost = (std::uint64_t{1} << 48) - 1;  // a pool counts to 2^45
    asked = bytes.count() & kMost;
    client = static_cast<std::uint16_t>(whose);
  }
  [[nodiscard]] std::byte* end() const { return data + size; }

  [[nodiscard]] bool is_sampled() const {
    return (static_cast<std::uint32_t>(site.load(std::memory_order_relaxed)) & kSampledSite) != 0;
  }
  /// Its holder, or the pool once it is handed back.
  void set_sampled(bool sampled) {
    const std::uint32_t plain =
        static_cast<std::uint32_t>(site.load(std::memory_order_relaxed)) & ~kSampledSite;
    site.store(static_cast<SiteId>(plain | (sampled ? kSampledSite : 0)),
               std::memory_order_relaxed);
  }
  [[nodiscard]] SiteId own_site() const {
    return static_cast<SiteId>(static_cast<std::uint32_t>(site.load(std::memory_order_relaxed)) &
                               ~kSampledSite);
  }
};
static_assert(sizeof(PayloadBlock) == 128);

}  // namespace tenure
