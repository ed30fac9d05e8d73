// The part of a pool that plans: it finds iterations, and serves those that have a layout from it.
//
// While a plan is followed its range is one planned block of the tiling, and a lease is a look at the
// next slot. When the program leaves the plan, the range becomes ordinary blocks: what lives stays where
// it is, what lies between is free.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/payload/planning.hpp"
#include "core/payload/pool.hpp"

namespace tenure {

namespace {

// Pools that never leased so much at once have no use for plans.
constexpr std::uint64_t kWorthPlanning = std::uint64_t{8} << 20;

// A plan that was left so many times before a round was done is of no use.
constexpr std::uint32_t kMostStrikes = 3;

// Where more than one part in so many of a plan's height is leased beside it, it fits ill.
constexpr std::uint64_t kMostAside = 8;

// Where more than one part in so many of what is mapped is carried over into the first planned iteration,
// both would need too much memory at once.
constexpr std::uint64_t kMostCarried = 32;

// Episodes and periods whose plans are of no use are planned ever more seldom: every 2^n-th, n no more
// than this.
constexpr std::uint32_t kMostPatience = 10;

std::uint64_t key_of(std::uint64_t size, StreamId stream, SiteId site) {
  std::uint64_t key = size / kBlockStep;
  key = (key ^ std::uint64_t{static_cast<std::uint32_t>(site)} << 40) * 0xD6E8FEB86659FD93u;
  key = (key ^ key >> 32 ^ static_cast<std::uint32_t>(stream)) * 0xD6E8FEB86659FD93u;
  return key ^ key >> 29;
}

}  // namespace

PayloadBlock* PayloadPool::take_at_hand_planning(std::uint64_t size, StreamId stream, SiteId site,
                                                 const Lock& lock) {
  Planning& planning = *planning_;
  planning.slot = LeaseNote::kNoSlot;
  const bool is_plain =
      planning.is_paused || (planning.followed == nullptr && planning.ready == nullptr);
  PayloadBlock* const match = drain(is_plain ? size : 0, stream, lock);
  if (counts_.live_blocks == 0 && !planning.is_paused) {
    note_empty();
  }
  if (match != nullptr) {
    ++counts_.cached_hits;
    return match;
  }
  if (is_plain) {
    return take_own(size, stream);
  }
  const std::uint64_t key = key_of(size, stream, site);
  if (planning.followed == nullptr && is_moment_of(*planning.ready, key)) {
    follow(stream);
  }
  if (planning.followed != nullptr) {
    if (PayloadBlock* const block = take_planned(size, stream, key)) {
      return block;
    }
  }
  return take_own(size, stream);
}

// Nothing lives: what was leased since that was last so may come again.
void PayloadPool::note_empty() {
  Planning& planning = *planning_;
  if (!planning.tape.note_empty()) {
    return;
  }
  ++planning.episodes;
  const std::uint64_t every = std::uint64_t{1} << std::min(planning.wasted, kMostPatience);
  if (planning.tape.last_episode() == planning.solved_episode || planning.episodes % every != 0) {
    planning.tape.forget();
  }
}

bool PayloadPool::is_moment_of(const Plan& plan, std::uint64_t key) const {
  return plan.keys.front() == key &&
         (plan.from_empty ? counts_.live_blocks == 0
                          : planning_->tape.context() == plan.start_context);
}

// Takes a range for the ready plan, and gives back what is idle and will not be needed beside it. Does
// nothing where that would take more memory than is mapped without a plan, and a little more.
void PayloadPool::follow(StreamId stream) {
  Planning& planning = *planning_;
  const std::uint64_t height = planning.ready->height;
  // What is carried over from the iteration before lies elsewhere this time, and in the range later.
  const std::uint64_t carried = std::min(planning.ready->carried, counts_.leased.count());
  const std::uint64_t wanted = counts_.leased.count() - carried + height + planning.ready->aside;
  const std::uint64_t mapped = tiling_.mapped();
  if (wanted > mapped + mapped / 1000 * options_.slack_per_mille ||
      carried > mapped / kMostCarried) {
    return;
  }
  PayloadBlock* range = take_own(height, stream);
  if (range == nullptr) {
    const Result<PayloadBlock*> taken = take_with_effort(height, stream, Effort::kGrow);
    if (!taken) {
      strike();
      return;
    }
    range = *taken;
  }
  range->state.store(BlockState::kPlanned, std::memory_order_relaxed);
  auto followed = std::make_unique<Planning::Followed>(planning.ready);
  followed->range = range;
  followed->range_use = epochs_.end_use(stream);
  followed->slots.resize(planning.ready->slots());
  planning.followed = std::move(followed);
  planning.was_followed = true;
  planning.vain = 0;
  ++planning.plans;
  planning.tape.look(false);
  planning.followed->wanted = wanted;
  ++counts_.plans_followed;
  shed_beside_plan();
}

// Gives back what is idle and not needed beside the plan's range.
void PayloadPool::shed_beside_plan() {
  const std::uint64_t wanted = planning_->followed->wanted;
  if (tiling_.mapped() >= wanted + tiling_.piece()) {
    (void)make_idle(Effort::kGrow);
    give_back_idle(tiling_.mapped() - wanted, {}, 0);
  }
}

// Whether the plan that is followed costs memory: with it, more would be mapped for `size` bytes than
// was foreseen, and than was ever leased at once.
bool PayloadPool::plan_costs_memory(std::uint64_t size) const {
  if (planning_ == nullptr || planning_->followed == nullptr) {
    return false;
  }
  const std::uint64_t most_leased = std::max(peak_leased_, counts_.leased.count() + size);
  const std::uint64_t most =
      std::max(planning_->followed->wanted, most_leased) / 1000 * (1000 + options_.slack_per_mille);
  return tiling_.mapped() + size > most + tiling_.piece();
}

// The place that the plan has for the next lease; null where it has none that is free.
PayloadBlock* PayloadPool::take_planned(std::uint64_t size, StreamId stream, std::uint64_t key) {
  Planning& planning = *planning_;
  Planning::Followed& followed = *planning.followed;
  PlanWalk& walk = followed.walk;
  const PlanWalk::Step step = walk.meet(key);
  if (step.answer == PlanWalk::Answer::kLeft || followed.aside > walk.plan().height / kMostAside) {
    leave_plan();
    return nullptr;
  }
  planning.slot = LeaseNote::kAside;
  if (step.slot == 0 && walk.rounds() == 1 && step.answer != PlanWalk::Answer::kStranger) {
    shed_beside_plan();  // what was still in use when the plan was taken up
  }
  if (step.answer == PlanWalk::Answer::kStranger) {
    return nullptr;
  }
  const std::uint32_t slots = walk.plan().slots();
  for (std::uint32_t k = step.skipped; k > 0 && epochs_.has_several(); --k) {
    pass_uses_on((step.slot + slots - k) % slots);
  }
  if (step.answer == PlanWalk::Answer::kServe && order_slot(step.slot, stream)) {
    PayloadBlock& block = slot_block(step.slot);
    check(block.size == size, "two sizes have one and the same key in a plan");
    walk.take(step.slot);
    planning.slot = step.slot;
    ++counts_.planned_leases;
    return &block;
  }
  if (walk.plan().bytes[step.slot] == 0) {
    planning.slot = LeaseNote::kNoSlot;  // it was known to have no place
  } else if (epochs_.has_several()) {
    pass_uses_on(step.slot);
  }
  return nullptr;
}

PayloadBlock& PayloadPool::slot_block(std::uint32_t slot) {
  Planning::Followed& followed = *planning_->followed;
  PayloadBlock*& block = followed.slots[slot];
  if (block == nullptr) {
    const Plan& plan = followed.walk.plan();
    block = &core_->slab.take();
    block->data = followed.range->data + plan.offsets[slot];
    block->size = plan.bytes[slot];
    block->before = nullptr;
    block->after = nullptr;
    block->noted_seam = false;
    block->shelf = kPlanShelf;
    block->uses.become(followed.range_use);
    block->state.store(BlockState::kPlanned, std::memory_order_relaxed);
  }
  return *block;
}

// Puts `stream` behind whoever had bytes of a slot last. False where that was refused.
bool PayloadPool::order_slot(std::uint32_t slot, StreamId stream) {
  if (!epochs_.has_several()) {
    return true;
  }
  bool has_events = true;
  for (const std::uint32_t other : planning_->followed->walk.plan().before.of(slot)) {
    has_events = has_events && may_be_ordered(stream, slot_block(other));
  }
  if (!has_events) {
    (void)epochs_.end_epochs();
    epochs_.refresh();
  }
  for (const std::uint32_t other : planning_->followed->walk.plan().before.of(slot)) {
    if (!order_behind(stream, slot_block(other))) {
      return false;
    }
  }
  return true;
}

// A slot that is not served this time: whoever has its bytes next must come behind those before it.
void PayloadPool::pass_uses_on(std::uint32_t slot) {
  PayloadBlock& block = slot_block(slot);
  if (!block.is(BlockState::kPlanned)) {
    return;  // it is out still, and blocks whoever comes
  }
  for (const std::uint32_t other : planning_->followed->walk.plan().before.of(slot)) {
    if (slot_block(other).is(BlockState::kPlanned)) {
      block.uses.add_all(slot_block(other).uses);
    }
  }
}

// A block was handed back, and its pool looks at it.
void PayloadPool::note_return(PayloadBlock& block) {
  Planning& planning = *planning_;
  const LeaseNote note = block.note;
  planning.tape.give_back(note.lease);
  if (note.slot == LeaseNote::kAside && planning.followed != nullptr &&
      note.plan == planning.plans) {
    planning.followed->aside -= block.size;
  }
}

void PayloadPool::note_lease(PayloadBlock& block, StreamId stream, SiteId site) {
  Planning& planning = *planning_;
  if (planning.is_paused) {
    block.note = {.lease = Tape::kNoLease,
                  .slot = LeaseNote::kNoSlot,
                  .plan = planning.plans,
                  .aside = nullptr,
                  .evictable = nullptr};
    return;
  }
  const std::uint32_t slot = std::exchange(planning.slot, LeaseNote::kNoSlot);
  block.note = {.lease = planning.tape.lease(key_of(block.size, stream, site), block.size),
                .slot = slot,
                .plan = planning.plans,
                .aside = nullptr,
                .evictable = nullptr};
  if (slot == LeaseNote::kAside && planning.followed != nullptr) {
    planning.followed->aside += block.size;
  }
  if (planning.tape.has_found() && !planning.wants_solver.load(std::memory_order_relaxed)) {
    if (peak_leased_ >= kWorthPlanning && !is_planned_in_vain()) {
      planning.wants_solver.store(true, std::memory_order_relaxed);
    } else {
      planning.tape.forget();
    }
  }
}

// Whether the period that was found is, for now, like those that had no plan, or none that was followed:
// an iteration is found again as soon as it was solved.
bool PayloadPool::is_planned_in_vain() {
  Planning& planning = *planning_;
  if (planning.vain == 0 || planning.tape.found() > planning.vain_leases) {
    return false;
  }
  const std::uint64_t every = std::uint64_t{1} << std::min(planning.vain, kMostPatience);
  return ++planning.finds_in_vain % every != 0;
}

// A slot came back. False where it is an ordinary block by now.
bool PayloadPool::take_slot_back(PayloadBlock& block) {
  if (epochs_.has_several() || !block.uses.is_single()) {
    end_uses(block);
    block.uses.for_each([&](const StreamUse& use) {
      if (epochs_.has_several() && epochs_.is_epoch_full(use.stream())) {
        (void)epochs_.end_epoch(use.stream());
      }
    });
    if (block.shelf != kPlanShelf) {
      return false;  // a second stream was met, and the plan left
    }
  } else {
    block.uses.become(epochs_.end_use(block.uses.home()));
  }
  const std::uint32_t slot = block.note.slot;
  block.state.store(BlockState::kPlanned, std::memory_order_relaxed);
  planning_->followed->walk.give_back(slot);
  return true;
}

// The program left the plan, or the memory is needed.
void PayloadPool::leave_plan() {
  Planning& planning = *planning_;
  const bool is_first_round = planning.followed->walk.rounds() == 0;
  const bool is_replaced = planning.ready != planning.followed->walk.shared_plan();
  dissolve_plan();
  planning.strikes = is_first_round ? planning.strikes : 0;
  if (!is_replaced) {
    strike();
  }
}

void PayloadPool::strike() {
  Planning& planning = *planning_;
  if (++planning.strikes < kMostStrikes) {
    return;
  }
  if (planning.ready->from_empty) {
    ++planning.wasted;
  } else {
    planning.tape.ignore_up_to(planning.ready->slots());
  }
  planning.ready = nullptr;
  planning.strikes = 0;
}

// Cuts the planned range into what is out, block by block, and what is free.
void PayloadPool::dissolve_plan() {
  if (planning_ == nullptr || planning_->followed == nullptr) {
    return;
  }
  const std::unique_ptr<Planning::Followed> followed = std::move(planning_->followed);
  ++counts_.plans_left;
  planning_->tape.look(true);
  std::vector<PayloadBlock*> out;
  UseSet uses;
  uses.add(followed->range_use);
  for (PayloadBlock* const block : followed->slots) {
    if (block == nullptr) {
      continue;
    }
    if (block->is(BlockState::kPlanned)) {
      uses.add_all(block->uses);
      core_->slab.give_back(*block);
    } else {
      block->shelf = kIdleShelf;
      out.push_back(block);
    }
  }
  std::sort(out.begin(), out.end(),
            [](const PayloadBlock* a, const PayloadBlock* b) { return a->data < b->data; });
  PayloadBlock* rest =
      followed->range;  // from the last block that was carved out to the range's end
  std::vector<PayloadBlock*> free;
  for (PayloadBlock* const block : out) {
    const Tiling::Carved carved = tiling_.carve(*rest, *block);
    if (carved.below != nullptr) {
      free.push_back(carved.below);
    }
    rest = carved.above;
  }
  if (rest != nullptr) {
    free.push_back(rest);
  }
  for (PayloadBlock* const block : free) {
    block->uses = uses;
    block->state.store(BlockState::kFree, std::memory_order_relaxed);
    block->shelf = shelf_for(*block);
    shelve(join_neighbours(*block));
  }
}

bool PayloadPool::wants_solver() const {
  return planning_ != nullptr && planning_->wants_solver.load(std::memory_order_relaxed);
}

std::optional<Iteration> PayloadPool::take_iteration() {
  const Lock lock(core_->mutex);
  if (planning_ == nullptr || closed_) {
    return std::nullopt;
  }
  drain_all(lock);
  if (counts_.live_blocks == 0 && !planning_->is_paused) {
    note_empty();
  }
  planning_->wants_solver.store(false, std::memory_order_relaxed);
  if (peak_leased_ < kWorthPlanning) {
    planning_->tape.forget();
  }
  std::optional<Iteration> iteration = planning_->tape.take();
  if (iteration && iteration->from_empty) {
    planning_->solved_episode = planning_->tape.last_episode();
  }
  planning_->solving = iteration && !iteration->from_empty ? iteration->keys.size() : 0;
  return iteration;
}

void PayloadPool::offer(std::shared_ptr<const Plan> plan) {
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ != nullptr) {
    return;
  }
  Planning& planning = *planning_;
  if (plan == nullptr) {
    planning.note_vain(planning.solving);
    return;
  }
  if (planning.ready != nullptr && planning.ready->from_empty &&
      planning.ready->slots() > plan->slots()) {
    return;  // an iteration inside of the one that is planned
  }
  if (planning.ready != nullptr && !planning.ready->from_empty && !planning.was_followed) {
    planning.note_vain(planning.ready->slots());
  }
  planning.ready = std::move(plan);
  planning.was_followed = false;
  planning.strikes = 0;
  drain_all(lock);
  if (!planning.is_paused && planning.ready->from_empty && counts_.live_blocks == 0 &&
      !epochs_.known().empty()) {
    dissolve_plan();
    follow(epochs_.known().front());
  }
}

}  // namespace tenure
