// The part of a pool that has memory mapped and gives it back.
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

// Nothing is spared from being given back.
constexpr Window kNoWindow;

// Holes that are mapped elsewhere again and again cost more than the memory they save: for so many
// bytes moved, one byte more may be mapped. Measured: without it one of 25 traces, repeated 30 times,
// moved memory in each of its layers for ever; with it all come to rest, and none maps more in its
// first run. 64 gives up too early for one of them.
constexpr std::uint64_t kMovesPerSpare = 128;

bool overlaps(const PayloadBlock& block, const Window& window, std::uint64_t size) {
  return window.from != nullptr && block.data < window.from + size && window.from < block.end();
}

bool is_gap(const PayloadBlock* block) {
  return block != nullptr && block->is(BlockState::kUnmapped);
}
int gaps_beside(const PayloadBlock& block) {
  return (is_gap(block.before) ? 1 : 0) + (is_gap(block.after) ? 1 : 0);
}

}  // namespace

Result<PayloadBlock*> PayloadPool::take_with_effort(std::uint64_t size, StreamId stream,
                                                    Effort effort) {
  if (!core_->evictables.is_empty()) {
    drain_evictables();
    if (PayloadBlock* const block = take_fitting(size, stream)) {
      return block;
    }
  }
  Result<void> failure;
  if (epochs_.has_several()) {
    if (PayloadBlock* const block = take_from_others(size, stream, failure)) {
      return block;
    }
    if (PayloadBlock* const block = take_across_seams(size, stream, failure)) {
      return block;
    }
    if (!failure && failure.failure().code == ErrorCode::kDeviceLost) {
      return failure.failure();
    }
  }
  if (effort == Effort::kReuse) {
    return nullptr;
  }
  if (plan_costs_memory(size)) {
    leave_plan();
    if (PayloadBlock* const block = take_fitting(size, stream)) {
      return block;
    }
  }
  Result<PayloadBlock*> grown =
      tiling_.can_map() ? grow(size, stream, effort) : grow_by_segment(size, effort);
  if (grown) {
    ++counts_.growths;
    return grown;
  }
  const Error& refused = grown.failure();
  return failure
             ? refused
             : Error{refused.code, refused.message + "; before that: " + failure.failure().message};
}

Result<PayloadBlock*> PayloadPool::grow(std::uint64_t size, StreamId stream, Effort effort) {
  if (Result<void> open = tiling_.open(); !open) {
    return refusal(open.failure().code, size, open.failure().message);
  }
  constexpr std::uint64_t kAny = ~std::uint64_t{0};
  std::optional<Window> window = window_for(size, stream, kAny);
  if (!window) {
    return refusal(ErrorCode::kOutOfMemory, size, "its addresses are used up, so trim it");
  }
  if (Result<void> room = make_room(size, window->to_map, *window, effort); !room) {
    return room.failure();
  }
  // Why anew: blocks beside the window may have been joined. It is still there, or a better one.
  window = window_for(size, stream, kAny);
  Result<PayloadBlock*> inside = map_window(*window, size);
  if (!inside && inside.failure().code == ErrorCode::kOutOfMemory) {
    // Others share the memory. What this pool does not use is as good as fresh.
    window = window_for(size, stream, kAny);
    const std::uint64_t to_map = window->to_map;
    if (make_idle(effort) && give_back_idle(to_map, *window, size) != 0) {
      window = window_for(size, stream, kAny);
      inside = map_window(*window, size);
    }
  }
  if (!inside) {
    return refusal(inside.failure().code, size, inside.failure().message);
  }
  return take_window(**inside, window->from, size, stream);
}

// Sees to it that `to_map` more bytes may be mapped, and that what is idle is used first.
Result<void> PayloadPool::make_room(std::uint64_t size, std::uint64_t to_map, const Window& window,
                                    Effort effort) {
  const std::uint64_t most_leased = std::max(peak_leased_, counts_.leased.count() + size);
  const std::uint64_t spare =
      most_leased / 1000 * options_.slack_per_mille + moved_ / kMovesPerSpare;
  const std::uint64_t limit = limit_.load(std::memory_order_relaxed);
  const std::uint64_t enough = std::min(limit, most_leased + spare);
  // Why the second: without a hole of a piece there is nothing to move, and an event would be in vain.
  if (tiling_.mapped() + to_map > enough && largest_free() >= tiling_.piece()) {
    (void)make_idle(Effort::kGrow);
    moved_ += give_back_idle(to_map, window, size);
  }
  if (tiling_.mapped() + to_map > limit_ && effort == Effort::kWait && make_idle(effort)) {
    give_back_idle(tiling_.mapped() + to_map - limit, window, size);
  }
  if (tiling_.mapped() + to_map <= limit) {
    return {};
  }
  const bool budget = budget_ < traits_.capacity;
  return refusal(
      budget ? ErrorCode::kOverBudget : ErrorCode::kOutOfMemory, size,
      to_string(Bytes{to_map}) + " more would have to be mapped, in pieces of " +
          to_string(Bytes{tiling_.piece()}) +
          (budget ? "; hand something back, or raise the budget" : "; hand something back"));
}

// Maps what is unmapped of a window; gives a block inside it.
Result<PayloadBlock*> PayloadPool::map_window(const Window& window, std::uint64_t size) {
  const std::byte* const end = window.from + size;
  const std::uint64_t piece = tiling_.piece();
  PayloadBlock* block = window.first;
  while (true) {
    if (block->is(BlockState::kUnmapped)) {
      const std::uint64_t base = tiling_.offset_of(block->data);
      const std::uint64_t first =
          std::max(base, tiling_.offset_of(window.from) & ~(piece - 1)) - base;
      const std::uint64_t last =
          std::min(block->size, tiling_.pieces_for(tiling_.offset_of(end)) - base);
      Result<PayloadBlock*> mapped = tiling_.map(*block, block->data + first, last - first);
      if (!mapped) {
        return mapped;
      }
      (*mapped)->shelf = kIdleShelf;
      PayloadBlock& joined = join_neighbours(**mapped);
      shelve(joined);
      block = &joined;
    }
    if (block->end() >= end) {
      return block;
    }
    block = block->after;
  }
}

// Takes a window, all of which is free, behind the uses of all its blocks.
Result<PayloadBlock*> PayloadPool::take_window(PayloadBlock& inside, std::byte* from,
                                               std::uint64_t size, StreamId stream) {
  std::byte* const end = from + size;
  PayloadBlock* first = &inside;
  while (first->data > from) {
    first = first->before;
  }
  for (PayloadBlock* block = first; block != nullptr && block->data < end; block = block->after) {
    if (Result<void> ordered = order_behind(stream, *block); !ordered) {
      return ordered.failure();
    }
  }
  unshelve(*first);
  if (first->data < from) {
    PayloadBlock& upper = tiling_.split(*first, static_cast<std::uint64_t>(from - first->data));
    upper.uses = first->uses;
    upper.shelf = first->shelf;
    upper.state.store(BlockState::kLeased, std::memory_order_relaxed);
    shelve(*first);
    first = &upper;
  }
  while (first->end() < end) {
    PayloadBlock& next = *first->after;
    unshelve(next);
    if (next.end() > end) {
      cut(next, static_cast<std::uint64_t>(end - next.data));
    }
    tiling_.join_with_after(*first);
  }
  if (first->end() > end) {
    cut(*first, size);
  }
  return first;
}

Result<PayloadBlock*> PayloadPool::grow_by_segment(std::uint64_t size, Effort effort) {
  const std::uint64_t segment = tiling_.pieces_for(size);
  if (Result<void> room = make_room(size, segment, kNoWindow, effort); !room) {
    return room.failure();
  }
  Result<PayloadBlock*> added = tiling_.add_segment(segment);
  if (!added && added.failure().code == ErrorCode::kOutOfMemory && make_idle(effort) &&
      give_back_idle(segment, kNoWindow, 0) != 0) {
    added = tiling_.add_segment(segment);
  }
  if (!added) {
    return refusal(added.failure().code, size, added.failure().message);
  }
  if ((*added)->size != size) {
    (*added)->shelf = kIdleShelf;
    cut(**added, size);
  }
  return added;
}

// Learns what is over by now, for `kWait` after the host waited for it, and joins what that makes
// joinable. False where the device is of no more use.
bool PayloadPool::make_idle(Effort effort) {
  const Result<void> known =
      effort == Effort::kWait ? epochs_.wait_for_all() : epochs_.end_epochs();
  epochs_.refresh();
  settle_seams();
  return known.ok() || known.failure().code != ErrorCode::kDeviceLost;
}

// Gives memory back that lies in no block's and in no window's way: first what stands alone between
// gaps and what widens a gap, as each gap more is a place where no block can lie across; then the
// largest, so that it takes few calls.
std::uint64_t PayloadPool::give_back_idle(std::uint64_t at_least, const Window& spared,
                                          std::uint64_t size) {
  std::vector<PayloadBlock*> idle;
  const auto look_at = [&](PayloadBlock& block) {
    if (!overlaps(block, spared, size) &&
        (sleeping_ != nullptr ||  // there is no memory that anyone could use
         block.uses.all_of([&](StreamUse use) { return epochs_.is_over(use); }))) {
      idle.push_back(&block);
    }
    return true;
  };
  for (const std::unique_ptr<FreeIndex>& shelf : shelves_) {
    if (shelf != nullptr) {
      shelf->visit_from(tiling_.piece(), look_at);
    }
  }
  if (wilderness_ != nullptr && wilderness_->size >= tiling_.piece()) {
    look_at(*wilderness_);
  }
  const auto rank = [](const PayloadBlock* block) {
    return std::tuple(-gaps_beside(*block), ~block->size, block->data);
  };
  std::sort(idle.begin(), idle.end(),
            [&](const PayloadBlock* a, const PayloadBlock* b) { return rank(a) < rank(b); });
  std::uint64_t given = 0;
  for (PayloadBlock* const block : idle) {
    if (given >= at_least) {
      break;
    }
    given += give_back_inside(*block, at_least - given);
  }
  counts_.trims += given != 0 ? 1 : 0;
  return given;
}

// Gives whole pieces of an idle free block back, `most` rounded up to pieces, from the end that has a
// gap beside it, or the upper one.
std::uint64_t PayloadPool::give_back_inside(PayloadBlock& block, std::uint64_t most) {
  if (!tiling_.can_map()) {
    const std::uint64_t size = block.size;
    if (block.before != nullptr || block.after != nullptr) {
      return 0;
    }
    unshelve(block);
    tiling_.drop_segment(block);
    return size;
  }
  const std::uint64_t base = tiling_.offset_of(block.data);
  std::uint64_t last = (base + block.size) & ~(tiling_.piece() - 1);
  const std::uint64_t first = tiling_.pieces_for(base);
  if (last <= first) {
    return 0;
  }
  const std::uint64_t size = most < last - first ? tiling_.pieces_for(most) : last - first;
  if (is_gap(block.before) && !is_gap(block.after)) {
    last = first + size;
  }
  unshelve(block);
  PayloadBlock* lower = nullptr;
  PayloadBlock* upper = nullptr;
  PayloadBlock* middle = &block;
  if (last - size != base) {
    lower = &block;
    middle = &tiling_.split(block, last - size - base);
    middle->uses = block.uses;
  }
  if (middle->size != size) {
    upper = &tiling_.split(*middle, size);
    upper->uses = middle->uses;
  }
  if (sleeping_ != nullptr) {
    tiling_.forget(*middle);
  } else {
    tiling_.unmap(*middle);
  }
  for (PayloadBlock* const rest : {lower, upper}) {
    if (rest != nullptr) {
      shelve(*rest);
    }
  }
  return size;
}

Bytes PayloadPool::trim(Bytes at_least, HostWait wait) {
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ != nullptr) {
    return Bytes{};
  }
  drain_all(lock);
  drop_pages_left();
  empty_quarantine();
  dissolve_plan();
  (void)make_idle(wait == HostWait::kAllowed ? Effort::kWait : Effort::kGrow);
  return Bytes{give_back_idle(at_least.count(), kNoWindow, 0)};
}

Result<Bytes> PayloadPool::resize(Bytes budget) {
  const Lock lock(core_->mutex);
  const std::string name =
      "the " + std::string(to_string(kind_)) + " pool on " + counts_.backend + " ";
  if (closed_) {
    return Error{ErrorCode::kClosed, name + "was closed; it has no size any more"};
  }
  if (sleeping_ != nullptr) {
    return asleep_error();
  }
  drain_all(lock);
  if (budget.count() > tiling_.most()) {
    return Error{ErrorCode::kBadArgument, name + "cannot be resized to " + to_string(budget) +
                                              ": it has addresses for " +
                                              to_string(Bytes{tiling_.most()})};
  }
  const std::uint64_t limit = std::min(budget.count(), traits_.capacity.count());
  if (limit < counts_.leased.count()) {
    return Error{ErrorCode::kOverBudget, name + "cannot be resized to " + to_string(budget) + ": " +
                                             to_string(counts_.leased) + " are leased in " +
                                             std::to_string(counts_.live_blocks) + " blocks"};
  }
  budget_ = budget;
  counts_.budget = budget;
  limit_.store(limit, std::memory_order_relaxed);
  set_at_once();
  if (tiling_.mapped() <= limit || !make_idle(Effort::kWait)) {
    return Bytes{};
  }
  return Bytes{give_back_idle(tiling_.mapped() - limit, kNoWindow, 0)};
}

}  // namespace tenure
