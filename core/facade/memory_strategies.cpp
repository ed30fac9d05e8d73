// The heap manager's part in where data lie: strategies, and pools by name.
#include <array>
#include <string>
#include <utility>

#include "core/facade/state.hpp"
#include "core/facade/strategy_trial.hpp"
#include "tenure/facade/heap_manager.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/regions.hpp"

namespace tenure {

namespace {

constexpr Bytes kPoolStep{512};  // sizes in a pool are rounded to it

constexpr std::array kAll{AllocationStrategy::kBestFit, AllocationStrategy::kFirstFit,
                          AllocationStrategy::kNextFit, AllocationStrategy::kWorstFit,
                          AllocationStrategy::kSegregatedFit};

// Why a type of region places as it does.
Error no_choice(HeapRegionType type) {
  std::string why;
  switch (type) {
    case HeapRegionType::kYoungGeneration:
      why = "objects lie one behind the other there, and no hole is ever filled";
      break;
    case HeapRegionType::kOldGeneration:
    case HeapRegionType::kPermanent:
      why = "its cells lie in blocks of one size class each, and one is as good as another";
      break;
    case HeapRegionType::kLargeObject:
      break;
  }
  return {ErrorCode::kUnsupported,
          "a " + std::string(to_string(type)) + " region has no choice of strategies: " + why};
}

HoleMap holes_of(const PayloadMap& map) {
  HoleMap found;
  for (const PayloadRun& run : map.runs) {
    std::uint64_t at = run.address;
    for (const PayloadPlace& place : run.places) {
      if (place.state == PlaceState::kFree) {
        found.holes.push_back({at, place.size.count()});
      }
      at += place.size.count();
    }
  }
  // The last place of all is below addresses that were never used.
  if (!map.runs.empty() && !map.runs.back().places.empty() &&
      map.runs.back().places.back().state == PlaceState::kFree) {
    found.uncut = found.holes.back().size;
    found.holes.pop_back();
  }
  return found;
}

std::string reason_for(const StrategyChoice& choice, const TrialOutcome& before,
                       const TrialOutcome& after, std::size_t requests, std::size_t holes) {
  const std::string text = std::to_string(requests) + " requests in " + std::to_string(holes) +
                           " holes: " + std::string(to_string(choice.after)) + " leaves " +
                           to_string(Bytes{after.without_hole}) + " without a hole and " +
                           to_string(Bytes{after.largest_left}) + " in one";
  return choice.after == choice.before ? text + ", and no other does better"
                                       : text + ", " + std::string(to_string(choice.before)) + " " +
                                             to_string(Bytes{before.without_hole}) + " and " +
                                             to_string(Bytes{before.largest_left});
}

}  // namespace

Result<void> HeapManager::set_allocation_strategy(HeapRegionType type,
                                                  AllocationStrategy strategy) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const bool has_classes =
      type == HeapRegionType::kOldGeneration || type == HeapRegionType::kPermanent;
  if (type != HeapRegionType::kLargeObject) {
    return has_classes && strategy == AllocationStrategy::kSegregatedFit
               ? Result<void>()
               : Result<void>(no_choice(type));
  }
  return tenure::set_allocation_strategy(state_->runtime, MemoryKind::kHost, strategy);
}

Result<AllocationStrategy> HeapManager::get_allocation_strategy(HeapRegionType type) const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  if (type == HeapRegionType::kOldGeneration || type == HeapRegionType::kPermanent) {
    return AllocationStrategy::kSegregatedFit;
  }
  if (type != HeapRegionType::kLargeObject) {
    return no_choice(type);
  }
  for (const PoolStatistics& pool : state_->runtime.statistics().pools) {
    if (pool.kind == MemoryKind::kHost) {
      return pool.strategy;
    }
  }
  return state_->runtime.config().payload_strategy;
}

Result<std::vector<StrategyChoice>> HeapManager::optimize_allocation_strategy() {
  const Result<AllocationStrategy> before = get_allocation_strategy(HeapRegionType::kLargeObject);
  if (!before) {
    return before.failure();
  }
  std::vector<std::uint64_t> requests;
  {
    SharedMutator::Use use(*state_->mutator);
    for (const RecentAllocation& made : state_->counts.recent()) {
      if (Bytes{made.size} >= state_->threshold()) {
        requests.push_back(round_up(Bytes{made.size}, kPoolStep).count());
      }
    }
  }
  HoleMap holes;
  const Result<std::vector<PayloadMap>> maps = take_payload_maps(state_->runtime);
  if (!maps) {
    return maps.failure();
  }
  for (const PayloadMap& map : *maps) {
    if (map.kind == MemoryKind::kHost) {
      holes = holes_of(map);
    }
  }
  const TrialOutcome outcome_before = try_strategy(*before, holes, requests);
  StrategyChoice choice{
      .type = HeapRegionType::kLargeObject, .before = *before, .after = *before, .reason = {}};
  TrialOutcome best = outcome_before;
  for (const AllocationStrategy strategy : kAll) {
    const TrialOutcome outcome = try_strategy(strategy, holes, requests);
    if (outcome.is_better_than(best)) {
      best = outcome;
      choice.after = strategy;
    }
  }
  choice.reason = reason_for(choice, outcome_before, best, requests.size(), holes.holes.size());
  if (choice.after != choice.before) {
    if (Result<void> set = set_allocation_strategy(choice.type, choice.after); !set) {
      return set.failure();
    }
  }
  StrategyChoice old{.type = HeapRegionType::kOldGeneration,
                     .before = AllocationStrategy::kSegregatedFit,
                     .after = AllocationStrategy::kSegregatedFit,
                     .reason = no_choice(HeapRegionType::kOldGeneration).message};
  return std::vector{std::move(old), std::move(choice)};
}

Result<MemoryPool> HeapManager::create_specialized_pool(std::string_view name, std::uint64_t size,
                                                        std::uint64_t alignment) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  return tenure::create_specialized_pool(state_->runtime, name, Bytes{size},
                                         {.alignment = Bytes{alignment}});
}

Result<PoolResize> HeapManager::resize_pool(std::string_view name, std::uint64_t size) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  std::optional<MemoryPool> pool = get_pool(name);
  if (!pool) {
    return Error{ErrorCode::kBadArgument, "no pool is called \"" + std::string(name) + "\""};
  }
  return pool->resize(Bytes{size});
}

std::vector<MemoryPool> HeapManager::pools() const {
  return state_->is_open() ? memory_pools(state_->runtime) : std::vector<MemoryPool>{};
}

std::optional<MemoryPool> HeapManager::get_pool(std::string_view name) const {
  return state_->is_open() ? find_memory_pool(state_->runtime, name) : std::nullopt;
}

Result<bool> HeapManager::can_allocate(const HeapRegion& region, std::uint64_t size) const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  return has_room(state_->runtime, region, Bytes{detail::dynamic_bytes(0, size)});
}

}  // namespace tenure
