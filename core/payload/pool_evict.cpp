// The part of a pool that moves cold payloads to memory of the host:
//
//   evict:  order a stream behind all uses -> copy out -> the host waits -> withdraw
//
// Why the host waits once: memory may only be unmapped once no work uses it. It is a step of the ladder,
// and no part of a use or a lease that finds room.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kAny = ~std::uint64_t{0};

std::uint64_t excess(std::uint64_t wanted, std::uint64_t had) {
  return wanted > had ? wanted - had : 0;
}

}  // namespace

bool PayloadPool::has_evictables() {
  const Lock lock(core_->mutex);
  return !evictables_.known.empty();
}

EvictionOutcome PayloadPool::evict_for(Bytes size, StreamId stream, PayloadPool* pinned) {
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ != nullptr) {
    return {};
  }
  drain_all(lock);
  (void)make_idle(Effort::kGrow);
  const std::uint64_t rounded = round_up(size, Bytes{kBlockStep}).count();
  const std::optional<Window> window = window_for(rounded, stream, kAny);
  const std::uint64_t to_map = window ? window->to_map : tiling_.pieces_for(rounded);
  return evict_until_mappable(to_map, window.value_or(Window{}), rounded, pinned);
}

EvictionOutcome PayloadPool::evict_for_return(const PayloadBlock& block, PayloadPool* pinned) {
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ != nullptr || !block.is(BlockState::kEvictable)) {
    return {};
  }
  drain_all(lock);
  (void)make_idle(Effort::kGrow);
  return evict_until_mappable(block.note.evictable->gone.size, {}, 0, pinned);
}

EvictionOutcome PayloadPool::evict(Bytes at_least, PayloadPool* pinned) {
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ != nullptr) {
    return {};
  }
  drain_all(lock);
  return evict_coldest(at_least.count(), pinned);
}

// Has so much given up that `to_map` bytes can be mapped: of the limit, or, where that is not in the
// way, of the memory that others share.
EvictionOutcome PayloadPool::evict_until_mappable(std::uint64_t to_map, const Window& spared,
                                                  std::uint64_t size, PayloadPool* pinned) {
  const std::uint64_t over = excess(tiling_.mapped() + to_map, limit_);
  const std::uint64_t wanted = over != 0 ? over : to_map;
  const std::uint64_t idle = wanted == 0 ? 0 : give_back_idle(wanted, spared, size);
  EvictionOutcome outcome = evict_coldest(excess(wanted, idle), pinned);
  outcome.gained += Bytes{idle};
  return outcome;
}

EvictionOutcome PayloadPool::evict_coldest(std::uint64_t at_least, PayloadPool* pinned) {
  EvictionOutcome outcome;
  drop_pages_left();
  std::vector<Leaver> leavers;
  std::uint64_t copied = 0;
  for (auto entry = evictables_.known.begin();
       entry != evictables_.known.end() && copied < at_least; ++entry) {
    const Stretch pieces = whole_pieces_of(*entry->block);
    if (entry->is_gone() || entry->is_pinned() || pieces.size == 0) {
      continue;
    }
    Result<Leaver> leaver = copy_out(*entry, pieces, pinned);
    if (leaver) {
      copied += pieces.size;
      leavers.push_back(std::move(*leaver));
      continue;
    }
    outcome.failure = leaver.failure().message;
    if (leaver.failure().code == ErrorCode::kDeviceLost) {
      break;
    }
  }
  outcome.gained = Bytes{finish_leaving(leavers, outcome)};
  return outcome;
}

Stretch PayloadPool::whole_pieces_of(const PayloadBlock& block) const {
  const std::uint64_t base = tiling_.offset_of(block.data);
  const std::uint64_t first = tiling_.pieces_for(base);
  const std::uint64_t last = (base + block.size) & ~(tiling_.piece() - 1);
  return last <= first ? Stretch{} : Stretch{block.data + (first - base), last - first};
}

// Copies pieces of a payload to a refuge, behind all that uses it. It is resident still.
Result<PayloadPool::Leaver> PayloadPool::copy_out(Evictable& entry, const Stretch& pieces,
                                                  PayloadPool* pinned) {
  PayloadBlock& block = *entry.block;
  Leaver leaver{.entry = &entry, .pieces = pieces, .stream = block.uses.home(), .refuge = {}};
  if (Result<void> ordered = order_behind_ongoing(leaver.stream, block); !ordered) {
    return ordered.failure();
  }
  Result<void> copied = Error{ErrorCode::kOutOfMemory, "no pool of pinned memory"};
  if (pinned != nullptr) {
    copied = copy_to_pinned(leaver, *pinned);
  }
  if (!copied && copied.failure().code != ErrorCode::kDeviceLost) {
    copied = copy_to_pages(leaver);
  }
  if (!copied) {
    return Error{copied.failure().code, "a payload of " + to_string(Bytes{block.asked}) +
                                            " was not evicted: " + copied.failure().message};
  }
  return leaver;
}

Result<void> PayloadPool::copy_to_pinned(Leaver& leaver, PayloadPool& pinned) {
  Result<PayloadLease> lease = pinned.lease(Bytes{leaver.pieces.size}, leaver.stream);
  if (!lease) {
    return lease.failure();
  }
  // Why while awake: between the lease and the copy it may fall asleep.
  Result<void> copied = pinned.while_awake([&] {
    return backend_.copy(leaver.stream, lease->data(), leaver.pieces.from,
                         Bytes{leaver.pieces.size});
  });
  if (copied) {
    leaver.refuge.pool = &pinned;
    leaver.refuge.pinned = std::move(*lease);
  }
  return copied;
}

Result<void> PayloadPool::copy_to_pages(Leaver& leaver) {
  Result<HostPages> pages = HostPages::of(Bytes{leaver.pieces.size});
  if (!pages) {
    return pages.failure();
  }
  Result<void> copied =
      backend_.copy(leaver.stream, pages->data(), leaver.pieces.from, Bytes{leaver.pieces.size});
  if (copied) {
    leaver.refuge.pages = std::move(*pages);
  }
  return copied;
}

// Puts a stream behind all work so far of those that use a leased block.
Result<void> PayloadPool::order_behind_ongoing(StreamId stream, PayloadBlock& block) {
  const bool was_single = !epochs_.has_several();
  std::vector<StreamId> users;
  block.uses.for_each_ongoing([&](StreamId user) {
    epochs_.admit(user);
    users.push_back(user);
  });
  if (was_single && epochs_.has_several()) {
    dissolve_plan();  // it was made in one order
    begin_several();
  }
  for (const StreamId user : users) {
    const StreamUse use = epochs_.end_use(user);
    if (epochs_.is_behind(stream, use)) {
      continue;
    }
    if (Result<void> ended = epochs_.end_epoch(user); !ended) {
      return ended;
    }
    if (Result<void> ordered = epochs_.order_behind(stream, use); !ordered) {
      return ordered;
    }
  }
  return {};
}

// Waits for the copies, and takes the memory of those that are done.
std::uint64_t PayloadPool::finish_leaving(std::vector<Leaver>& leavers, EvictionOutcome& outcome) {
  std::vector<std::pair<StreamId, bool>> finished;
  const auto is_done = [&](StreamId stream) {
    for (const auto& [known, done] : finished) {
      if (known == stream) return done;
    }
    const Result<void> waited = Mover{backend_, stream, traits_.host_readable}.finish();
    if (!waited) {
      outcome.failure = "the end of a copy cannot be waited for: " + waited.failure().message;
    }
    finished.emplace_back(stream, waited.ok());
    return waited.ok();
  };
  std::uint64_t gained = 0;
  for (Leaver& leaver : leavers) {
    if (!is_done(leaver.stream)) {
      leaver.refuge.pages.abandon();  // a lease goes back behind the copy
      continue;
    }
    Evictable& entry = *leaver.entry;
    tiling_.withdraw(leaver.pieces.from, leaver.pieces.size);
    entry.gone = leaver.pieces;
    entry.refuge = std::move(leaver.refuge);
    entry.brought_back = {};
    evictables_.gone += leaver.pieces.size;
    ++counts_.evicted_payloads;
    counts_.evicted += Bytes{leaver.pieces.size};
    ++counts_.evictions;
    counts_.bytes_evicted += Bytes{leaver.pieces.size};
    gained += leaver.pieces.size;
  }
  return gained;
}

std::string PayloadPool::evictables_fault() const {
  std::uint64_t gone = 0;
  std::uint64_t payloads = 0;
  for (const Evictable& entry : evictables_.known) {
    if (entry.block->note.evictable != &entry) {
      return "an evictable payload's block does not know it";
    }
    if (entry.is_gone() != (entry.refuge.data() != nullptr)) {
      return "an evictable payload is in two places, or in none";
    }
    gone += entry.gone.size;
    payloads += entry.is_gone() ? 1 : 0;
  }
  if (gone != evictables_.gone || gone != counts_.evicted.count() ||
      payloads != counts_.evicted_payloads ||
      (sleeping_ == nullptr && gone != tiling_.withdrawn())) {
    return std::to_string(gone) + " bytes of " + std::to_string(payloads) +
           " payloads are evicted, and " + std::to_string(counts_.evicted.count()) + " of " +
           std::to_string(counts_.evicted_payloads) + " are counted, and " +
           std::to_string(tiling_.withdrawn()) + " withdrawn";
  }
  return {};
}

// The pool ends, and its streams did or did not come to rest.
void PayloadPool::end_evictables(bool is_idle) {
  if (!is_idle) {
    for (auto& [use, pages] : evictables_.leaving) {
      pages.abandon();
    }
  }
  evictables_ = {};
  counts_.evicted_payloads = 0;
  counts_.evicted = {};
}

}  // namespace tenure
