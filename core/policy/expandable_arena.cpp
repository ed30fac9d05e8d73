#include "core/policy/expandable_arena.hpp"

#include <algorithm>
#include <vector>

namespace tenure {

namespace {

constexpr std::uint64_t kStep = 512;  // what is left over is worth cutting off
constexpr std::uint64_t kAddresses = std::uint64_t{1} << 50;  // more than anybody maps

std::uint64_t size_if_grown(const Stretch& stretch) {
  const Stretch* const after = stretch.after;
  return stretch.bytes +
         (after != nullptr && after->is(StretchState::kUnmapped) ? after->bytes : 0);
}

std::uint64_t reachable(const Stretch* from) {
  std::uint64_t bytes = 0;
  for (; from != nullptr && !from->is(StretchState::kUsed); from = from->after) {
    bytes += from->bytes;
  }
  return bytes;
}

}  // namespace

ExpandableArena::ExpandableArena(Budget& budget, std::uint64_t page)
    : budget_(budget), page_(page) {
  unmapped_.insert(chain_.make(0, kAddresses, StretchState::kUnmapped));
}

Stretch* ExpandableArena::take(std::uint64_t bytes) {
  Stretch wanted{.bytes = bytes};
  auto found = free_.lower_bound(&wanted);
  if (found == free_.end()) {
    return nullptr;
  }
  // As the allocator does: on to the next as long as that one could grow less.
  for (auto next = std::next(found);
       next != free_.end() && size_if_grown(**next) < size_if_grown(**found); ++next) {
    found = next;
  }
  Stretch* const stretch = *found;
  free_.erase(found);
  return use(stretch, bytes);
}

Stretch* ExpandableArena::use(Stretch* stretch, std::uint64_t bytes) {
  if (stretch->bytes - bytes >= kStep) {
    free_.insert(chain_.split(stretch, bytes));
  }
  stretch->state = StretchState::kUsed;
  return stretch;
}

// Where free and unmapped neighbours together are large enough, the lowest such place.
Stretch* ExpandableArena::place_to_grow(std::uint64_t bytes) const {
  for (Stretch* place : unmapped_) {
    if (place->before != nullptr && place->before->is(StretchState::kFree)) {
      place = place->before;
    }
    if (reachable(place) >= bytes) {
      return place;
    }
  }
  return nullptr;
}

Stretch* ExpandableArena::take_fresh(std::uint64_t bytes) {
  Stretch* place = place_to_grow(bytes);
  if (place == nullptr) {
    return nullptr;
  }
  if (place->is(StretchState::kUnmapped)) {
    place = map(place, std::min(place->bytes, bytes));
  }
  while (place != nullptr && place->bytes < bytes) {
    place = map(place->after, std::min(place->after->bytes, bytes - place->bytes));
  }
  if (place == nullptr) {
    return nullptr;  // what was mapped on the way stays, free
  }
  free_.erase(place);
  return use(place, bytes);
}

// Maps whole pages from the start of an unmapped stretch; gives the free stretch they are part of.
Stretch* ExpandableArena::map(Stretch* unmapped, std::uint64_t bytes) {
  const std::uint64_t mapped = (bytes + page_ - 1) / page_ * page_;
  if (!budget_.take(mapped)) {
    return nullptr;
  }
  unmapped_.erase(unmapped);
  if (mapped < unmapped->bytes) {
    unmapped_.insert(chain_.split(unmapped, mapped));
  }
  return join_free(unmapped);
}

void ExpandableArena::give(Stretch* stretch) { (void)join_free(stretch); }

// Frees a stretch; gives the whole that it is part of then.
Stretch* ExpandableArena::join_free(Stretch* stretch) {
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
  return stretch;
}

void ExpandableArena::release_idle() {
  const std::vector<Stretch*> idle(free_.begin(), free_.end());
  for (Stretch* const stretch : idle) {
    unmap_inside(stretch);
  }
}

void ExpandableArena::unmap_inside(Stretch* stretch) {
  const std::uint64_t first = (stretch->address + page_ - 1) / page_ * page_;
  const std::uint64_t last = (stretch->address + stretch->bytes) / page_ * page_;
  if (last <= first) {
    return;
  }
  free_.erase(stretch);
  if (first > stretch->address) {
    Stretch* const upper = chain_.split(stretch, first - stretch->address);
    free_.insert(stretch);
    stretch = upper;
  }
  if (last < stretch->address + stretch->bytes) {
    free_.insert(chain_.split(stretch, last - first));
  }
  budget_.give(last - first);
  stretch->state = StretchState::kUnmapped;
  if (stretch->after != nullptr && stretch->after->is(StretchState::kUnmapped)) {
    unmapped_.erase(stretch->after);
    chain_.join_with_after(stretch);
  }
  if (Stretch* const before = stretch->before;
      before != nullptr && before->is(StretchState::kUnmapped)) {
    unmapped_.erase(before);
    chain_.join_with_after(before);
    stretch = before;
  }
  unmapped_.insert(stretch);
}

}  // namespace tenure
