#include "core/gc/trigger.hpp"

#include <algorithm>

namespace tenure {

Trigger::Trigger(const TriggerOptions& options)
    : options_(options), middle_limit_(options.nursery), old_limit_(options.old_start) {}

std::uint64_t Trigger::ratio_of(std::uint32_t generation) {
  std::uint64_t ratio = generation == 0 ? 1 : 10;
  for (std::uint32_t k = 1; k < generation; ++k) {
    ratio *= 5;
  }
  return ratio;
}

Verdict Trigger::judge(const std::array<Bytes, kMaxGenerations>& used) const {
  const std::uint32_t oldest = options_.generations - 1;
  if (used[oldest] >= old_limit_) {
    return {oldest, CollectionTrigger::kPromotionThreshold};
  }
  return judge_young(used);
}

Verdict Trigger::judge_young(const std::array<Bytes, kMaxGenerations>& used) const {
  const std::uint32_t oldest = options_.generations - 1;
  Verdict verdict;
  const std::uint64_t next = young_collections_ + 1;
  for (std::uint32_t generation = 1; generation < oldest; ++generation) {
    if (used[generation] >= middle_limit_) {
      verdict = {generation, CollectionTrigger::kPromotionThreshold};
    } else if (next % ratio_of(generation) == 0) {
      verdict = {generation, CollectionTrigger::kPeriodic};
    }
  }
  return verdict;
}

void Trigger::learn(const CollectionReport& report, Bytes old_used) {
  if (report.full) {
    old_limit_ = std::max(options_.old_start, old_used * kGrowth);
  } else {
    ++young_collections_;
  }
}

}  // namespace tenure
