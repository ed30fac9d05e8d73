#include "core/tune/access_log.hpp"

#include <algorithm>

namespace tenure {

namespace {

std::uintptr_t distance(std::uintptr_t a, std::uintptr_t b) { return a > b ? a - b : b - a; }

}  // namespace

void AccessLog::note(std::uint32_t type, std::uintptr_t address, bool is_write) {
  if (types_.size() == kMostTypes && !types_.contains(type)) {
    return;
  }
  Type& row = types_[type];
  AccessFigures& figures = row.figures;
  if (figures.accesses >= kHalved) {
    for (double* const count : {&figures.accesses, &figures.steps, &figures.near, &figures.reused,
                                &figures.beside, &figures.writes}) {
      *count /= 2;
    }
  }
  figures.accesses += 1;
  figures.writes += is_write ? 1 : 0;
  if (row.count > 0) {
    const auto end = row.last.begin() + static_cast<std::ptrdiff_t>(std::min(row.count, kKept));
    figures.steps += 1;
    figures.near += distance(address, row.previous) < kNearStep ? 1 : 0;
    if (std::find(row.last.begin(), end, address) != end) {
      figures.reused += 1;
      row.previous = address;
      return;
    }
    const bool is_beside = std::any_of(row.last.begin(), end, [address](std::uintptr_t other) {
      return distance(address, other) < kNearPlace;
    });
    figures.beside += is_beside ? 1 : 0;
  }
  row.last[row.count++ % kKept] = address;
  row.previous = address;
}

AccessFigures AccessLog::figures(std::uint32_t type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? AccessFigures{} : found->second.figures;
}

}  // namespace tenure
