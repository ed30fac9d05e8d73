#include "core/gc/overhead_limit.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tenure {

void OverheadLimit::note(const VainCollection& collection) {
  const auto apart = static_cast<double>(collection.ended_ns - before_.ended_ns);
  const auto stopped = static_cast<double>(collection.stopped_ns - before_.stopped_ns);
  if (collection.freed >= least_freed_ || stopped <= kMostStopped * apart) {
    in_a_row_ = 0;
  } else {
    if (in_a_row_ == 0) {
      first_began_ = before_;
      most_freed_ = {};
    }
    ++in_a_row_;
    most_freed_ = std::max(most_freed_, collection.freed);
  }
  before_ = collection;
}

std::string OverheadLimit::describe() const {
  constexpr double kNsPerSecond = 1e9;
  const auto apart = static_cast<double>(before_.ended_ns - first_began_.ended_ns);
  const auto stopped = static_cast<double>(before_.stopped_ns - first_began_.stopped_ns);
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(),
                "the last %u full collections took %.1f %% of %.3g s and freed", in_a_row_,
                100.0 * stopped / std::max(apart, 1.0), apart / kNsPerSecond);
  return text.data() + (" at most " + to_string(most_freed_)) + " each";
}

}  // namespace tenure
