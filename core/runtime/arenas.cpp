// Arenas over a runtime: a chunk is leased as any payload is, and climbs the ladder.
#include "core/payload/arena_access.hpp"
#include "core/runtime/state.hpp"
#include "tenure/arena.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

Result<Arena> Arena::open(Runtime& runtime, const ArenaOptions& options) {
  // Why the state: it stays where it is when the runtime is moved.
  const auto lease_chunk = [&state = runtime.state(), options](Bytes size) {
    return state.lease(state.self(), size, {.kind = options.kind, .stream = options.stream});
  };
  return ArenaAccess::make(lease_chunk, options.chunk);
}

}  // namespace tenure
