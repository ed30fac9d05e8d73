#include "core/plan/plan.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// Where more than one part in so many of the peak outlives an iteration, memory is being filled.
constexpr std::uint64_t kMostAside = 16;

std::vector<Lifetime> lifetimes_of(const Iteration& iteration) {
  const auto count = static_cast<std::uint32_t>(iteration.keys.size());
  std::vector<Lifetime> lives;
  for (std::uint32_t k = 0; k < count; ++k) {
    if (iteration.lives[k] != 0) {
      lives.push_back({k, (k + iteration.lives[k]) % count, iteration.bytes[k]});
      if (iteration.from_empty && lives.back().end == 0) {
        lives.back().end = count;  // at the end nothing lives: it does not go round
      }
    }
  }
  return lives;
}

// The lease before which the fewest bytes live.
std::uint32_t quietest(const Iteration& iteration) {
  const std::size_t count = iteration.keys.size();
  std::vector<std::int64_t> change(count);
  std::int64_t live = 0;
  for (std::size_t k = 0; k < count; ++k) {
    if (iteration.lives[k] == 0) {
      continue;
    }
    const auto bytes = static_cast<std::int64_t>(iteration.bytes[k]);
    const std::size_t end = k + iteration.lives[k];
    live += end > count ? bytes : 0;  // it lives at the turn
    change[(k + 1) % count] += bytes;
    change[end % count] -= bytes;
  }
  // What comes with the last lease was counted at the turn already, if it goes round.
  std::uint32_t best = 0;
  std::int64_t least = live;
  for (std::uint32_t k = 1; k < count; ++k) {
    live += change[k];
    if (live < least) {
      least = live;
      best = k;
    }
  }
  return best;
}

template <class T>
void turn(std::vector<T>& values, std::uint32_t first) {
  std::rotate(values.begin(), values.begin() + first, values.end());
}

SlotLists lists_of(const std::vector<std::vector<std::uint32_t>>& of) {
  SlotLists lists;
  lists.first.push_back(0);
  for (const std::vector<std::uint32_t>& slots : of) {
    lists.all.insert(lists.all.end(), slots.begin(), slots.end());
    lists.first.push_back(static_cast<std::uint32_t>(lists.all.size()));
  }
  return lists;
}

// Plays two rounds; in the second it is known who had each byte last.
SlotLists predecessors(const Plan& plan) {
  std::vector<std::vector<std::uint32_t>> before(plan.slots());
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint32_t>> owners;  // from: to, slot
  for (std::uint32_t step = 0; step < 2 * plan.slots(); ++step) {
    const std::uint32_t slot = step % plan.slots();
    const std::uint64_t low = plan.offsets[slot];
    const std::uint64_t high = low + plan.bytes[slot];
    if (low == high) {
      continue;
    }
    auto owner = owners.upper_bound(low);
    owner = owner == owners.begin() ? owner : std::prev(owner);
    while (owner != owners.end() && owner->first < high) {
      const auto [from, rest] = *owner;
      const auto [to, other] = rest;
      if (to <= low) {
        ++owner;
        continue;
      }
      if (step >= plan.slots()) {
        before[slot].push_back(other);
      }
      owner = owners.erase(owner);
      if (from < low) {
        owners.emplace(from, std::pair(low, other));
      }
      if (to > high) {
        owner = owners.emplace(high, std::pair(to, other)).first;
      }
    }
    owners.insert_or_assign(low, std::pair(high, slot));
    std::sort(before[slot].begin(), before[slot].end());
    before[slot].erase(std::unique(before[slot].begin(), before[slot].end()), before[slot].end());
  }
  return lists_of(before);
}

}  // namespace

std::shared_ptr<const Plan> make_plan(const Iteration& asked, const PackingEffort& effort) {
  Iteration iteration = asked;
  if (!iteration.from_empty) {
    const std::uint32_t first = quietest(iteration);
    turn(iteration.keys, first);
    turn(iteration.bytes, first);
    turn(iteration.lives, first);
  }
  const std::vector<Lifetime> lives = lifetimes_of(iteration);
  auto plan = std::make_shared<Plan>();
  plan->start_context = Tape::context_of(iteration.keys);
  plan->from_empty = iteration.from_empty;
  plan->keys = std::move(iteration.keys);
  plan->bytes = std::move(iteration.bytes);
  plan->offsets.resize(plan->slots());
  std::vector<std::vector<std::uint32_t>> due(plan->slots());
  for (std::uint32_t k = 0; k < plan->slots(); ++k) {
    if (iteration.lives[k] == 0) {
      plan->aside += std::exchange(plan->bytes[k], 0);
    } else {
      due[(k + iteration.lives[k]) % plan->slots()].push_back(k);
      plan->carried += k + iteration.lives[k] > plan->slots() ? plan->bytes[k] : 0;
    }
  }
  if (plan->aside > peak_of(lives) / kMostAside) {
    return nullptr;
  }
  const Layout layout = pack(lives, effort);
  const std::string fault = fault_of(lives, layout);
  check(fault.empty(), fault);
  plan->height = layout.height;
  std::size_t next = 0;
  for (std::uint32_t k = 0; k < plan->slots(); ++k) {
    if (iteration.lives[k] != 0) {
      plan->offsets[k] = layout.offsets[next++];
    }
  }
  plan->due = lists_of(due);
  plan->before = predecessors(*plan);
  return plan->height == 0 ? nullptr : std::move(plan);
}

}  // namespace tenure
