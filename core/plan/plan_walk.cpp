#include "core/plan/plan_walk.hpp"

#include <algorithm>

namespace tenure {

namespace {

constexpr std::uint32_t kMostSkipped = 8;     // leases that may be missing in a row
constexpr std::uint32_t kMostStrangers = 16;  // leases that may be unknown in a row
constexpr std::size_t kMostLate = 256;        // slots that may be late at once

}  // namespace

PlanWalk::Step PlanWalk::meet_other(std::uint64_t key) {
  const std::uint32_t ahead = std::min(kMostSkipped, plan_->slots() - 1);
  for (std::uint32_t skipped = 1; skipped <= ahead; ++skipped) {
    if (plan_->keys[(next_ + skipped) % plan_->slots()] == key) {
      if (late_.size() > kMostLate) {
        break;
      }
      return arrive(skipped);
    }
  }
  ++strangers_;
  const bool left = strangers_ > kMostStrangers || late_.size() > kMostLate;
  return {.answer = left ? Answer::kLeft : Answer::kStranger, .slot = 0, .skipped = 0};
}

bool PlanWalk::is_blocked(std::uint32_t slot) const {
  return out_[slot] || std::any_of(late_.begin(), late_.end(),
                                   [&](std::uint32_t late) { return plan_->overlap(slot, late); });
}

void PlanWalk::note_late(std::uint32_t slot) {
  if (late_at_[slot] == kNotLate) {
    late_at_[slot] = static_cast<std::uint32_t>(late_.size());
    late_.push_back(slot);
  }
}

void PlanWalk::forget_late(std::uint32_t slot) {
  const std::uint32_t at = std::exchange(late_at_[slot], kNotLate);
  const std::uint32_t last = late_.back();
  late_.pop_back();
  if (last != slot) {
    late_[at] = last;
    late_at_[last] = at;
  }
}

std::string PlanWalk::fault() const {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> out;
  for (std::uint32_t slot = 0; slot < plan_->slots(); ++slot) {
    if (out_[slot]) {
      out.emplace_back(plan_->offsets[slot], slot);
    } else if (late_at_[slot] != kNotLate) {
      return "slot " + std::to_string(slot) + " is late and not out";
    }
  }
  std::sort(out.begin(), out.end());
  for (std::size_t k = 1; k < out.size(); ++k) {
    if (plan_->overlap(out[k - 1].second, out[k].second)) {
      return "slots " + std::to_string(out[k - 1].second) + " and " +
             std::to_string(out[k].second) + " are out and overlap";
    }
  }
  return {};
}

}  // namespace tenure
