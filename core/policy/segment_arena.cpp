#include "core/policy/segment_arena.hpp"

namespace tenure {

Stretch* SegmentArena::take(std::uint64_t bytes) {
  Stretch wanted{.bytes = bytes};
  const auto found = free_.lower_bound(&wanted);
  if (found == free_.end()) {
    return nullptr;
  }
  Stretch* const stretch = *found;
  free_.erase(found);
  return use(stretch, bytes);
}

Stretch* SegmentArena::take_fresh(std::uint64_t bytes, std::uint64_t segment_bytes) {
  if (!budget_.take(segment_bytes)) {
    return nullptr;
  }
  Stretch* const segment = chain_.make(next_address_, segment_bytes, StretchState::kFree);
  next_address_ += segment_bytes;
  return use(segment, bytes);
}

Stretch* SegmentArena::use(Stretch* stretch, std::uint64_t bytes) {
  if (stretch->bytes - bytes >= keep_) {
    free_.insert(chain_.split(stretch, bytes));
  }
  stretch->state = StretchState::kUsed;
  return stretch;
}

void SegmentArena::give(Stretch* stretch) {
  stretch->state = StretchState::kFree;
  if (stretch->after != nullptr && stretch->after->is(StretchState::kFree)) {
    free_.erase(stretch->after);
    chain_.join_with_after(stretch);
  }
  if (Stretch* const before = stretch->before;
      before != nullptr && before->is(StretchState::kFree)) {
    free_.erase(before);
    chain_.join_with_after(before);
    stretch = before;
  }
  free_.insert(stretch);
}

void SegmentArena::release_idle() {
  for (auto next = free_.begin(); next != free_.end();) {
    Stretch* const stretch = *next;
    if (stretch->before != nullptr || stretch->after != nullptr) {
      ++next;
      continue;
    }
    budget_.give(stretch->bytes);
    next = free_.erase(next);
    chain_.drop(stretch);
  }
}

}  // namespace tenure
