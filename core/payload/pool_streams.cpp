// The part of a pool that knows of several streams.
#include <algorithm>
#include <array>
#include <string>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

// Of one shelf, so many blocks are looked at for one that needs no wait. More would cost the slow
// path more than a wait costs the stream.
constexpr std::uint32_t kMostLooks = 32;

// So many blocks are tried in turn where the backend refuses to order a stream behind one.
constexpr std::size_t kMostTries = 4;

bool is_seam(const PayloadBlock& lower) {
  return lower.is(BlockState::kFree) && lower.after != nullptr &&
         lower.after->is(BlockState::kFree);
}

// The smallest few blocks that were seen, in order.
class Smallest {
 public:
  void see(PayloadBlock& block) {
    PayloadBlock* carried = &block;
    for (PayloadBlock*& kept : blocks_) {
      if (kept == nullptr || carried->size < kept->size) std::swap(kept, carried);
      if (carried == nullptr) return;
    }
  }
  [[nodiscard]] const std::array<PayloadBlock*, kMostTries>& blocks() const { return blocks_; }

 private:
  std::array<PayloadBlock*, kMostTries> blocks_{};
};

}  // namespace

// The first request of a stream, or one that cannot be met.
Result<void> PayloadPool::make_ready(Bytes size, StreamId stream) {
  if (closed_) {
    return Error{ErrorCode::kClosed, "the " + std::string(to_string(kind_)) + " pool on " +
                                         counts_.backend + " was closed; nothing can be leased"};
  }
  if (sleeping_ != nullptr) {
    return asleep_error();
  }
  if (!traits_.supported) {
    return Error{ErrorCode::kUnsupported, counts_.backend + " has no " +
                                              std::string(to_string(kind_)) + " memory" +
                                              (traits_.note.empty() ? "" : ": " + traits_.note)};
  }
  if (size.is_zero()) {
    return Error{ErrorCode::kBadArgument, "a payload of 0 bytes was asked for; ask for 1 at least"};
  }
  if (size.count() > limit_) {
    const bool budget = budget_ < traits_.capacity;
    return refusal(budget ? ErrorCode::kOverBudget : ErrorCode::kOutOfMemory, size.count(),
                   budget ? "that is more than its whole budget, so raise it or ask for less"
                          : "that is more than there can ever be, so ask for less");
  }
  const bool was_single = !epochs_.has_several();
  if (was_single && !epochs_.knows(stream)) {
    dissolve_plan();  // it was made in one order
  }
  if (Result<void> met = epochs_.meet(stream); !met) {
    return met;
  }
  if (was_single && epochs_.has_several()) {
    begin_several();
  }
  return {};
}

// From one order to several: what stood on the one shelf goes where its uses say.
void PayloadPool::begin_several() {
  std::vector<PayloadBlock*> free;
  tiling_.for_each([&](PayloadBlock& block) {
    if (block.is(BlockState::kFree)) {
      unshelve(block);
      free.push_back(&block);
    }
  });
  for (PayloadBlock* const block : free) {
    shelve(*block);
  }
}

// The uses of a block that was handed back end now. Streams that nobody leased for are met here; one
// that was ended meanwhile gets no event any more, and what it used waits for the pool's end.
void PayloadPool::end_uses(PayloadBlock& block) {
  const bool was_single = !epochs_.has_several();
  if (was_single &&
      !block.uses.all_of([&](StreamUse use) { return epochs_.knows(use.stream()); })) {
    dissolve_plan();  // it was made in one order
  }
  block.uses.for_each([&](StreamUse& use) {
    epochs_.admit(use.stream());
    use = epochs_.end_use(use.stream());
  });
  if (was_single && epochs_.has_several()) {
    begin_several();
  }
}

void PayloadPool::file_among_streams(PayloadBlock& block) {
  end_uses(block);
  block.uses.for_each([&](const StreamUse& use) {
    if (epochs_.has_several() && epochs_.is_epoch_full(use.stream())) {
      (void)epochs_.end_epoch(use.stream());  // refused: the epoch goes on, and is ended later
    }
  });
  for (PayloadBlock* const neighbour : {block.before, block.after}) {
    if (neighbour != nullptr && neighbour->is(BlockState::kFree)) {
      settle(*neighbour);
    }
  }
  block.state.store(BlockState::kFree, std::memory_order_relaxed);
  block.shelf = shelf_for(block);
  shelve(join_neighbours(block));
}

// Moves a free block to the shelf where it belongs by what is over now.
void PayloadPool::settle(PayloadBlock& block) {
  if (block.uses.is_empty()) {
    return;
  }
  block.uses.erase_if([&](StreamUse use) { return epochs_.is_over(use); });
  if (shelf_for(block) != block.shelf) {
    unshelve(block);
    block.shelf = shelf_for(block);
    shelve(join_neighbours(block));
  }
}

// Joins neighbours that were kept apart by uses that are over now. A join may make the next one
// possible, on either side, hence the passes.
void PayloadPool::settle_seams() {
  std::size_t before = 0;
  do {
    before = seams_.size();
    for (std::size_t i = 0; i < seams_.size(); ++i) {  // settling may note more of them
      PayloadBlock& lower = *seams_[i];
      if (is_seam(lower)) {
        settle(*lower.after);
        settle(lower);
      }
    }
    drop_stale_seams();
  } while (seams_.size() < before);
}

// Forgets the seams that are none any more.
void PayloadPool::drop_stale_seams() {
  std::erase_if(seams_, [](PayloadBlock* block) {
    block->noted_seam = is_seam(*block);
    return !block->noted_seam;
  });
}

void PayloadPool::note_seams_of(PayloadBlock& block) {
  const auto note = [&](PayloadBlock* lower) {
    if (!lower->noted_seam) {
      lower->noted_seam = true;
      seams_.push_back(lower);
    }
  };
  if (block.after != nullptr && block.after->is(BlockState::kFree)) {
    note(&block);
  }
  if (block.before != nullptr && block.before->is(BlockState::kFree)) {
    note(block.before);
  }
}

// The smallest block of other streams that needs no wait; else the smallest behind a wait.
PayloadBlock* PayloadPool::take_from_others(std::uint64_t size, StreamId stream,
                                            Result<void>& failure) {
  failure = epochs_.end_epochs();
  epochs_.refresh();
  Smallest at_once;
  Smallest behind_wait;
  const auto look_at = [&](PayloadBlock& block) {
    if (block.uses.all_of([&](StreamUse use) { return epochs_.is_behind(stream, use); })) {
      at_once.see(block);
    } else if (may_be_ordered(stream, block)) {
      behind_wait.see(block);
    }
  };
  for (const std::unique_ptr<FreeIndex>& shelf : shelves_) {
    if (shelf != nullptr) {
      std::uint32_t looks = 0;
      shelf->visit_from(size, [&](PayloadBlock& block) {
        look_at(block);
        return ++looks < kMostLooks;
      });
    }
  }
  if (at_once.blocks()[0] == nullptr && wilderness_ != nullptr && wilderness_->size >= size) {
    look_at(*wilderness_);
  }
  for (const Smallest* const group : {&at_once, &behind_wait}) {
    for (PayloadBlock* const block : group->blocks()) {
      if (block == nullptr) {
        break;
      }
      if (Result<void> ordered = order_behind(stream, *block); !ordered) {
        failure = ordered;
        continue;
      }
      unshelve(*block);
      if (block->size != size) {
        cut(*block, size);
      }
      return block;
    }
  }
  return nullptr;
}

// A place over free neighbours that different streams used, with nothing to map.
PayloadBlock* PayloadPool::take_across_seams(std::uint64_t size, StreamId stream,
                                             Result<void>& failure) {
  drop_stale_seams();
  const std::optional<Window> window = window_for(size, stream, 0);
  if (!window) {
    return nullptr;
  }
  Result<PayloadBlock*> taken = take_window(*window->first, window->from, size, stream);
  if (!taken) {
    failure = taken.failure();
    return nullptr;
  }
  return *taken;
}

// Whether `stream` can be put behind all uses of a free block: not where an event was refused.
bool PayloadPool::may_be_ordered(StreamId stream, const PayloadBlock& block) const {
  return block.uses.all_of(
      [&](StreamUse use) { return epochs_.is_behind(stream, use) || epochs_.has_event(use); });
}

std::optional<Window> PayloadPool::window_for(std::uint64_t size, StreamId stream,
                                              std::uint64_t most_to_map) const {
  const auto usable = [&](const PayloadBlock& block) { return may_be_ordered(stream, block); };
  return find_window(tiling_, size, seams_, usable, most_to_map);
}

// Puts `stream` behind all uses of a free block.
Result<void> PayloadPool::order_behind(StreamId stream, const PayloadBlock& block) {
  Result<void> outcome;
  block.uses.for_each([&](StreamUse use) {
    if (!outcome || epochs_.is_behind(stream, use)) {
      return;
    }
    outcome = epochs_.has_event(use)
                  ? epochs_.order_behind(stream, use)
                  : Result<void>(Error{ErrorCode::kDeviceRefused,
                                       "no event stands behind the last use of a free block"});
  });
  return outcome;
}

}  // namespace tenure
