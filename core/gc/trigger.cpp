#include "core/gc/trigger.hpp"

#include <algorithm>

namespace tenure {

Trigger::Trigger(const TriggerOptions& options)
    : options_(options), middle_limit_(options.nursery), old_limit_(options.old_start) {
  due_at_.fill(kNever);
  for (std::uint32_t generation = 1; generation < options.generations; ++generation) {
    due_at_[generation] = turn_after(0, generation);
  }
}

std::uint64_t Trigger::turn_after(std::uint64_t collection, std::uint32_t generation) const {
  const std::uint64_t ratio = options_.collection_ratio[generation];
  return ratio == 0 ? kNever : (collection / ratio + 1) * ratio;
}

bool Trigger::has_grown(Bytes old_used) const {
  return old_used > old_live_ && (old_used - old_live_) * kWorthAPart >= room(old_live_);
}

// Why half: what comes while a cycle is under way needs room too. Past the heap's limit there would be
// no cycle, but one stop for all of it when nothing fits any more. Why not less than a 64th of the limit: the
// nearer the heap is to it the more often it would be collected, in the end for each object.
Bytes Trigger::room(Bytes live) const {
  const Bytes free = options_.heap_limit > live ? options_.heap_limit - live : Bytes{};
  return std::min(sizing_.room(live), std::max(free / 2, options_.heap_limit / 64));
}

Verdict Trigger::judge(const std::array<Bytes, kMaxGenerations>& used) const {
  const Bytes old_used = used[oldest()];
  if (old_used >= old_limit_) {
    return {oldest(), CollectionTrigger::kPromotionThreshold};
  }
  if (is_due(oldest()) && has_grown(old_used)) {
    return {oldest(), CollectionTrigger::kPeriodic};
  }
  return judge_young(used);
}

Verdict Trigger::judge_young(const std::array<Bytes, kMaxGenerations>& used) const {
  Verdict verdict;
  for (std::uint32_t generation = 1; generation < oldest(); ++generation) {
    if (used[generation] >= middle_limit_) {
      verdict = {generation, CollectionTrigger::kPromotionThreshold};
    } else if (is_due(generation)) {
      verdict = {generation, CollectionTrigger::kPeriodic};
    }
  }
  return verdict;
}

void Trigger::take_turn() {
  if (is_due(oldest())) {
    due_at_[oldest()] = turn_after(young_collections_ + 1, oldest());
  }
}

void Trigger::learn(const Verdict& verdict, const CollectionReport& report, Bytes old_used) {
  if (verdict.last != Verdict::kNone) {
    ++young_collections_;
    for (std::uint32_t k = 1; k <= std::min(verdict.last, oldest()); ++k) {
      if (young_collections_ >= due_at_[k]) {
        due_at_[k] = turn_after(young_collections_, k);
      }
    }
  }
  if (report.full) {
    learn_settled(old_used);
  }
}

void Trigger::learn_settled(Bytes old_used) {
  old_live_ = old_used;
  old_limit_ = std::max(options_.old_start, old_used + room(old_used));
}

}  // namespace tenure
