#include "core/model/serial_marker.hpp"

#include "core/model/mark_law.hpp"

namespace tenure {

void SerialMarker::begin(const MarkJob& job) {
  heap_ = job.heap;
  stack_.clear();
  stats_ = {};
  add(job.roots);
}

void SerialMarker::add(std::span<const ObjectIndex> objects) {
  for (const ObjectIndex object : objects) {
    reach(object);
  }
}

bool SerialMarker::advance(std::uint64_t budget) {
  for (; budget > 0 && !stack_.empty(); --budget) {
    const ObjectIndex object = stack_.back();
    stack_.pop_back();
    for_each_reference(heap_, object, [this](ObjectIndex child) {
      ++stats_.references;
      reach(child);
    });
  }
  return stack_.empty();
}

MarkStats SerialMarker::complete() {
  advance(kNoBudget);
  return stats_;
}

void SerialMarker::reach(ObjectIndex object) {
  if (!marking_claims(heap_, object) || !claim_alone(heap_.marks, object)) {
    return;
  }
  ++stats_.objects;
  if (!is_leaf(heap_, object)) {
    stack_.push_back(object);
  }
}

}  // namespace tenure
