// Payload memory from inside: which pool, and when to collect before it grows. What the pool answers
// it never calls for: the collecting is done here. Where it has no room, `pressure.cpp` goes on.
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

bool is_scarcity(const Error& error) {
  return error.code == ErrorCode::kOutOfMemory || error.code == ErrorCode::kOverBudget;
}

// A payload that stays where it is.
Result<PayloadUse> use_plain(PayloadPool& pool, PayloadBlock& block, StreamId stream) {
  if (pool.is_asleep()) {
    return pool.asleep_error();
  }
  PayloadLease lease(block);
  lease.used_on(stream);
  const PayloadView view = lease.view();
  (void)lease.detach();  // it stays its owner's
  return PayloadUse(view);
}

}  // namespace

Result<void> RuntimeState::require(MemoryKind kind) const {
  const KindTraits traits = backend_->traits(kind);
  if (!traits.supported || (config_.strict_memory_kind && traits.stands_in)) {
    return Error{ErrorCode::kUnsupported, "backend " + backend_->name() + " has no " +
                                              std::string(to_string(kind)) + " memory" +
                                              (traits.note.empty() ? "" : ": " + traits.note)};
  }
  return {};
}

Result<PayloadPool*> RuntimeState::pool(MemoryKind kind) {
  std::atomic<PayloadPool*>& place = pools_[static_cast<std::size_t>(kind)];
  if (PayloadPool* const open = place.load(std::memory_order_acquire); open != nullptr) {
    return open;
  }
  if (Result<void> is_there = require(kind); !is_there) {
    return is_there.failure();
  }
  // Why made without the lock, though another thread may be quicker: a pool is made known to forks, and a
  // fork under way has that list for itself and waits for this lock.
  auto made = std::make_unique<PayloadPool>(
      *backend_, kind,
      PoolOptions{
          .budget = config_.payload_budget,
          .strategy = config_.payload_strategy,
          .checked = checked_,
          .plans = config_.plan_payloads != PayloadPlans::kOff && checked_ == nullptr,
          .on_sampled_end = [this](const PayloadBlock& block) { end_sampled_payload(block); }});
  const std::scoped_lock lock(pools_mutex_);
  std::unique_ptr<PayloadPool>& owned = owned_pools_[static_cast<std::size_t>(kind)];
  if (owned == nullptr) {
    owned = std::move(made);
    place.store(owned.get(), std::memory_order_release);
  }
  return owned.get();
}

Result<PayloadLease> RuntimeState::lease(MutatorState* self, Bytes size,
                                         const LeaseOptions& options) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "payload memory was asked of a runtime that was closed"};
  }
  const Result<PayloadPool*> found = pool(options.kind);
  if (!found) {
    return found.failure();
  }
  PayloadPool& pool = **found;
  if (!knows(options.client)) {
    return no_such(options.client);
  }
  if (is_child()) {  // nobody collects there, or makes plans
    return pool.lease(size, options.stream, options.site, Effort::kWait, options.client);
  }
  Result<PayloadLease> got = lease_from(self, pool, size, options);
  if (got && options.client != ClientId::kNone) {
    note_client(self, pool, options.client);
  }
  if (got && profiler_.is_sampling()) [[unlikely]] {
    sample_payload(*got, size.count(), options.kind);
  }
  return got;
}

Result<PayloadLease> RuntimeState::lease_from(MutatorState* self, PayloadPool& pool, Bytes size,
                                              const LeaseOptions& options) {
  if (pool.is_asleep()) [[unlikely]] {
    return pool.asleep_error();
  }
  if (pool.wants_solver()) [[unlikely]] {
    planner_.ask(pool);
  }
  const auto ask = [&](Effort effort) {
    return options.evictable
               ? pool.lease_evictable(size, options.stream, options.site, effort, options.client)
               : pool.lease(size, options.stream, options.site, effort, options.client);
  };
  const auto try_lease = [&] {
    if (!options.evictable) {
      return pool.try_lease(size, options.stream, options.site, options.client);
    }
    Result<PayloadLease> lease = ask(Effort::kReuse);
    return lease ? std::move(*lease) : PayloadLease();
  };
  if (PayloadLease lease = try_lease(); lease.owns()) {
    return lease;
  }
  // The pool would have to grow. What objects came to own since the last collections may be dead:
  // each collection settles its own account, so that this loop ends after two.
  for (PayloadAdvice advice = advise(pool); advice != PayloadAdvice::kGrow; advice = advise(pool)) {
    collect_for_payload(self, advice == PayloadAdvice::kCollectFull);
    if (PayloadLease lease = try_lease(); lease.owns()) {
      return lease;
    }
  }
  Result<PayloadLease> grown = ask(Effort::kGrow);
  if (grown) {
    note_growth(self, pool);
    return grown;
  }
  if (!is_scarcity(grown.failure()) || !pool.can_ever_fit(size)) {
    return grown;
  }
  const auto retry = [&](Effort effort) -> Result<void> {
    Result<PayloadLease> again = ask(effort);
    if (!again) {
      return again.failure();
    }
    grown = std::move(again);
    return {};
  };
  const auto evict = [&](PayloadPool* pinned) {
    return pool.evict_for(size, options.stream, pinned);
  };
  const Error refused = grown.failure();
  const Result<void> climbed =
      climb(self, {.pool = pool, .size = size, .retry = retry, .evict = evict}, refused);
  return climbed ? std::move(grown) : climbed.failure();
}

Result<PayloadUse> RuntimeState::use(MutatorState* self, PayloadBlock& block, StreamId stream) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "a payload was used of a runtime that was closed"};
  }
  const Result<PayloadPool*> found = pool(block.core->kind);
  if (!found || !(*found)->owns(block)) {
    return Error{ErrorCode::kBadArgument, "a payload was used that is another runtime's"};
  }
  PayloadPool& pool = **found;
  if (!block.is(BlockState::kEvictable)) {
    return use_plain(pool, block, stream);
  }
  Result<PayloadUse> used = pool.use(block, stream, is_child() ? Effort::kWait : Effort::kGrow);
  if (used || is_child() || !is_scarcity(used.failure())) {
    return used;  // nobody collects in a child, as in `lease`
  }
  const auto retry = [&](Effort effort) -> Result<void> {
    Result<PayloadUse> again = pool.use(block, stream, effort);
    if (!again) {
      return again.failure();
    }
    used = std::move(again);
    return {};
  };
  const auto evict = [&](PayloadPool* pinned) { return pool.evict_for_return(block, pinned); };
  const Error refused = used.failure();
  const Result<void> climbed = climb(
      self, {.pool = pool, .size = Bytes{block.asked}, .retry = retry, .evict = evict}, refused);
  return climbed ? std::move(used) : climbed.failure();
}

Result<void> RuntimeState::synchronize(StreamId stream) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "a stream was waited for of a runtime that was closed"};
  }
  const Result<StreamEvent> event = backend_->record(stream);
  return event ? backend_->synchronize(*event) : event.failure();
}

Result<StreamId> RuntimeState::adopt_stream(void* native) {
  if (native == nullptr) {
    return StreamId::kDefault;
  }
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "a stream was told to a runtime that was closed"};
  }
  {
    const std::shared_lock lock(adopted_mutex_);
    if (const auto known = adopted_.find(native); known != adopted_.end()) {
      return known->second;
    }
  }
  const std::unique_lock lock(adopted_mutex_);
  if (const auto known = adopted_.find(native); known != adopted_.end()) {
    return known->second;  // another thread was quicker
  }
  Result<StreamId> adopted = backend_->adopt_stream(native);
  if (adopted) {
    adopted_.emplace(native, *adopted);
  }
  return adopted;
}

PayloadAdvice RuntimeState::advise(PayloadPool& pool) {
  if (config_.mode == Mode::kManual) {
    return PayloadAdvice::kGrow;
  }
  const Bytes leased = pool.leased();
  const std::scoped_lock lock(trigger_mutex_);
  return payload_trigger_.advise(Bytes{owned_.load(std::memory_order_relaxed)}, leased);
}

Bytes RuntimeState::collect_for_payload(MutatorState* self, bool full, CollectionTrigger trigger) {
  const Bytes owned{owned_.load(std::memory_order_relaxed)};
  const std::uint32_t last = full ? heap_->oldest() : 0;
  const CollectionReport report = conductor_->collect(self, last, trigger);
  const std::scoped_lock lock(trigger_mutex_);
  const PayloadTrigger::Outcome outcome{.owned = owned, .retired = report.payload_bytes_retired};
  if (full) {
    payload_trigger_.learn_full(outcome);
  } else {
    payload_trigger_.learn_young(outcome);
  }
  return report.payload_bytes_retired;
}

double RuntimeState::allocation_rate(Bytes objects) {
  const std::uint64_t sum = objects.count() + payload_bytes_owned().count();
  const std::scoped_lock lock(rate_mutex_);
  return rate_.note(host_platform().now_ns(), sum);
}

void RuntimeState::settle_payloads() {
  const std::scoped_lock lock(trigger_mutex_);
  payload_trigger_.settle_full(Bytes{owned_.load(std::memory_order_relaxed)});
}

Bytes RuntimeState::trim() {
  Bytes given_back;
  for_each_pool([&](PayloadPool& pool) {
    given_back += pool.trim();
    record_reserved(pool);
  });
  for_each_named_pool([&](PayloadPool& pool) { given_back += pool.trim(); });
  return is_child() ? given_back : given_back + conductor_->discard_free();
}

Result<PayloadLease> Runtime::lease(Bytes size, const LeaseOptions& options) {
  return state_->lease(state_->self(), size, options);
}

Result<PayloadUse> Runtime::use(PayloadLease& lease, StreamId stream) {
  PayloadBlock* const block = lease.detach();
  if (block == nullptr) {
    return Error{ErrorCode::kBadArgument, "a payload was used by a lease that owns none"};
  }
  lease = PayloadLease(*block);
  return state_->use(state_->self(), *block, stream);
}

void Runtime::reset_peaks() {
  state_->for_each_pool([](PayloadPool& pool) { pool.reset_peaks(); });
}

void Runtime::await_plans() {
  state_->for_each_pool([&](PayloadPool& pool) { state_->planner().await(pool); });
}

Bytes Runtime::trim() { return state_->trim(); }

}  // namespace tenure
