#include "host/interval_set.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/check.hpp"

namespace tenure {

IntervalSet::Map::const_iterator IntervalSet::behind(std::uint64_t place) const {
  auto next = stretches_.upper_bound(place);
  if (next != stretches_.begin() && std::prev(next)->second > place) {
    --next;
  }
  return next;
}

void IntervalSet::add(std::uint64_t first, std::uint64_t end) {
  check(first < end && covered(first, end) == 0, "what is added is new to the set");
  total_ += end - first;
  auto next = stretches_.lower_bound(first);
  if (next != stretches_.end() && next->first == end) {
    end = next->second;
    next = stretches_.erase(next);
  }
  if (next != stretches_.begin() && std::prev(next)->second == first) {
    std::prev(next)->second = end;
    return;
  }
  stretches_.emplace_hint(next, first, end);
}

std::uint64_t IntervalSet::erase(std::uint64_t first, std::uint64_t end) {
  std::uint64_t erased = 0;
  for (auto next = behind(first); next != stretches_.end() && next->first < end;) {
    const auto [old_first, old_end] = *next;
    next = stretches_.erase(next);
    erased += std::min(end, old_end) - std::max(first, old_first);
    if (old_first < first) {
      stretches_.emplace_hint(next, old_first, first);
    }
    if (old_end > end) {
      next = stretches_.emplace_hint(next, end, old_end);
    }
  }
  total_ -= erased;
  return erased;
}

std::uint64_t IntervalSet::covered(std::uint64_t first, std::uint64_t end) const {
  std::uint64_t length = 0;
  for (auto next = behind(first); next != stretches_.end() && next->first < end; ++next) {
    length += std::min(end, next->second) - std::max(first, next->first);
  }
  return length;
}

}  // namespace tenure
