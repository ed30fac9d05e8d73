// Payloads whose bytes may lie elsewhere for a while, because their owners said so and ask before each
// use.
//
//   evictable payload:  | edge | whole pieces .......................... | edge |
//   evicted:            | edge |   addresses without memory; the bytes   | edge |
//                              |   are in their refuge                   |
//
// Invariant: an entry has a refuge exactly if its pieces are gone. No copy into a refuge is under way
// while the pool's lock is free; one out of it may be.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/payload/block.hpp"
#include "core/payload/sleeping.hpp"
#include "core/payload/stash.hpp"
#include "core/payload/stream_use.hpp"
#include "tenure/payload.hpp"

namespace tenure {

class PayloadPool;

/// Where evicted bytes are: a lease of the pinned pool, or plain pages of the host.
struct Refuge {
  PayloadPool* pool = nullptr;  // of the lease; outlives it, or closed before
  PayloadLease pinned;
  HostPages pages;

  [[nodiscard]] bool is_pinned() const { return pinned.owns(); }
  [[nodiscard]] std::byte* data() const { return is_pinned() ? pinned.data() : pages.data(); }
};

struct Evictable {
  PayloadBlock* block = nullptr;
  std::list<Evictable>::iterator place{};  // its own
  Stretch gone{};                          // pieces without memory; none while it is resident
  Refuge refuge{};
  StreamUse brought_back{};  // the copy that did; none where that is over or never was
  /// Uses that are under way. Theirs too, as they may outlive the pool.
  std::shared_ptr<std::atomic<std::uint32_t>> pins =
      std::make_shared<std::atomic<std::uint32_t>>(0u);

  /// Why acquire: what was put on streams by then is seen by whoever evicts.
  [[nodiscard]] bool is_pinned() const { return pins->load(std::memory_order_acquire) != 0; }
  [[nodiscard]] bool is_gone() const { return gone.size != 0; }
};

/// threads  the pool's lock
struct Evictables {
  std::list<Evictable> known;  // the coldest first
  std::list<Evictable> spare;  // so that leasing does not call malloc
  /// Pages from which a copy may still read, and the use that it is.
  std::vector<std::pair<StreamUse, HostPages>> leaving;
  std::uint64_t gone = 0;  // bytes of all entries
};

/// What an eviction did.
struct EvictionOutcome {
  Bytes gained{};       // unmapped
  std::string failure;  // why there is not more; empty where nothing was refused
};

}  // namespace tenure
