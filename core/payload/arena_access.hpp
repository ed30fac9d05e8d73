// How arenas are made: over anything that leases. The door makes them over a runtime, so that an
// arena's chunks climb the ladder like any lease; tests make them over a bare pool.
#pragma once

#include <functional>

#include "tenure/arena.hpp"

namespace tenure {

class ArenaAccess {
 public:
  using LeaseChunk = std::function<Result<PayloadLease>(Bytes)>;

  /// lease    outlives the arena, with all that it refers to
  /// chunk    leased at a time
  /// errors   kBadArgument: a chunk of no bytes
  [[nodiscard]] static Result<Arena> make(LeaseChunk lease, Bytes chunk);
};

}  // namespace tenure
