#include "core/tune/patterns.hpp"

#include <algorithm>
#include <array>

namespace tenure {

namespace {

constexpr std::uint64_t kEnoughSamples = 16;
constexpr double kEnoughAccesses = 64;

// Source: the promise to users; each stands at its hint in optimizer.hpp.
constexpr double kMuch = 0.7;
constexpr double kFewSteps = 0.3;
constexpr double kShortLivedPart = 0.1;
constexpr double kLongLivedPart = 0.8;
constexpr double kStreamed = 0.2;
constexpr double kLargeBytes = 65'536;
constexpr double kFrequent = 1'000;  // a second
constexpr double kStreaming = 500;   // a second
constexpr double kInBatches = 100;   // a second

AccessPattern access_pattern(const AccessFigures& of) {
  if (of.accesses < kEnoughAccesses) {
    return AccessPattern::kUnknown;
  }
  if (of.sequential() > kMuch) {
    return AccessPattern::kSequential;
  }
  return of.sequential() < kFewSteps ? AccessPattern::kRandom : AccessPattern::kClustered;
}

}  // namespace

std::string_view to_string(OptimizationHint hint) {
  constexpr std::array<std::string_view, kOptimizationHints> kWords{
      "sequential_access", "random_access", "temporal_locality", "spatial_locality",
      "short_lived",       "long_lived",    "large_allocations", "frequent_allocations",
      "batch_processing",  "streaming_data"};
  return kWords.at(static_cast<std::size_t>(hint));
}

std::string_view to_string(AccessPattern pattern) {
  constexpr std::array<std::string_view, 4> kWords{"unknown", "sequential", "random", "clustered"};
  return kWords.at(static_cast<std::size_t>(pattern));
}

bool works_in_batches(const BatchLog& marked, const std::vector<AllocationBurst>& bursts) {
  constexpr std::uint64_t kEnoughBatches = 8;
  constexpr double kEven = 0.3;
  if (marked.count() >= kEnoughBatches && marked.unevenness() <= kEven) {
    return true;
  }
  constexpr std::size_t kEnoughBursts = 4;
  if (bursts.size() < kEnoughBursts) {
    return false;
  }
  const std::uint64_t apart = bursts[1].second - bursts[0].second;
  for (std::size_t k = 1; k + 1 < bursts.size(); ++k) {
    const std::uint64_t next = bursts[k + 1].second - bursts[k].second;
    if (next + 1 < apart || next > apart + 1) {  // a burst may begin late in its second
      return false;
    }
  }
  return true;
}

AllocationPattern describe_pattern(const TypeFigures& of, bool in_batches) {
  AllocationPattern pattern;
  pattern.type = of.type;
  pattern.samples = of.samples;
  pattern.allocation_rate = of.per_second;
  if (of.allocations > 0) {
    pattern.average_size = of.bytes / of.allocations;
    pattern.survival_rate = std::clamp(of.live_allocations / of.allocations, 0.0, 1.0);
  }
  pattern.access_pattern = access_pattern(of.accesses);
  pattern.accesses = static_cast<std::uint64_t>(of.accesses.accesses);
  pattern.sequential_steps = of.accesses.sequential();
  pattern.temporal_clustering = of.accesses.temporal();
  pattern.spatial_clustering = of.accesses.spatial();
  pattern.written = of.accesses.written();

  using enum OptimizationHint;
  const auto hint = [&](OptimizationHint which, bool is_so) {
    if (is_so) {
      pattern.optimization_hints.push_back(which);
    }
  };
  const bool uses_known = pattern.access_pattern != AccessPattern::kUnknown;
  hint(kSequentialAccess, pattern.access_pattern == AccessPattern::kSequential);
  hint(kRandomAccess, pattern.access_pattern == AccessPattern::kRandom);
  hint(kTemporalLocality, uses_known && pattern.temporal_clustering > kMuch);
  hint(kSpatialLocality, uses_known && pattern.spatial_clustering > kMuch);
  if (of.samples < kEnoughSamples) {
    return pattern;
  }
  hint(kShortLived, pattern.survival_rate < kShortLivedPart);
  hint(kLongLived, pattern.survival_rate > kLongLivedPart);
  hint(kLargeAllocations, pattern.average_size > kLargeBytes);
  hint(kFrequentAllocations, pattern.allocation_rate > kFrequent);
  hint(kBatchProcessing, in_batches && pattern.allocation_rate > kInBatches);
  hint(kStreamingData, pattern.allocation_rate > kStreaming && pattern.survival_rate < kStreamed);
  return pattern;
}

}  // namespace tenure
