#include "core/observe/sites.hpp"

#include <algorithm>

namespace tenure {

namespace {

std::uint64_t hash_of(Allocated what, std::span<const std::uintptr_t> frames) {
  constexpr std::uint64_t kMixer = 0x9E3779B97F4A7C15u;
  std::uint64_t hash = (std::uint64_t{what.what} << 1 | (what.is_payload ? 1u : 0u)) * kMixer;
  for (const std::uintptr_t frame : frames) {
    hash = (hash ^ frame) * kMixer;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

void MinuteRate::add(std::uint64_t now_ns, double count) {
  const std::uint64_t step = now_ns / kStepNs;
  for (std::uint64_t k = 0; newest_ < step && k < kSteps; ++k) {
    newest_ = std::max(newest_ + 1, step - std::min(step, kSteps - 1));
    counts_[newest_ % kSteps] = 0;
  }
  newest_ = std::max(newest_, step);
  counts_[newest_ % kSteps] += count;
}

double MinuteRate::per_second(std::uint64_t now_ns, std::uint64_t since_ns) const {
  const std::uint64_t step = now_ns / kStepNs;
  double sum = 0;
  for (std::uint64_t k = 0; k < kSteps && k <= newest_; ++k) {
    sum += newest_ - k + kSteps > step ? counts_[(newest_ - k) % kSteps] : 0;
  }
  const std::uint64_t first_ns = step < kSteps - 1 ? 0 : (step - (kSteps - 1)) * kStepNs;
  const std::uint64_t covered_ns = now_ns - std::min(now_ns, std::max(first_ns, since_ns));
  constexpr double kNsPerSecond = 1e9;
  return covered_ns == 0 ? 0 : sum / static_cast<double>(covered_ns) * kNsPerSecond;
}

std::uint32_t SiteTable::find_or_add(Allocated what, std::span<const std::uintptr_t> frames) {
  const std::uint64_t hash = hash_of(what, frames);
  const auto [first, last] = numbers_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    const Site& site = sites_[at->second];
    if (site.what == what && std::ranges::equal(site.frames, frames)) {
      return at->second;
    }
  }
  if (sites_.size() == kMostSites) {
    return kMostSites - 1;
  }
  const auto number = static_cast<std::uint32_t>(sites_.size());
  Site& site = sites_.emplace_back();
  if (sites_.size() < kMostSites) {  // the last is anyone's
    site.what = what;
    site.frames.assign(frames.begin(), frames.end());
    numbers_.emplace(hash, number);
  }
  return number;
}

void SiteTable::clear() {
  sites_.clear();
  numbers_.clear();
}

}  // namespace tenure
