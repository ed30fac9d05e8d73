#include "tenure/arena.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/payload/arena_access.hpp"

namespace tenure {

namespace {

constexpr Bytes kMostAlignment{64u << 10};

struct Chunk {
  PayloadLease lease;
  std::uint64_t used = 0;    // bytes from its start, padding included
  std::uint64_t before = 0;  // bytes used in the chunks before it

  // Where `size` bytes would begin, counted from the chunk's start. Past its end where they do not
  // fit: addresses are aligned, not offsets, as a payload is aligned to less.
  [[nodiscard]] std::uint64_t place(std::uint64_t from, std::uint64_t alignment) const {
    const auto base = reinterpret_cast<std::uintptr_t>(lease.data());
    return round_up(Bytes{base + from}, Bytes{alignment}).count() - base;
  }
  [[nodiscard]] bool has_room(std::uint64_t from, std::uint64_t size,
                              std::uint64_t alignment) const {
    const std::uint64_t begin = place(from, alignment);
    const std::uint64_t end = lease.size().count();
    return begin <= end && size <= end - begin;
  }
};

// Why one for all arenas: a mark of another arena is found out, too.
std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

struct Arena::State {
  ArenaAccess::LeaseChunk lease_chunk;
  Bytes chunk;
  std::vector<Chunk> chunks;  // [0, current] hold what is allocated, the others are kept
  std::size_t current = 0;    // 0 where there are none
  std::vector<Mark> marks;    // that may be rewound, outer ones first

  // Moves on to a chunk with room, one that was kept or a new one.
  Result<void> move_on(std::uint64_t size, std::uint64_t alignment) {
    const std::size_t next = chunks.empty() ? 0 : current + 1;
    const auto kept = std::find_if(
        chunks.begin() + static_cast<std::ptrdiff_t>(next), chunks.end(),
        [&](const Chunk& candidate) { return candidate.has_room(0, size, alignment); });
    if (kept != chunks.end()) {
      std::swap(*kept, chunks[next]);
    } else {
      const std::uint64_t padding = alignment > kAlignedAnyway ? alignment : 0;
      if (size > kUnlimited.count() - padding) {
        return Error{ErrorCode::kBadArgument,
                     "an arena was asked for " + std::to_string(size) +
                         " bytes, which no address space holds; ask for less"};
      }
      Result<PayloadLease> lease = lease_chunk(std::max(chunk, Bytes{size + padding}));
      if (!lease) {
        return lease.failure();
      }
      chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(next), Chunk{std::move(*lease)});
    }
    const Chunk* const last = next == 0 ? nullptr : &chunks[next - 1];
    chunks[next].used = 0;
    chunks[next].before = last == nullptr ? 0 : last->before + last->used;
    current = next;
    return {};
  }

  // What a pool aligns payloads to at the least.
  static constexpr std::uint64_t kAlignedAnyway = 512;
};

Result<Arena> ArenaAccess::make(LeaseChunk lease, Bytes chunk) {
  if (chunk.is_zero()) {
    return Error{ErrorCode::kBadArgument,
                 "an arena was opened with chunks of 0 bytes; 2 MiB is a good size"};
  }
  auto state = std::make_unique<Arena::State>();
  state->lease_chunk = std::move(lease);
  state->chunk = chunk;
  return Arena(std::move(state));
}

Arena::Arena(std::unique_ptr<State> state) : state_(std::move(state)) {}
Arena::Arena(Arena&&) noexcept = default;
Arena& Arena::operator=(Arena&&) noexcept = default;
Arena::~Arena() = default;

Result<PayloadView> Arena::allocate(Bytes size, Bytes alignment) {
  State& state = *state_;
  if (size.is_zero() || !std::has_single_bit(alignment.count()) || alignment > kMostAlignment) {
    return Error{ErrorCode::kBadArgument,
                 "an arena was asked for " + std::to_string(size.count()) + " bytes aligned to " +
                     std::to_string(alignment.count()) +
                     "; it gives 1 byte or more, aligned to a power of two up to 65536"};
  }
  if (state.chunks.empty() ||
      !state.chunks[state.current].has_room(state.chunks[state.current].used, size.count(),
                                            alignment.count())) {
    if (Result<void> moved = state.move_on(size.count(), alignment.count()); !moved) {
      return moved.failure();
    }
  }
  Chunk& chunk = state.chunks[state.current];
  const std::uint64_t begin = chunk.place(chunk.used, alignment.count());
  chunk.used = begin + size.count();
  const PayloadView whole = chunk.lease.view();
  return PayloadView{whole.data + begin, size, whole.kind};
}

Arena::Mark Arena::mark() const {
  State& state = *state_;
  Mark here;
  here.chunk_ = state.current;
  here.used_ = state.chunks.empty() ? 0 : state.chunks[state.current].used;
  // Why shared: marks set at one place mean the same, and a loop of them takes no memory.
  if (!state.marks.empty() && state.marks.back().chunk_ == here.chunk_ &&
      state.marks.back().used_ == here.used_) {
    return state.marks.back();
  }
  here.serial_ = next_serial();
  state.marks.push_back(here);
  return here;
}

void Arena::rewind(const Mark& mark) {
  State& state = *state_;
  const auto is_it = [&](const Mark& known) { return known.serial_ == mark.serial_; };
  const auto found = std::find_if(state.marks.rbegin(), state.marks.rend(), is_it);
  check(
      found != state.marks.rend(),
      "an arena was rewound to a mark that is not its own, or was set after one that was rewound");
  state.marks.erase(found.base(), state.marks.end());
  state.current = mark.chunk_;
  if (!state.chunks.empty()) {
    state.chunks[state.current].used = mark.used_;
  }
}

void Arena::reset() {
  state_->marks.clear();
  state_->chunks.clear();
  state_->current = 0;
}

Bytes Arena::used() const {
  if (state_->chunks.empty()) {
    return Bytes{};
  }
  const Chunk& last = state_->chunks[state_->current];
  return Bytes{last.before + last.used};
}

Bytes Arena::leased() const {
  Bytes sum;
  for (const Chunk& chunk : state_->chunks) {
    sum += chunk.lease.size();
  }
  return sum;
}

}  // namespace tenure
