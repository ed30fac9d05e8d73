// The part of a pool that leases payloads which may be evicted, and brings their bytes back on use:
//
//   bring back:  restore -> copy in, on the stream of the use; nobody waits
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/payload/pool.hpp"

namespace tenure {

Result<PayloadLease> PayloadPool::lease_evictable(Bytes size, StreamId stream, SiteId site,
                                                  Effort effort, ClientId client) {
  const Lock lock(core_->mutex);
  if (Result<void> may = may_have_evictables(); !may) {
    return may.failure();
  }
  if (client != ClientId::kNone && is_over(client, size, lock)) {
    ++counts_.refusals;
    return client_refusal(client, size);
  }
  if (!may_lease(size, stream)) {
    if (Result<void> ready = make_ready(size, stream); !ready) {
      ++counts_.refusals;
      return ready.failure();
    }
  }
  drain_all(lock);
  const std::uint64_t rounded = round_up(size, Bytes{kBlockStep}).count();
  PayloadBlock* block = take_fitting(rounded, stream);
  if (block == nullptr) {
    const Result<PayloadBlock*> taken = take_or_refuse(rounded, stream, effort);
    if (!taken) {
      return taken.failure();
    }
    block = *taken;
  }
  if (block == nullptr) {
    return PayloadLease();
  }
  PayloadLease lease = count_out(*block, size, stream, site, client);
  if (evictables_.spare.empty()) {
    evictables_.spare.emplace_back();
  }
  evictables_.known.splice(evictables_.known.end(), evictables_.spare, evictables_.spare.begin());
  Evictable& entry = evictables_.known.back();
  entry.block = block;
  entry.place = std::prev(evictables_.known.end());
  block->shelf = kEvictableShelf;
  block->note.evictable = &entry;
  block->state.store(BlockState::kEvictable, std::memory_order_relaxed);
  return lease;
}

Result<void> PayloadPool::may_have_evictables() const {
  const std::string name = "payloads of the " + std::string(to_string(kind_)) + " pool on " +
                           counts_.backend + " cannot be evictable: ";
  if (kind_ != MemoryKind::kDevice && kind_ != MemoryKind::kUnified) {
    return Error{ErrorCode::kUnsupported, name + "they are in memory of the host already"};
  }
  if (core_->guard != nullptr) {
    return Error{ErrorCode::kUnsupported,
                 name + "with check=payload they are looked at where they are"};
  }
  if (traits_.supported && !traits_.can_map) {
    return Error{ErrorCode::kUnsupported,
                 name + "its memory cannot be unmapped from behind its addresses"};
  }
  return {};
}

// Files what was handed back of evictable payloads; what is used still waits for the use's end.
void PayloadPool::drain_evictables() {
  core_->evictables.take_all([&](PayloadBlock& block) {
    Evictable& entry = *block.note.evictable;
    if (entry.is_pinned() && !closed_) {
      core_->evictables.put(block);  // it is met again the next time
      return;
    }
    end_sample(block);
    ++counts_.returns;
    --counts_.live_blocks;
    counts_.live -= Bytes{block.asked};
    clients_.credit(static_cast<ClientId>(block.client), Bytes{block.asked});
    counts_.leased -= Bytes{block.size};
    const Stretch gone = std::exchange(entry.gone, {});
    if (gone.size != 0) {
      count_no_longer_evicted(gone.size);
    }
    entry.refuge = {};
    entry.brought_back = {};
    evictables_.spare.splice(evictables_.spare.end(), evictables_.known, entry.place);
    if (closed_) {
      entry.pins = std::make_shared<std::atomic<std::uint32_t>>(0u);  // the others are somebody's
    }
    if (gone.size == 0) {
      file(block);
    } else {
      file_evicted(block, gone);
    }
  });
}

// A block comes back without the pieces that are gone: they become unmapped, and its edges free.
void PayloadPool::file_evicted(PayloadBlock& block, const Stretch& gone) {
  end_uses(block);
  PayloadBlock* lower = nullptr;
  PayloadBlock* upper = nullptr;
  PayloadBlock* middle = &block;
  if (block.data != gone.from) {
    lower = &block;
    middle = &tiling_.split(block, static_cast<std::uint64_t>(gone.from - block.data));
  }
  if (middle->size != gone.size) {
    upper = &tiling_.split(*middle, gone.size);
    upper->uses = block.uses;
  }
  tiling_.forget(*middle);
  for (PayloadBlock* const edge : {lower, upper}) {
    if (edge != nullptr) {
      edge->state.store(BlockState::kFree, std::memory_order_relaxed);
      edge->shelf = shelf_for(*edge);
      shelve(join_neighbours(*edge));
    }
  }
}

Result<PayloadUse> PayloadPool::use(PayloadBlock& block, StreamId stream, Effort effort) {
  const Lock lock(core_->mutex);
  if (Result<void> ready = make_ready(Bytes{1}, stream); !ready) {
    return ready.failure();
  }
  check(block.is(BlockState::kEvictable), "a payload was used that is not leased");
  Evictable& entry = *block.note.evictable;
  Result<void> there =
      entry.is_gone() ? bring_back(entry, stream, effort) : order_behind_return(entry, stream);
  if (!there) {
    return there.failure();
  }
  block.uses.add_ongoing(stream);
  evictables_.known.splice(evictables_.known.end(), evictables_.known, entry.place);
  // Why relaxed: whoever evicts has the lock too.
  entry.pins->fetch_add(1, std::memory_order_relaxed);
  return PayloadUse({block.data, Bytes{block.asked}, kind_}, entry.pins);
}

// A use on another stream comes behind the copy that brought the bytes back.
Result<void> PayloadPool::order_behind_return(Evictable& entry, StreamId stream) {
  if (entry.brought_back.is_none() || epochs_.is_behind(stream, entry.brought_back)) {
    return {};
  }
  if (!epochs_.has_event(entry.brought_back)) {
    if (Result<void> ended = epochs_.end_epoch(entry.brought_back.stream()); !ended) {
      return ended;
    }
  }
  return epochs_.order_behind(stream, entry.brought_back);
}

void PayloadPool::count_no_longer_evicted(std::uint64_t size) {
  evictables_.gone -= size;
  --counts_.evicted_payloads;
  counts_.evicted -= Bytes{size};
}

// Maps what is gone of a payload and copies its bytes there. Where that fails it is evicted still.
Result<void> PayloadPool::bring_back(Evictable& entry, StreamId stream, Effort effort) {
  const Stretch gone = entry.gone;
  if (Result<void> room = restore_with_effort(gone, effort); !room) {
    return room;
  }
  const auto copy = [&] {
    return backend_.copy(stream, gone.from, entry.refuge.data(), Bytes{gone.size});
  };
  Result<void> copied = entry.refuge.is_pinned() ? entry.refuge.pool->while_awake(copy) : copy();
  if (!copied) {
    tiling_.withdraw(gone.from, gone.size);
    return Error{copied.failure().code,
                 "an evicted payload of " + to_string(Bytes{entry.block->asked}) +
                     " was not brought back, and is where it was: " + copied.failure().message};
  }
  entry.brought_back = epochs_.end_use(stream);
  if (entry.refuge.is_pinned()) {
    entry.refuge.pinned.used_on(stream);
  } else {
    evictables_.leaving.emplace_back(entry.brought_back, std::move(entry.refuge.pages));
  }
  entry.refuge = {};
  entry.gone = {};
  entry.block->uses.begin(stream);  // whatever was before it left was over then
  count_no_longer_evicted(gone.size);
  ++counts_.evicted_brought_back;
  counts_.bytes_brought_back += Bytes{gone.size};
  return {};
}

Result<void> PayloadPool::restore_with_effort(const Stretch& gone, Effort effort) {
  drop_pages_left();
  if (tiling_.mapped() + gone.size > limit_ && make_idle(effort)) {
    const std::uint64_t wanted = tiling_.mapped() + gone.size;
    give_back_idle(wanted > limit_ ? wanted - limit_ : 0, {}, 0);
  }
  if (tiling_.mapped() + gone.size > limit_) {
    const bool budget = budget_ < traits_.capacity;
    return refusal(budget ? ErrorCode::kOverBudget : ErrorCode::kOutOfMemory, gone.size,
                   "so an evicted payload stays evicted");
  }
  Result<void> restored = tiling_.restore(gone.from, gone.size);
  if (!restored && restored.failure().code == ErrorCode::kOutOfMemory && make_idle(effort) &&
      give_back_idle(gone.size, {}, 0) != 0) {
    restored = tiling_.restore(gone.from, gone.size);
  }
  if (!restored) {
    return refusal(restored.failure().code, gone.size,
                   "so an evicted payload stays evicted: " + restored.failure().message);
  }
  return {};
}

// Frees the pages that no copy reads any more.
void PayloadPool::drop_pages_left() {
  if (evictables_.leaving.empty()) {
    return;
  }
  (void)epochs_.end_epochs();
  epochs_.refresh();
  std::erase_if(evictables_.leaving,
                [&](const auto& pages) { return epochs_.is_over(pages.first); });
}

}  // namespace tenure
