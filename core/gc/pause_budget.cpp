#include "core/gc/pause_budget.hpp"

#include <algorithm>

namespace tenure {

void PauseBudget::learn(Bytes taken, Bytes survived, std::uint64_t pause_ns) {
  if (taken.is_zero()) {
    return;
  }
  constexpr double kEnoughToTime = 64.0 * 1024;  // bytes; fewer, and stopping is what was timed
  const auto bytes = static_cast<double>(survived.count());
  if (bytes >= kEnoughToTime) {
    const double now = static_cast<double>(pause_ns) / bytes;
    ns_per_byte_ += kForget * (now - ns_per_byte_);
  }
  const double rate = std::min(1.0, bytes / static_cast<double>(taken.count()));
  // Why up at once: a burst of survivors seldom comes alone.
  survival_ = rate > survival_ ? rate : survival_ + kForget * (rate - survival_);

  const auto fits = static_cast<double>(survivors().count());
  const double wanted = survival_ > 0.0 ? fits / survival_ : static_cast<double>(most_.count());
  const double grown = kGrowth * static_cast<double>(nursery().count());
  const double size = std::min({wanted, grown, static_cast<double>(most_.count())});
  nursery_ = std::min(most_, std::max(kLeast, Bytes{static_cast<std::uint64_t>(size)}));
}

Bytes PauseBudget::survivors() const {
  const double fits = kAim * static_cast<double>(target_ns_) / ns_per_byte_;
  return std::clamp(Bytes{static_cast<std::uint64_t>(fits)}, std::min(kLeast, most_), most_);
}

void PauseBudget::limit_nursery(Bytes nursery) {
  most_ = nursery;
  nursery_ = std::min(nursery_, nursery);
}

}  // namespace tenure
