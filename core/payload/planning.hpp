// What a pool knows of plans: the tape, a plan that waits for its moment, and the one it follows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/payload/block.hpp"
#include "core/plan/plan_walk.hpp"
#include "core/plan/tape.hpp"

namespace tenure {

/// threads  the pool's lock; `wants_solver` anyone
struct Planning {
  /// The plan that is followed. Its slots lie in one range of the pool's addresses, and have
  /// descriptors of their own, which are in no segment while the range is one planned block.
  struct Followed {
    explicit Followed(std::shared_ptr<const Plan> plan) : walk(std::move(plan)) {}

    PlanWalk walk;
    PayloadBlock* range = nullptr;
    StreamUse range_use;               // behind which the range was taken
    std::vector<PayloadBlock*> slots;  // null where a slot was never served
    std::uint64_t wanted = 0;          // bytes, mapped, that were foreseen when it was taken up
    std::uint64_t aside = 0;           // bytes that are leased elsewhere since
  };

  /// A period of so many leases was solved, and no plan of it followed.
  void note_vain(std::uint64_t leases) {
    if (leases != 0) {
      vain_leases = vain++ == 0 ? leases : std::max(vain_leases, leases);
    }
  }

  Tape tape;
  bool is_paused = false;  // threads lease without the lock: nothing is noted, and no plan followed
  std::unique_ptr<Followed> followed;
  std::shared_ptr<const Plan> ready;  // to be followed when its moment comes
  std::uint32_t plans = 0;            // ever followed: the number of the latest
  std::uint32_t strikes = 0;          // times that the ready plan was left in its first round
  std::uint32_t wasted = 0;         // plans of episodes that were of no use, the last ones in a row
  bool was_followed = false;        // the ready plan, since it was offered
  std::uint64_t solving = 0;        // leases of the period that the solver has; 0: an episode
  std::uint32_t vain = 0;           // periods solved in a row of which no plan was ever followed
  std::uint64_t vain_leases = 0;    // of the longest of these
  std::uint64_t finds_in_vain = 0;  // times that such a period, or a shorter one, was found again
  std::uint64_t episodes = 0;
  std::uint64_t solved_episode = 0;         // of which the solver has a plan, or is at it
  std::uint32_t slot = LeaseNote::kNoSlot;  // for the note of the lease under way
  std::atomic<bool> wants_solver{false};    // an iteration was found
};

}  // namespace tenure
