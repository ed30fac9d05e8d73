// The part of a pool that only a checked runtime's goes through: payloads with redzones around them,
// that are kept from reuse for a while once they were handed back.
#include <utility>

#include "core/payload/pool.hpp"

namespace tenure {

Result<PayloadLease> PayloadPool::lease_guarded(Bytes size, StreamId stream, SiteId site,
                                                Effort effort, ClientId client, const Lock& lock) {
  drain_guarded(lock);
  const Bytes whole = PayloadGuard::whole_for(size);
  const std::uint64_t needed = round_up(whole, Bytes{kBlockStep}).count();
  const auto take = [&]() -> Result<PayloadBlock*> {
    PayloadBlock* const at_hand = strategy_ == AllocationStrategy::kBestFit
                                      ? take_at_hand(needed, stream, site, lock)
                                      : take_fitting(needed, stream);
    return at_hand != nullptr ? at_hand : take_with_effort(needed, stream, effort);
  };
  Result<PayloadBlock*> taken = take();
  if (!taken && !kept().is_zero()) {
    empty_quarantine();
    taken = take();
  }
  if (!taken) {
    ++counts_.refusals;
    return taken.failure();
  }
  PayloadBlock* const block = *taken;
  if (block == nullptr) {
    return PayloadLease();
  }
  PayloadLease lease = hand_out(*block, size, stream, site, client);
  block->set_asked(whole, client);
  core_->guard->lease(*block, stream);
  block->state.store(BlockState::kGuarded, std::memory_order_relaxed);
  return lease;
}

void PayloadPool::drain_guarded(const Lock&) {
  PayloadGuard& guard = *core_->guard;
  core_->guarded.take_all([&](PayloadBlock& block) {
    if (!guard.keep(block)) {
      return;  // none of this pool's: its memory is left alone
    }
    end_sample(block);
    ++counts_.returns;
    --counts_.live_blocks;
    counts_.live -= PayloadGuard::asked_for(block);
    clients_.credit(static_cast<ClientId>(block.client), PayloadGuard::asked_for(block));
  });
  while (PayloadBlock* const block = guard.take_excess()) {
    take_from_guard(*block);
  }
}

void PayloadPool::empty_quarantine() {
  if (core_->guard == nullptr) {
    return;
  }
  while (PayloadBlock* const block = core_->guard->take_oldest()) {
    take_from_guard(*block);
  }
}

void PayloadPool::take_from_guard(PayloadBlock& block) {
  counts_.leased -= Bytes{block.size};
  file(block);
}

}  // namespace tenure
