#include "core/gc/pause_budget.hpp"

namespace tenure {

void PauseBudget::learn(const YoungCost& cost) {
  constexpr double kEnoughToTime = 64.0 * 1024;  // bytes; fewer, and stopping is what was timed
  const auto bytes = static_cast<double>(cost.survived.count());
  if (bytes >= kEnoughToTime) {
    const double now = static_cast<double>(cost.pause_ns) / bytes;
    ns_per_byte_ += kForget * (now - ns_per_byte_);
  }
  if (!cost.youngest.is_zero()) {
    const double rate = std::min(1.0, static_cast<double>(cost.youngest_survived.count()) /
                                          static_cast<double>(cost.youngest.count()));
    // Why up at once: a burst of survivors seldom comes alone.
    survival_ = rate > survival_ ? rate : survival_ + kForget * (rate - survival_);
  }

  follow_misses(cost.pause_ns);

  const auto most = static_cast<double>(most_.count());
  const auto aim = static_cast<double>(fits(kAimNursery * reach()).count());
  const double wanted = survival_ > 0.0 ? aim / survival_ : most;
  const double grown = kGrowth * static_cast<double>(nursery().count());
  const double size = std::min({wanted, grown, most});
  nursery_ = std::min(most_, std::max(kLeast, Bytes{static_cast<std::uint64_t>(size)}));
}

// The quantile of stops that meets the target is what is held, by steps up and down (Robbins and Monro,
// 1951): how far stops scatter about what was predicted need not be known.
void PauseBudget::follow_misses(std::uint64_t pause_ns) {
  reach_ =
      std::clamp(reach_ * (pause_ns > target_ns_ ? kReachDown : kReachUp), kLeastReach, kMostReach);
}

Bytes PauseBudget::fits(double targets) const {
  const double bytes = targets * static_cast<double>(target_ns_) / ns_per_byte_;
  return std::max(std::min(kLeast, most_), Bytes{static_cast<std::uint64_t>(bytes)});
}

Bytes PauseBudget::middle() const {
  const double comes = survival_ * static_cast<double>(nursery().count());
  const double fit =
      static_cast<double>(fits(kAimMiddle * reach() / std::max(1u, middle_)).count()) - comes;
  const Bytes least = std::min(kLeastMiddle, most_);
  return fit > 0.0 ? std::clamp(Bytes{static_cast<std::uint64_t>(fit)}, least, most_) : least;
}

void PauseBudget::limit_nursery(Bytes nursery) {
  most_ = nursery;
  nursery_ = std::min(nursery_, nursery);
}

}  // namespace tenure
