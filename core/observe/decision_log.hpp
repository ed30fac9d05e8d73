// The changes that a runtime made to itself, the last of them.
//
// Invariant: two entries that follow each other, of one parameter and generation, have the later one's
// `before` equal to the earlier one's `after`.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "tenure/decisions.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// threads  one at a time
class DecisionLog {
 public:
  static constexpr std::size_t kMost = 256;

  /// A parameter is `now`. The first time that says where it began; later a change is noted, where it is
  /// one: `reason()` is asked for then alone.
  ///
  /// decision  its parameter and generation, and when
  template <class Reason>
  void note(Decision decision, double now, Reason reason) {
    std::optional<double>& told =
        told_[static_cast<std::size_t>(decision.parameter)][decision.generation];
    if (!told) {
      told = now;
    }
    if (!is_change(decision.parameter, *told, now)) {
      return;
    }
    decision.before = std::exchange(*told, now);
    decision.after = now;
    decision.reason = reason();
    if (entries_.size() == kMost) {
      entries_.pop_front();
    }
    entries_.push_back(std::move(decision));
  }

  [[nodiscard]] std::vector<Decision> entries() const { return {entries_.begin(), entries_.end()}; }

 private:
  // Sizes follow what is measured, and are never the same twice.
  static constexpr double kWorthTelling = 0.1;

  [[nodiscard]] static bool is_change(Adapted parameter, double before, double now) {
    const bool is_size = parameter == Adapted::kNursery || parameter == Adapted::kOldLimit;
    return is_size ? std::abs(now - before) >= kWorthTelling * before : now != before;
  }

  std::array<std::array<std::optional<double>, kMaxGenerations>, kAdaptedParameters> told_{};
  std::deque<Decision> entries_;
};

}  // namespace tenure
