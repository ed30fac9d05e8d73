// What a pool says about itself: figures, refusals, and whether its parts agree.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

constexpr std::size_t kHoldersNamed = 3;

std::string blocks(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " block" : " blocks");
}

}  // namespace

PoolStatistics PayloadPool::statistics() {
  const Lock lock(core_->mutex);
  drain_all(lock);
  PoolStatistics statistics = counts_;
  statistics.reserved = Bytes{tiling_.mapped()};
  statistics.peak_reserved = Bytes{tiling_.peak_mapped()};
  statistics.largest_free = Bytes{largest_free()};
  statistics.free_blocks = free_blocks();
  statistics.asleep = sleeping_ != nullptr;
  if (core_->caches != nullptr) {
    const std::uint64_t hits = core_->caches->hits();
    statistics.leases += hits;
    statistics.returns += hits;
    statistics.cached_hits += hits;
  }
  statistics.device_waits = epochs_.waits_placed();
  statistics.clients = clients_.statistics();
  return statistics;
}

void PayloadPool::reset_peaks() {
  const Lock lock(core_->mutex);
  drain_all(lock);
  counts_.peak_live = counts_.live;
  clients_.reset_peaks();
  tiling_.reset_peak();
}

Bytes PayloadPool::leased() {
  const Lock lock(core_->mutex);
  drain_all(lock);
  return counts_.leased - Bytes{evictables_.gone};
}

Bytes PayloadPool::reserved() {
  const Lock lock(core_->mutex);
  return Bytes{tiling_.mapped()};
}

bool PayloadPool::can_ever_fit(Bytes size) const {
  return traits_.supported && size.count() <= limit_ && tiling_.pieces_for(size.count()) <= limit_;
}

Bytes PayloadPool::shortfall(Bytes size) {
  const Lock lock(core_->mutex);
  drain_all(lock);
  // What the guard keeps is given up where nothing else is left.
  const std::uint64_t wanted = (counts_.leased - kept()).count() - evictables_.gone + size.count();
  return Bytes{wanted > limit_ ? wanted - limit_ : 0};
}

// "the device pool on sim:80GiB cannot lease 4 GiB: 70 GiB are leased in 120 blocks, 6 GiB are free
//  with 1.5 GiB the largest hole, 76 GiB are mapped of 76 GiB at the most; most is held by site 12
//  (40 GiB in 8 blocks); ..."
Error PayloadPool::refusal(ErrorCode code, std::uint64_t size, const std::string& why) const {
  const std::uint64_t mapped = tiling_.mapped();
  std::string text = "the " + std::string(to_string(kind_)) + " pool on " + counts_.backend +
                     " cannot lease " + to_string(Bytes{size}) + ": " + to_string(counts_.leased) +
                     " are leased in " + blocks(counts_.live_blocks) + ", " +
                     to_string(Bytes{mapped + tiling_.withdrawn() - counts_.leased.count()}) +
                     " are free with " + to_string(Bytes{largest_free()}) + " the largest hole, " +
                     to_string(Bytes{mapped}) + " are mapped of " + to_string(Bytes{limit_}) +
                     " at the most (budget " + to_string(budget_) + ", capacity " +
                     to_string(traits_.capacity) + ")";
  const std::string held = holders();
  return Error{code, text + (held.empty() ? "" : "; most is held by " + held) + "; " + why};
}

Error PayloadPool::client_refusal(ClientId client, Bytes size) const {
  const ClientStatistics account = clients_.of(client);
  return Error{ErrorCode::kOverBudget,
               "client \"" + account.name + "\" may hold " + to_string(account.limits.hard) +
                   " of the " + std::string(to_string(kind_)) + " pool on " + counts_.backend +
                   " and holds " + to_string(account.live) + ": it cannot lease " +
                   to_string(size) + "; hand something of it back, or raise its limit"};
}

// "site 12 (40 GiB in 8 blocks), site 3 (20 GiB in 1 block)": the largest few.
std::string PayloadPool::holders() const {
  struct Holding {
    std::uint64_t bytes = 0;
    std::uint64_t blocks = 0;
  };
  std::map<SiteId, Holding> by_site;
  const auto count = [&](const PayloadBlock& block) {
    if (block.is(BlockState::kLeased) || block.is(BlockState::kGuarded) ||
        block.is(BlockState::kEvictable)) {
      Holding& holding = by_site[block.own_site()];
      holding.bytes += block.size;
      ++holding.blocks;
    }
  };
  tiling_.for_each(count);
  for_each_slot(count);
  std::vector<std::pair<SiteId, Holding>> largest(by_site.begin(), by_site.end());
  std::sort(largest.begin(), largest.end(),
            [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  std::string text;
  for (std::size_t i = 0; i < std::min(largest.size(), kHoldersNamed); ++i) {
    const auto& [site, holding] = largest[i];
    text += (i == 0 ? "" : ", ");
    text += site == SiteId::kUnknown ? "unknown sites"
                                     : "site " + std::to_string(static_cast<std::uint32_t>(site));
    text += " (" + to_string(Bytes{holding.bytes}) + " in " + blocks(holding.blocks) + ")";
  }
  return text;
}

std::uint64_t PayloadPool::largest_free() const {
  std::uint64_t largest = wilderness_ == nullptr ? 0 : wilderness_->size;
  for (const std::unique_ptr<FreeIndex>& shelf : shelves_) {
    if (shelf != nullptr && !shelf->is_empty()) {
      largest = std::max(largest, shelf->largest()->size);
    }
  }
  if (!epochs_.has_several()) {
    return largest;
  }
  std::uint64_t run = 0;  // across seams
  tiling_.for_each([&](const PayloadBlock& block) {
    run = block.before == nullptr ? 0 : run;
    run = block.is(BlockState::kFree) ? run + block.size : 0;
    largest = std::max(largest, run);
  });
  return largest;
}

std::uint64_t PayloadPool::free_blocks() const {
  std::uint64_t count = wilderness_ == nullptr ? 0 : 1;
  for (const std::unique_ptr<FreeIndex>& shelf : shelves_) {
    count += shelf == nullptr ? 0 : shelf->count();
  }
  return count;
}

Result<void> PayloadPool::verify() {
  const Lock lock(core_->mutex);
  std::string found = core_->caches == nullptr ? "" : core_->caches->fault();
  drain_all(lock);
  found = found.empty() ? fault() : found;
  if (found.empty()) {
    return {};
  }
  return Error{ErrorCode::kBadArgument,
               "the " + std::string(to_string(kind_)) + " pool is not sound: " + found};
}

std::string PayloadPool::fault() const {
  std::string fault = tiling_.fault();
  std::uint64_t leased = 0;
  std::uint64_t live = 0;
  std::uint64_t free = 0;
  const auto look_at = [&](const PayloadBlock& block) {
    if (block.is(BlockState::kLeased) || block.is(BlockState::kReturned) ||
        block.is(BlockState::kGuarded) || block.is(BlockState::kEvictable)) {
      const PayloadGuard* const guard = core_->guard.get();
      leased += block.size;
      live += guard == nullptr      ? block.asked
              : guard->keeps(block) ? 0
                                    : PayloadGuard::asked_for(block).count();
      if (block.asked == 0 || block.asked > block.size) {
        fault = "a block of " + std::to_string(block.size) + " bytes was leased for " +
                std::to_string(block.asked);
      }
    }
    if (!block.is(BlockState::kFree)) {
      return;
    }
    ++free;
    if (block.shelf != shelf_for(block)) {
      fault = "a free block stands on shelf " + std::to_string(block.shelf) + " and belongs on " +
              std::to_string(shelf_for(block));
    }
    const PayloadBlock* const after = block.after;
    if (after != nullptr && after->is(BlockState::kFree)) {
      if (after->shelf == block.shelf) {
        fault = "two free neighbours of one shelf were not joined";
      } else if (!block.noted_seam) {
        fault = "a seam between two free neighbours is not noted";
      }
    }
  };
  tiling_.for_each([&](const PayloadBlock& block) {
    if (fault.empty()) look_at(block);
  });
  for_each_slot(look_at);
  if (fault.empty() && planning_ != nullptr && planning_->followed != nullptr) {
    fault = planning_->followed->walk.fault();
  }
  for (const std::unique_ptr<FreeIndex>& shelf : shelves_) {
    if (fault.empty() && shelf != nullptr) fault = shelf->fault();
  }
  fault = fault.empty() ? evictables_fault() : fault;
  if (!fault.empty()) {
    return fault;
  }
  if (free != free_blocks()) {
    return std::to_string(free) + " blocks are free and " + std::to_string(free_blocks()) +
           " stand on shelves";
  }
  if (leased != counts_.leased.count() || live != counts_.live.count()) {
    return std::to_string(leased) + " bytes are leased for " + std::to_string(live) +
           " asked for, and " + std::to_string(counts_.leased.count()) + " for " +
           std::to_string(counts_.live.count()) + " are counted";
  }
  return {};
}

}  // namespace tenure
