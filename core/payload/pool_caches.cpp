// The part of a pool that only threads which contend for its lock go through: see ThreadCaches.
//
// Threads keep blocks while they meet at the lock, and no plan is followed: a plan needs every lease in
// order. The tape is given up meanwhile, and begins anew when threads no longer meet.
#include <algorithm>
#include <memory>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

// What a lease that meets another at the lock adds to the heat; each that does not takes one away. Why so
// much: whoever sleeps at the lock misses a thousand leases of whoever has it.
constexpr std::uint32_t kHeatOfOne = 4096;
constexpr std::uint32_t kHot = 16 * kHeatOfOne;  // caches begin
constexpr std::uint32_t kMostHeat = 16 * kHot;   // they end when it is used up

// One part in so many of what is leased may a block be that threads keep, since they keep several each.
constexpr std::uint64_t kMostOfLeased = 16;

// Caches end after so many looks in a row that found one thread alone at it: a million leases, some turns
// of the processor.
constexpr std::uint32_t kMostLooksAlone = 256;

// After so many leases that had to go to the lock, as many must have gone without it. Caches that fail
// are tried again after 2, 4, 8, ... times as much heat.
constexpr std::uint32_t kJudgeEvery = 4096;
constexpr std::uint32_t kMostFailures = 10;

}  // namespace

// A lease has the lock. `met`: another had it when it came.
void PayloadPool::note_turn(bool met) {
  heat_ = met ? std::min(heat_ + kHeatOfOne, kMostHeat) : heat_ - 1;
  if (core_->is_caching.load(std::memory_order_relaxed)) {
    core_->caches->keep_up_to(counts_.leased.count() / kMostOfLeased);
    if (heat_ == 0) {
      end_caching();
    } else if (++misses_ == kJudgeEvery) {
      judge_caches();
    }
    return;
  }
  const bool follows = planning_ != nullptr && planning_->followed != nullptr;
  if (heat_ < kHot || follows || core_->guard != nullptr || closed_ || sleeping_ != nullptr ||
      strategy_ != AllocationStrategy::kBestFit) {
    return;
  }
  if (passes_ != 0) {
    --passes_;
    heat_ = 0;
  } else {
    begin_caching();
  }
}

void PayloadPool::judge_caches() {
  const std::uint64_t hits = core_->caches->hits();
  if (hits - hits_judged_ >= kJudgeEvery) {
    failures_ = 0;
  } else {
    failures_ = std::min(failures_ + 1, kMostFailures);
    passes_ = (1u << failures_) - 1;
    end_caching();
  }
  hits_judged_ = hits;
  misses_ = 0;
}

void PayloadPool::begin_caching() {
  if (core_->caches == nullptr) {
    core_->caches = std::make_unique<ThreadCaches>(core_->returned);
  }
  core_->caches->keep_up_to(counts_.leased.count() / kMostOfLeased);
  looks_alone_ = 0;
  misses_ = 0;
  hits_judged_ = core_->caches->hits();
  heat_ = kMostHeat;
  if (planning_ != nullptr) {
    planning_->tape.abandon();
    planning_->is_paused = true;
  }
  core_->is_caching.store(true, std::memory_order_release);
}

// What is put in a place beside this is found where places are emptied the next time.
void PayloadPool::end_caching() {
  core_->is_caching.store(false, std::memory_order_release);
  core_->caches->drain();
  heat_ = 0;
  if (planning_ != nullptr) {
    planning_->is_paused = false;
  }
}

// What threads keep counts as leased, and is not. A block that goes round meanwhile may be seen twice.
void PayloadPool::raise_peaks() {
  const ThreadCaches::Kept kept =
      core_->caches == nullptr ? ThreadCaches::Kept{} : core_->caches->kept();
  counts_.peak_live =
      std::max(counts_.peak_live, counts_.live - std::min(counts_.live, Bytes{kept.asked}));
  const std::uint64_t leased = counts_.leased.count();
  peak_leased_ = std::max(peak_leased_, leased - std::min(leased, kept.size));
}

// A lease without the lock. Empty where the thread keeps no block for it. A client's may be over its
// limits, which are the lock's to know.
PayloadLease PayloadPool::lease_kept(Bytes size, StreamId stream, SiteId site, ClientId client) {
  if (client != ClientId::kNone) {
    return {};
  }
  const ThreadCaches::Taken taken = core_->caches->take(size.count(), stream);
  if (taken.block == nullptr) {
    return {};
  }
  end_sample(*taken.block);
  taken.block->site.store(site, std::memory_order_relaxed);
  taken.block->state.store(BlockState::kLeased, std::memory_order_relaxed);
  if (taken.is_due) [[unlikely]] {
    const Lock lock(core_->mutex);
    looks_alone_ = core_->caches->stripes_in_use() > 1 ? 0 : looks_alone_ + 1;
    if (looks_alone_ >= kMostLooksAlone && core_->is_caching.load(std::memory_order_relaxed)) {
      end_caching();
    }
  }
  return PayloadLease(*taken.block);
}

// What threads keep is free for others before anything is mapped, waited for or collected.
PayloadBlock* PayloadPool::take_kept(std::uint64_t size, StreamId stream, const Lock& lock) {
  if (core_->caches->drain() == 0) {
    return nullptr;
  }
  PayloadBlock* const match = drain(size, stream, lock);
  return match != nullptr ? match : take_own(size, stream);
}

}  // namespace tenure
