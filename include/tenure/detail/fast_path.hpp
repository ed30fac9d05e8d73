// The two inline paths, and the state they read: taking a few granules of the nursery, and storing
// a reference. Everything else is a call.
//
// Invariant: both paths have one lever, the buffer's limit. At zero it stops the mutator, set short
// it samples allocations, kept at zero it shows every one to an observer; the path pays no branch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tenure/detail/local_link.hpp"
#include "tenure/object.hpp"

namespace tenure {
struct MutatorState;  // core/runtime
}  // namespace tenure

namespace tenure::detail {

// The cage and its card bytes, shared by all heaps of the process. Set before the first heap opens,
// never changed after, so that any thread that has a heap may read them.
inline constinit std::byte* cage_base = nullptr;
inline constinit std::uint8_t* cage_cards = nullptr;  // [2^26], one a card: 1 exactly if in a log

inline constexpr std::uint8_t kCardClean = 0;
inline constexpr std::uint8_t kCardLogged = 1;

/// The address of a granule.
[[nodiscard]] inline std::byte* address_of(ObjectIndex object) {
  return cage_base + std::uint64_t{static_cast<std::uint32_t>(object)} * kGranuleBytes;
}

/// The granule that an address inside the cage lies in.
[[nodiscard]] inline std::uint32_t granule_at(const void* address) {
  // Why unsigned: a signed difference divided by 8 costs the barrier two instructions more.
  const auto bytes =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(cage_base);
  return static_cast<std::uint32_t>(bytes / kGranuleBytes);
}

/// An object's data stand behind its header.
[[nodiscard]] inline std::byte* data_of(ObjectIndex object) {
  return address_of(object) + kGranuleBytes;
}
[[nodiscard]] inline ObjectHeader& header_of(ObjectIndex object) {
  return *reinterpret_cast<ObjectHeader*>(address_of(object));
}
[[nodiscard]] inline ObjectIndex object_at(const void* data) {
  return static_cast<ObjectIndex>(granule_at(data) - 1);
}

/// One mutator's private stretch of the nursery: granules [next_, limit_). Its bytes are stale: whoever
/// takes some writes them, all at once where a safepoint may come before they are constructed.
///
/// Its mutator alone moves `next_`. Anyone may close it: that is how a mutator is stopped, and how
/// an observer comes to see every allocation, at no cost to the path below.
class BumpBuffer {
 public:
  /// Takes the next `granules` granules. Gives kNull, and changes nothing, when too few are left or
  /// the buffer is closed: the slow path tells the two apart.
  [[nodiscard, gnu::always_inline]] ObjectIndex try_take(std::uint32_t granules) {
    const std::uint64_t end = std::uint64_t{next_} + granules;  // 64 bits: cannot wrap
    // Why relaxed: the limit guards no data. A stop that is missed here is met at the next call.
    if (end > limit_.load(std::memory_order_relaxed)) [[unlikely]] {
      return ObjectIndex::kNull;
    }
    if (next_ == 0) {
      __builtin_unreachable();  // granule 0 is nobody's: who has no buffer has no limit
    }
    const auto first = static_cast<ObjectIndex>(next_);
    next_ = static_cast<std::uint32_t>(end);
    return first;
  }

  /// Sends every later `try_take` to the slow path. Anyone may call it.
  void close() { limit_.store(0, std::memory_order_seq_cst); }

  /// Opens the stretch [first, limit). Its mutator calls this, or the collector while it is stopped.
  void open(std::uint32_t first, std::uint32_t limit) {
    next_ = first;
    limit_.store(limit, std::memory_order_seq_cst);
  }

  [[nodiscard]] std::uint32_t next() const { return next_; }

  /// Takes granules that are known to be there, and leaves the limit as it is. Its mutator.
  void advance(std::uint32_t granules) { next_ += granules; }

 private:
  std::uint32_t next_ = 0;
  std::atomic<std::uint32_t> limit_{0};
};

/// What a store must know of the heap it happens in. Addresses, so that a store in the nursery need
/// not know where the cage is.
struct BarrierState {
  std::uintptr_t nursery = 0;        // where it begins
  std::uintptr_t nursery_bytes = 0;  // 0: no nursery, every store is looked at
};

/// The part of a mutator that inline code touches. The rest is the library's own.
struct MutatorCore {
  BumpBuffer buffer;
  BarrierState barrier;
  LocalLink* locals = nullptr;    // the newest of those in the chain, which leads to the oldest
  LocalWindow window;             // where the others are
  MutatorState* state = nullptr;  // the rest; null for a thread without a mutator
};

/// The thread's mutator, the one attached last where there are several; a core without a nursery
/// that refuses to log where there is none, so that a stray store is named and not lost.
extern MutatorCore detached_core;
inline constinit thread_local MutatorCore* current_core = &detached_core;

// Out of line, in core/runtime.
void log_card(MutatorCore& core, std::uint32_t card);
void link_local_slowly(MutatorCore& core, LocalLink& link) noexcept;
void unlink_local(MutatorCore& core, LocalLink& link) noexcept;

/// Makes a local one of the mutator's roots.
inline void link_local(MutatorCore& core, LocalLink& link) noexcept {
  if (core.window.contains(link)) [[likely]] {
    tag(link, core.window.key);
  } else {
    link_local_slowly(core, link);
  }
}

/// Stores `value` in `slot`; the first store on a card since the last drain also logs the card, for
/// the next young collection, the marking under way and the device mirror alike.
///
/// slot     inside an object of this heap
/// cost     owner in the nursery: a store and a compare; card logged: a load and a compare more
/// threads  the mutator's own
inline void write_reference(MutatorCore& core, ObjectIndex& slot, ObjectIndex value) {
  // Why release: a marker that follows the slot beside us must find the header of `value` written.
  // What it misses it finds on reading the card again, as logs are drained in a stop.
  std::atomic_ref(slot).store(value, std::memory_order_release);

  const auto address = reinterpret_cast<std::uintptr_t>(&slot);
  if (address - core.barrier.nursery < core.barrier.nursery_bytes) [[likely]] {
    return;
  }
  const auto card = static_cast<std::uint32_t>(
      (address - reinterpret_cast<std::uintptr_t>(cage_base)) / kCardBytes);
  if (std::atomic_ref(cage_cards[card]).load(std::memory_order_relaxed) == kCardLogged) [[likely]] {
    return;
  }
  log_card(core, card);
}

}  // namespace tenure::detail
