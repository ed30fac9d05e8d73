// Pools of payload memory by name: one for each memory kind in use, and those that a program makes for
// itself, with a size and an alignment of their own.
//
//   MemoryPool tiles = value_or_throw(create_specialized_pool(runtime, "tiles", 64_MiB, {.alignment = 4_KiB}));
//   PayloadLease tile = value_or_throw(tiles.allocate(256_KiB));
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenure/allocation_strategy.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class Runtime;
class RuntimeState;  // core/runtime

/// Mapped bytes of a pool that nobody has, between two payloads or at an end.
struct FreeBlock {
  const std::byte* address = nullptr;
  Bytes size{};

  /// Its first `lower` bytes, and the rest; none where that leaves nothing of either.
  [[nodiscard]] std::optional<std::pair<FreeBlock, FreeBlock>> split(Bytes lower) const;
  friend bool operator==(const FreeBlock&, const FreeBlock&) = default;
};

/// What a resize came to.
struct PoolResize {
  Bytes size{};        // the most that may be mapped from now on
  Bytes reserved{};    // mapped still: more than `size` where what is leased keeps it from going
  Bytes given_back{};  // to the system
};

struct SpecializedPoolOptions {
  MemoryKind kind = MemoryKind::kHost;
  Bytes alignment{64};  // of every address: a power of two, 16 to 2 MiB
  AllocationStrategy strategy = AllocationStrategy::kBestFit;
};

/// A view of one pool. Good while its runtime lives.
///
/// errors   of all calls: kClosed
/// threads  anyone
class MemoryPool {
 public:
  MemoryPool(RuntimeState& state, PayloadPool& pool, std::string name, Bytes alignment)
      : state_(&state), pool_(&pool), name_(std::move(name)), alignment_(alignment) {}

  /// "host payloads" of a kind's pool, else the name it was made with.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Bytes alignment() const { return alignment_; }
  [[nodiscard]] MemoryKind kind() const;

  /// Leases `size` bytes of this pool, rounded up to its alignment where that is over 512 bytes. Nobody
  /// collects, evicts or waits for it: a pool that is full refuses.
  ///
  /// errors   kBadArgument: no bytes, or no such stream; kOverBudget, kOutOfMemory: with what is held
  [[nodiscard]] Result<PayloadLease> allocate(Bytes size, StreamId stream = StreamId::kDefault);
  /// Hands a payload of this pool back.
  ///
  /// errors   kBadArgument: the lease owns nothing, or a payload of another pool, which it keeps
  Result<void> deallocate(PayloadLease& lease);

  /// Sets how much may be mapped. A smaller pool gives idle memory back at once; the host waits for streams
  /// that used it.
  ///
  /// errors   kOverBudget: more is leased; kBadArgument: nothing, or more than it has addresses for, 16
  ///          times its first size as a rule; kAsleep
  Result<PoolResize> resize(Bytes size);

  [[nodiscard]] Result<PoolStatistics> statistics() const;
  /// What is mapped and free, by address.
  ///
  /// cost     O(blocks), under the pool's lock
  [[nodiscard]] Result<std::vector<FreeBlock>> free_blocks() const;
  /// Checks every invariant of the pool, as `verify_heap` does of all.
  ///
  /// errors   kBadArgument, with the first thing that is not as it should be
  [[nodiscard]] Result<void> verify() const;

 private:
  RuntimeState* state_;  // outlives the view, as the pool does
  PayloadPool* pool_;
  std::string name_;
  Bytes alignment_;
};

/// Makes a pool of its own, which ends with the runtime. Nothing is mapped before it is asked for.
///
/// size     the most that may be mapped; rounded up to whole pages of the kind
/// errors   kBadArgument: no name or no bytes, a name that is taken, or an alignment that is none;
///          kUnsupported: that kind is not to be had, or cannot be so aligned; kClosed
[[nodiscard]] Result<MemoryPool> create_specialized_pool(
    Runtime& runtime, std::string_view name, Bytes size,
    const SpecializedPoolOptions& options = {});

/// The kinds' pools that were asked for something so far, and those made by name, in that order.
[[nodiscard]] std::vector<MemoryPool> memory_pools(Runtime& runtime);
/// None where no pool is called so.
[[nodiscard]] std::optional<MemoryPool> find_memory_pool(Runtime& runtime, std::string_view name);

}  // namespace tenure
