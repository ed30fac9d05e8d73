#include "core/gc/marker_choice.hpp"

#include <algorithm>

namespace tenure {

namespace {

constexpr double kBetterByFar = 1.3;
constexpr std::uint32_t kInARow = 2;
constexpr double kWeightOfTheLast = 0.5;
constexpr std::uint32_t kMostDoublings = 10;

}  // namespace

MarkingSide MarkingChoice::choose(std::uint64_t objects) {
  if (wait_ > 0) {
    --wait_;
    return MarkingSide::kHost;
  }
  if (objects < kFewObjects) {
    return MarkingSide::kHost;
  }
  if (!device_ns_) {
    return host_ns_ && objects >= kWorthATry ? MarkingSide::kDevice : MarkingSide::kHost;
  }
  if (!host_ns_) {
    return MarkingSide::kHost;
  }
  const MarkingSide other = side_ == MarkingSide::kHost ? MarkingSide::kDevice : MarkingSide::kHost;
  const bool is_better = *rate_of(side_) > *rate_of(other) * kBetterByFar;
  better_ = is_better ? better_ + 1 : 0;
  if (better_ >= kInARow) {
    side_ = other;
    better_ = 0;
  }
  return side_;
}

void MarkingChoice::learn(MarkingSide side, std::uint64_t objects, std::uint64_t ns) {
  if (objects < kFewObjects) {
    return;  // what it costs to begin would count for objects
  }
  const double fresh = static_cast<double>(ns) / static_cast<double>(objects);
  std::optional<double>& rate = rate_of(side);
  rate = rate ? *rate + (fresh - *rate) * kWeightOfTheLast : fresh;
  if (side == MarkingSide::kDevice) {
    failures_ = 0;
  }
}

void MarkingChoice::note_failure() {
  wait_ = std::uint64_t{1} << std::min(failures_++, kMostDoublings);
  side_ = MarkingSide::kHost;
  better_ = 0;
}

}  // namespace tenure
