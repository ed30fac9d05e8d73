#include "core/payload/pool.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// A pool counts bytes below the addresses there are, so that sums and roundings cannot wrap.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 45;

std::uint64_t rounded(Bytes size) { return round_up(size, Bytes{kBlockStep}).count(); }

}  // namespace

// Why a flag beside the lock, and not an attempt to take it: where the program has one thread the system
// takes and leaves a lock by plain stores, but attempts it by an exchange. Relaxed, as it is a hint.
class PayloadPool::Turn {
 public:
  Turn(PayloadPool& pool, bool met) : core_(*pool.core_) {
    core_.is_leasing.store(true, std::memory_order_relaxed);
    if (met || pool.heat_ != 0) [[unlikely]] {
      pool.note_turn(met);
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { core_.is_leasing.store(false, std::memory_order_relaxed); }

 private:
  PoolCore& core_;
};

namespace {

KindTraits aligned(KindTraits traits, Bytes alignment) {
  traits.granularity = std::max(traits.granularity, alignment);
  return traits;
}

}  // namespace

PayloadPool::PayloadPool(Backend& backend, MemoryKind kind, const PoolOptions& options)
    : backend_(backend),
      kind_(kind),
      traits_(aligned(backend.traits(kind), options.alignment)),
      options_(options),
      budget_(options.budget),
      limit_(std::min({options.budget.count(), traits_.capacity.count(), kMostBytes})),
      strategy_(options.strategy),
      at_once_(0),
      core_(new PoolCore(kind, backend)),
      epochs_(backend),
      tiling_(backend, *core_, traits_, limit_) {
  if (options.checked != nullptr) {
    core_->guard = std::make_unique<PayloadGuard>(*options.checked, kind, options.guard);
  }
  counts_.kind = kind;
  counts_.backend = backend.name();
  counts_.budget = options.budget;
  counts_.strategy = strategy_;
  if (options.plans) {
    planning_ = std::make_unique<Planning>();
    planning_->is_paused = strategy_ != AllocationStrategy::kBestFit;
  }
  set_at_once();
  fork_watch_.emplace(kind == MemoryKind::kPinned ? ForkRank::kPinnedPool : ForkRank::kPool,
                      ForkSteps{[this] {
                                  core_->mutex.lock();
                                  file_recent();  // so that what is to be found was not looked at
                                },
                                [this] { core_->mutex.unlock(); },
                                [this] {
                                  core_->find_returned();
                                  core_->mutex.unlock();
                                }});
}

PayloadPool::~PayloadPool() {
  close();
  fork_watch_.reset();
  core_->let_go();
}

Result<PayloadLease> PayloadPool::lease(Bytes size, StreamId stream, SiteId site, Effort effort,
                                        ClientId client) {
  if (core_->is_caching.load(std::memory_order_acquire)) [[unlikely]] {
    if (PayloadLease kept = lease_kept(size, stream, site, client); kept.owns()) {
      return kept;
    }
  }
  const bool met = core_->is_leasing.load(std::memory_order_relaxed);
  const Lock lock(core_->mutex);
  const Turn turn(*this, met);
  if (client != ClientId::kNone && is_over(client, size, lock)) [[unlikely]] {
    ++counts_.refusals;
    return client_refusal(client, size);
  }
  if (!may_lease(size, stream)) [[unlikely]] {
    if (Result<void> ready = make_ready(size, stream); !ready) {
      ++counts_.refusals;
      return ready.failure();
    }
    if (core_->guard != nullptr) {
      return lease_guarded(size, stream, site, effort, client, lock);
    }
    if (strategy_ != AllocationStrategy::kBestFit) {
      return lease_by_strategy(size, stream, site, effort, client, lock);
    }
  }
  PayloadBlock* block = take_at_hand(rounded(size), stream, site, lock);
  if (block == nullptr && core_->caches != nullptr) [[unlikely]] {
    block = take_kept(rounded(size), stream, lock);
  }
  if (block == nullptr) [[unlikely]] {
    const Result<PayloadBlock*> taken = take_or_refuse(rounded(size), stream, effort);
    if (!taken) {
      return taken.failure();
    }
    block = *taken;
  }
  return block == nullptr ? PayloadLease() : hand_out(*block, size, stream, site, client);
}

// With all effort; what a plan holds and does not use is needed before anything is refused.
Result<PayloadBlock*> PayloadPool::take_or_refuse(std::uint64_t size, StreamId stream,
                                                  Effort effort) {
  Result<PayloadBlock*> taken = take_with_effort(size, stream, effort);
  if (!taken && planning_ != nullptr && planning_->followed != nullptr) {
    leave_plan();
    taken = take_fitting(size, stream);
    if (*taken == nullptr) {
      taken = take_with_effort(size, stream, effort);
    }
  }
  counts_.refusals += taken ? 0 : 1;
  return taken;
}

PayloadLease PayloadPool::try_lease(Bytes size, StreamId stream, SiteId site, ClientId client) {
  if (core_->is_caching.load(std::memory_order_acquire)) [[unlikely]] {
    if (PayloadLease kept = lease_kept(size, stream, site, client); kept.owns()) {
      return kept;
    }
  }
  const bool met = core_->is_leasing.load(std::memory_order_relaxed);
  const Lock lock(core_->mutex);
  const Turn turn(*this, met);
  if (client != ClientId::kNone && is_over(client, size, lock)) [[unlikely]] {
    return {};
  }
  if (!may_lease(size, stream)) [[unlikely]] {
    if (!make_ready(size, stream)) {
      return {};
    }
    if (core_->guard != nullptr) {
      Result<PayloadLease> lease = lease_guarded(size, stream, site, Effort::kReuse, client, lock);
      return lease ? std::move(*lease) : PayloadLease();
    }
    if (strategy_ != AllocationStrategy::kBestFit) {
      Result<PayloadLease> lease =
          lease_by_strategy(size, stream, site, Effort::kReuse, client, lock);
      return lease ? std::move(*lease) : PayloadLease();
    }
  }
  PayloadBlock* block = take_at_hand(rounded(size), stream, site, lock);
  if (block == nullptr && core_->caches != nullptr) [[unlikely]] {
    block = take_kept(rounded(size), stream, lock);
  }
  if (block == nullptr) [[unlikely]] {
    const Result<PayloadBlock*> taken = take_with_effort(rounded(size), stream, Effort::kReuse);
    block = taken.ok() ? *taken : nullptr;
  }
  return block == nullptr ? PayloadLease() : hand_out(*block, size, stream, site, client);
}

bool PayloadPool::is_over(ClientId client, Bytes size, const Lock& lock) {
  if (clients_.admits(client, size)) {
    return false;
  }
  drain_all(lock);  // some of what it holds may have come back
  if (clients_.admits(client, size)) {
    return false;
  }
  clients_.refuse(client);
  return true;
}

void PayloadPool::limit_client(ClientId client, std::string_view name, const ClientLimits& limits) {
  const Lock lock(core_->mutex);
  clients_.set_limits(client, name, limits);
}

bool PayloadPool::take_passed(ClientId client) {
  const Lock lock(core_->mutex);
  return clients_.take_passed(client);
}

PayloadBlock* PayloadPool::take_at_hand(std::uint64_t size, StreamId stream, SiteId site,
                                        const Lock& lock) {
  if (planning_ != nullptr) {
    return take_at_hand_planning(size, stream, site, lock);
  }
  if (PayloadBlock* const match = drain(size, stream, lock)) {
    ++counts_.cached_hits;
    return match;
  }
  return take_own(size, stream);
}

// Looks at what was handed back. A block of just this size and stream is given as it is, and others of
// the size wait for requests like this one; where there is none all are filed, as they are without a
// size. Why not all wait: holes are joined later then, and one of 25 traces takes 0.5 % more memory.
PayloadBlock* PayloadPool::drain(std::uint64_t size, StreamId stream, const Lock&) {
  core_->returned.take_all([&](PayloadBlock& block) {
    if (block.is(BlockState::kInert)) [[unlikely]] {
      return;  // the pool closed before
    }
    end_sample(block);
    ++counts_.returns;
    --counts_.live_blocks;
    counts_.live -= Bytes{block.asked};
    clients_.credit(static_cast<ClientId>(block.client), Bytes{block.asked});
    counts_.leased -= Bytes{block.size};
    if (planning_ != nullptr) {
      note_return(block);
      if (block.shelf == kPlanShelf && take_slot_back(block)) {
        return;
      }
    }
    if (block.size == size) {
      recent_.put(block);
    } else {
      file(block);
    }
  });
  PayloadBlock* const match = size == 0 ? nullptr : recent_.take(size, stream);
  if (match == nullptr) {
    file_recent();
  }
  return match;
}

PayloadLease PayloadPool::hand_out(PayloadBlock& block, Bytes size, StreamId stream, SiteId site,
                                   ClientId client) {
  PayloadLease lease = count_out(block, size, stream, site, client);
  if (planning_ != nullptr) {
    note_lease(block, stream, site);
  }
  return lease;
}

PayloadLease PayloadPool::count_out(PayloadBlock& block, Bytes size, StreamId stream, SiteId site,
                                    ClientId client) {
  block.set_asked(size, client);
  clients_.charge(client, size);
  block.site.store(site, std::memory_order_relaxed);
  block.uses.begin(stream);
  block.state.store(BlockState::kLeased, std::memory_order_relaxed);
  ++counts_.leases;
  ++counts_.live_blocks;
  counts_.live += size;
  counts_.leased += Bytes{block.size};
  if (counts_.live > counts_.peak_live || counts_.leased.count() > peak_leased_) {
    raise_peaks();
  }
  return PayloadLease(block);
}

// A block comes back: its uses end now, as far as the order of its streams goes.
void PayloadPool::file(PayloadBlock& block) {
  if (epochs_.has_several() || !block.uses.is_single()) [[unlikely]] {
    file_among_streams(block);
    return;
  }
  block.uses.become(epochs_.end_use(block.uses.home()));
  block.state.store(BlockState::kFree, std::memory_order_relaxed);
  block.shelf = kIdleShelf;
  shelve(join_neighbours(block));
}

// Joins a free block that stands on no shelf with neighbours of its own shelf; gives the whole.
PayloadBlock& PayloadPool::join_neighbours(PayloadBlock& block) {
  const auto joins = [&](const PayloadBlock* other) {
    return other != nullptr && other->is(BlockState::kFree) && other->shelf == block.shelf;
  };
  if (joins(block.after)) {
    unshelve(*block.after);
    block.uses.add_all(block.after->uses);
    tiling_.join_with_after(block);
  }
  PayloadBlock* const before = block.before;
  if (!joins(before)) {
    return block;
  }
  unshelve(*before);
  before->uses.add_all(block.uses);
  tiling_.join_with_after(*before);
  return *before;
}

void PayloadPool::shelve(PayloadBlock& block) {
  block.shelf = shelf_for(block);
  if (epochs_.has_several()) {
    note_seams_of(block);
  }
  if (!is_wilderness(block)) {
    shelf(block.shelf).insert(block);
    return;
  }
  if (wilderness_ != nullptr) {  // memory was mapped above the old one
    shelf(wilderness_->shelf).insert(*wilderness_);
  }
  wilderness_ = &block;
}

void PayloadPool::unshelve(PayloadBlock& block) {
  if (wilderness_ == &block) {
    wilderness_ = nullptr;
  } else {
    shelves_[block.shelf]->remove(block);
  }
}

FreeIndex& PayloadPool::shelf(std::uint16_t number) {
  if (shelves_.size() <= number) {
    shelves_.resize(number + std::size_t{1});
  }
  if (shelves_[number] == nullptr) {
    shelves_[number] = std::make_unique<FreeIndex>();
  }
  return *shelves_[number];
}

// The best fit among what the stream's own order makes free for it.
PayloadBlock* PayloadPool::take_own(std::uint64_t size, StreamId stream) {
  const std::uint16_t own = own_shelf(stream);
  PayloadBlock* block = best_fit_on(own, size);
  if (own != kIdleShelf && (block == nullptr || block->size != size)) {
    PayloadBlock* const idle = best_fit_on(kIdleShelf, size);
    block = block == nullptr || (idle != nullptr && idle->size < block->size) ? idle : block;
  }
  if (block == nullptr && wilderness_ != nullptr && wilderness_->size >= size &&
      (wilderness_->shelf == own || wilderness_->shelf == kIdleShelf)) {
    block = wilderness_;
  }
  if (block == nullptr) {
    return nullptr;
  }
  unshelve(*block);
  if (block->size == size) {
    counts_.cached_hits += block->shelf == own ? 1 : 0;
  } else {
    cut(*block, size);
  }
  return block;
}

PayloadBlock* PayloadPool::best_fit_on(std::uint16_t number, std::uint64_t size) const {
  return number < shelves_.size() && shelves_[number] != nullptr ? shelves_[number]->best_fit(size)
                                                                 : nullptr;
}

// Shelves what a block that stands on no shelf has above `size` bytes.
void PayloadPool::cut(PayloadBlock& block, std::uint64_t size) {
  PayloadBlock& rest = tiling_.split(block, size);
  rest.uses = block.uses;
  rest.shelf = block.shelf;
  shelve(rest);
}

// Leases that are out go on without their bytes. Gives how many blocks are so; a block in the middle of
// being handed back is not among them.
std::uint64_t PayloadPool::make_inert() {
  std::uint64_t inert = 0;
  core_->slab.for_each([&](PayloadBlock& block) {
    const auto becomes_inert = [&](BlockState leased) {
      return block.state.compare_exchange_strong(leased, BlockState::kInert,
                                                 std::memory_order_acq_rel);
    };
    const bool became =
        becomes_inert(core_->guard == nullptr ? BlockState::kLeased : BlockState::kGuarded) ||
        becomes_inert(BlockState::kEvictable);
    if (became && core_->guard != nullptr) {
      core_->guard->abandon(block);
    }
    if (became || block.is(BlockState::kInert)) {
      ++inert;
      end_uses(block);
    }
  });
  return inert;
}

std::uint64_t PayloadPool::close() {
  const Lock lock(core_->mutex);
  if (std::exchange(closed_, true)) {
    return 0;
  }
  core_->is_caching.store(false, std::memory_order_release);
  drain_all(lock);
  dissolve_plan();
  // Why first the holders: a lease may be given up as soon as it is inert.
  const std::uint64_t out = counts_.live_blocks;
  core_->holders.fetch_add(out, std::memory_order_relaxed);
  core_->is_closed.store(true, std::memory_order_seq_cst);
  drain_all(lock);
  std::uint64_t inert = make_inert();
  while (counts_.live_blocks > inert) {
    // Somebody is in the middle of handing back, or of a lease out of a cache.
    std::this_thread::yield();
    drain_all(lock);
    inert = make_inert();
  }
  core_->holders.fetch_sub(out - inert, std::memory_order_relaxed);
  empty_quarantine();
  Result<void> idle = epochs_.wait_for_all();
  if (!idle && idle.failure().code != ErrorCode::kDeviceLost) {
    idle = epochs_.wait_for_all();  // a refusal may have passed
  }
  // Why not otherwise: work may still use the memory. The backend gives it up when it ends.
  if (idle.ok() || idle.failure().code == ErrorCode::kDeviceLost) {
    tiling_.close();
  }
  end_sleep(idle.ok());
  end_evictables(idle.ok());
  shelves_.clear();
  seams_.clear();
  wilderness_ = nullptr;
  counts_.live = counts_.leased = Bytes{};
  counts_.live_blocks = 0;
  return inert;
}

}  // namespace tenure
