// The part of a pool that only one goes through which does not fit best: see AllocationStrategy.
#include <array>
#include <utility>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

constexpr std::array<std::string_view, kAllocationStrategies> kNames{
    "best_fit", "first_fit", "next_fit", "worst_fit", "segregated_fit"};

// The block with the lowest address at or above `from`, of those that were seen.
class Lowest {
 public:
  explicit Lowest(const std::byte* from) : from_(from) {}

  void see(PayloadBlock& block) {
    if (block.data >= from_ && (found_ == nullptr || block.data < found_->data)) {
      found_ = &block;
    }
  }
  [[nodiscard]] PayloadBlock* found() const { return found_; }

 private:
  const std::byte* from_;
  PayloadBlock* found_ = nullptr;
};

}  // namespace

std::string_view to_string(AllocationStrategy strategy) {
  return kNames.at(static_cast<std::size_t>(strategy));
}

std::optional<AllocationStrategy> allocation_strategy_of(std::string_view name) {
  for (std::size_t k = 0; k < kNames.size(); ++k) {
    if (kNames[k] == name) {
      return static_cast<AllocationStrategy>(k);
    }
  }
  return std::nullopt;
}

void PayloadPool::set_at_once() {
  const bool needs_look =
      core_->guard != nullptr || sleeping_ != nullptr || strategy_ != AllocationStrategy::kBestFit;
  at_once_ = needs_look ? 0 : limit_.load(std::memory_order_relaxed);
}

// What is kept for requests of the same size, by threads or by a plan, is a hole like others from now on.
void PayloadPool::set_strategy(AllocationStrategy strategy) {
  const Lock lock(core_->mutex);
  if (closed_) {
    return;
  }
  if (core_->is_caching.load(std::memory_order_relaxed)) {
    end_caching();
  }
  if (sleeping_ == nullptr) {
    drain_all(lock);
    dissolve_plan();
  }
  strategy_ = strategy;
  counts_.strategy = strategy;
  placed_end_ = nullptr;
  if (planning_ != nullptr) {
    planning_->tape.abandon();
    planning_->is_paused = strategy != AllocationStrategy::kBestFit;
  }
  set_at_once();
}

Result<PayloadLease> PayloadPool::lease_by_strategy(Bytes size, StreamId stream, SiteId site,
                                                    Effort effort, ClientId client,
                                                    const Lock& lock) {
  (void)drain(0, stream, lock);
  const std::uint64_t whole = round_up(size, Bytes{kBlockStep}).count();
  PayloadBlock* block = take_fitting(whole, stream);
  if (block == nullptr) {
    const Result<PayloadBlock*> taken = take_or_refuse(whole, stream, effort);
    if (!taken) {
      return taken.failure();
    }
    block = *taken;
  }
  if (block == nullptr) {
    return PayloadLease();
  }
  placed_end_ = block->end();
  return hand_out(*block, size, stream, site, client);
}

PayloadBlock* PayloadPool::take_fitting(std::uint64_t size, StreamId stream) {
  if (strategy_ == AllocationStrategy::kBestFit) {
    return take_own(size, stream);
  }
  PayloadBlock* block = find_by_strategy(size, stream);
  if (block == nullptr && wilderness_ != nullptr && wilderness_->size >= size &&
      (wilderness_->shelf == own_shelf(stream) || wilderness_->shelf == kIdleShelf)) {
    block = wilderness_;
  }
  if (block != nullptr) {
    unshelve(*block);
    if (block->size != size) {
      cut(*block, size);
    }
    placed_end_ = block->end();
  }
  return block;
}

// Of the stream's own holes and the idle ones.
PayloadBlock* PayloadPool::find_by_strategy(std::uint64_t size, StreamId stream) const {
  std::array<const FreeIndex*, 2> shelves{};
  std::size_t count = 0;
  for (const std::uint16_t number : {own_shelf(stream), kIdleShelf}) {
    const FreeIndex* const shelf = number < shelves_.size() ? shelves_[number].get() : nullptr;
    if (shelf != nullptr && (count == 0 || shelves[0] != shelf)) {
      shelves.at(count++) = shelf;
    }
  }
  const auto lowest_from = [&](const std::byte* from) {
    Lowest lowest(from);
    for (std::size_t k = 0; k < count; ++k) {
      shelves.at(k)->visit_from(size, [&](PayloadBlock& block) {
        lowest.see(block);
        return true;
      });
    }
    return lowest.found();
  };
  switch (strategy_) {
    case AllocationStrategy::kFirstFit:
      return lowest_from(nullptr);
    case AllocationStrategy::kNextFit: {
      PayloadBlock* const next = lowest_from(placed_end_);
      return next != nullptr ? next : lowest_from(nullptr);
    }
    case AllocationStrategy::kWorstFit: {
      PayloadBlock* largest = nullptr;
      for (std::size_t k = 0; k < count; ++k) {
        PayloadBlock* const block = shelves.at(k)->largest();
        if (block != nullptr && block->size >= size &&
            (largest == nullptr || block->size > largest->size)) {
          largest = block;
        }
      }
      return largest;
    }
    case AllocationStrategy::kSegregatedFit:
      for (std::size_t k = 0; k < count; ++k) {
        if (PayloadBlock* const block = shelves.at(k)->class_fit(size)) {
          return block;
        }
      }
      return nullptr;
    case AllocationStrategy::kBestFit:
      break;
  }
  return nullptr;
}

}  // namespace tenure
