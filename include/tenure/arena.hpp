// Many allocations with one end: a bump over blocks leased from a pool. Nothing is freed by itself;
// going back to a mark frees everything allocated since, at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// What an arena grows by, and where.
struct ArenaOptions {
  MemoryKind kind = MemoryKind::kHost;
  StreamId stream = StreamId::kDefault;
  Bytes chunk{2u << 20};  // leased at a time; larger requests get a chunk of their own
};

/// A bump allocator over leased chunks, of any memory kind. Marks nest.
///
/// Invariant: what was allocated stays where it is until its mark is rewound or the arena ends; the
/// chunks then go back to the pool in stream order.
///
/// threads  one at a time
class Arena {
 public:
  /// Where an arena stood. Good for its own arena, until an earlier mark is rewound.
  class Mark {
   private:
    friend class Arena;
    std::size_t chunk_ = 0;
    std::uint64_t used_ = 0;
    std::uint64_t serial_ = 0;  // no two marks of a process that differ have the same
  };

  /// Opens an arena. Nothing is leased before the first allocation.
  ///
  /// runtime  outlives the arena
  /// errors   kBadArgument: a chunk of no bytes
  [[nodiscard]] static Result<Arena> open(Runtime& runtime, const ArenaOptions& options = {});
  Arena(Arena&&) noexcept;
  Arena& operator=(Arena&&) noexcept;
  ~Arena();

  /// The next `size` bytes, whatever lay there before.
  ///
  /// alignment  a power of two, 64 KiB at most
  /// errors     kBadArgument; kOutOfMemory and kOverBudget from the pool
  /// cost       an addition and a compare; a lease where the chunk is used up
  [[nodiscard]] Result<PayloadView> allocate(Bytes size, Bytes alignment = Bytes{256});

  [[nodiscard]] Mark mark() const;

  /// Frees all that was allocated since `mark`. The chunks are kept for what comes next. A mark may
  /// be rewound to more than once; one of another arena, or set after a mark that was rewound since,
  /// is a bug and stops the program.
  void rewind(const Mark& mark);

  /// Hands all chunks back, and starts anew.
  void reset();

  [[nodiscard]] Bytes used() const;    // allocated and not rewound, padding included
  [[nodiscard]] Bytes leased() const;  // held of the pool

 private:
  friend class ArenaAccess;  // core/payload makes them
  struct State;
  explicit Arena(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tenure
