// Follows a program along its plan: which slot the next lease is, and whether its place is free.
//
// Invariant: no two slots that are out overlap. A slot that should have been handed back and was not is
// late; what overlaps with a late one is leased elsewhere.
//
// Leases that the plan does not know are strangers, and leases that it knows may be missing: some of
// either are borne; then the program has left the plan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/plan/plan.hpp"

namespace tenure {

/// threads  the pool's lock
class PlanWalk {
 public:
  enum class Answer : std::uint8_t {
    kServe,      // from the slot's place: then `take` it
    kElsewhere,  // it is the slot's turn, and the slot has no place or it is not free
    kStranger,   // the plan does not know this lease
    kLeft,       // the program has left the plan
  };
  struct Step {
    Answer answer = Answer::kStranger;
    std::uint32_t slot = 0;
    std::uint32_t skipped = 0;  // slots before it that were passed over
  };

  explicit PlanWalk(std::shared_ptr<const Plan> plan)
      : plan_(std::move(plan)), out_(plan_->slots()), late_at_(plan_->slots(), kNotLate) {}

  /// The next lease has that key.
  ///
  /// cost   O(1), over an iteration; more by what is late
  [[nodiscard]] Step meet(std::uint64_t key) {
    if (plan_->keys[next_] == key) [[likely]] {
      return arrive(0);
    }
    return meet_other(key);
  }

  void take(std::uint32_t slot) { out_[slot] = true; }
  void give_back(std::uint32_t slot) {
    out_[slot] = false;
    if (late_at_[slot] != kNotLate) [[unlikely]] {
      forget_late(slot);
    }
  }

  [[nodiscard]] bool is_out(std::uint32_t slot) const { return out_[slot]; }
  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] const std::shared_ptr<const Plan>& shared_plan() const { return plan_; }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }  // gone to their ends

  /// The first thing that is not as it should be, in a sentence; empty where all is well.
  [[nodiscard]] std::string fault() const;

 private:
  static constexpr std::uint32_t kNotLate = ~std::uint32_t{0};

  [[nodiscard]] Step arrive(std::uint32_t skipped) {
    for (std::uint32_t k = 0; k <= skipped; ++k) {
      for (const std::uint32_t slot : plan_->due.of(next_)) {
        if (out_[slot]) [[unlikely]] {
          note_late(slot);
        }
      }
      current_ = next_;
      if (++next_ == plan_->slots()) {
        next_ = 0;
        ++rounds_;
      }
    }
    strangers_ = 0;
    const bool has_place = plan_->bytes[current_] != 0;
    const bool is_free = late_.empty() || !is_blocked(current_);
    return {has_place && is_free ? Answer::kServe : Answer::kElsewhere, current_, skipped};
  }
  [[nodiscard]] Step meet_other(std::uint64_t key);
  [[nodiscard]] bool is_blocked(std::uint32_t slot) const;
  void note_late(std::uint32_t slot);
  void forget_late(std::uint32_t slot);

  std::shared_ptr<const Plan> plan_;
  std::uint32_t next_ = 0;
  std::uint32_t current_ = 0;
  std::uint32_t strangers_ = 0;  // in a row
  std::uint64_t rounds_ = 0;
  std::vector<bool> out_;               // [slots]
  std::vector<std::uint32_t> late_;     // slots
  std::vector<std::uint32_t> late_at_;  // [slots] where in `late_`
};

}  // namespace tenure
