#include <algorithm>
#include <bit>
#include <cmath>

#include "tenure/statistics.hpp"

namespace tenure {

// Below 16 ns a bucket is one nanosecond; above, each doubling has 16 buckets of equal width.
std::size_t PauseHistogram::bucket_of(std::uint64_t nanoseconds) {
  if (nanoseconds < kSteps) {
    return nanoseconds;
  }
  const auto doubling = static_cast<std::size_t>(std::bit_width(nanoseconds)) - 5;
  const std::size_t step = (nanoseconds >> doubling) - kSteps;
  return std::min(kBuckets - 1, (doubling + 1) * kSteps + step);
}

std::uint64_t PauseHistogram::upper_end(std::size_t bucket) {
  if (bucket < kSteps) {
    return bucket;
  }
  const std::size_t doubling = bucket / kSteps - 1;
  const std::uint64_t first = (kSteps + bucket % kSteps) << doubling;
  return first + ((std::uint64_t{1} << doubling) - 1);
}

void PauseHistogram::add(std::uint64_t nanoseconds) {
  ++buckets_[bucket_of(nanoseconds)];
  ++count_;
  total_ns_ += nanoseconds;
  max_ns_ = std::max(max_ns_, nanoseconds);
}

void PauseHistogram::add_all(const PauseHistogram& other) {
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    buckets_[bucket] += other.buckets_[bucket];
  }
  count_ += other.count_;
  total_ns_ += other.total_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

PauseHistogram PauseHistogram::since(const PauseHistogram& earlier) const {
  PauseHistogram later;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    later.buckets_[bucket] = buckets_[bucket] - earlier.buckets_[bucket];
    if (later.buckets_[bucket] > 0) {
      later.max_ns_ = std::min(upper_end(bucket), max_ns_);
    }
  }
  later.count_ = count_ - earlier.count_;
  later.total_ns_ = total_ns_ - earlier.total_ns_;
  return later;
}

std::uint64_t PauseHistogram::percentile_ns(double percent) const {
  const double rank = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const auto wanted = static_cast<std::uint64_t>(std::max(rank, 1.0));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) {
      return std::min(upper_end(bucket), max_ns_);
    }
  }
  return max_ns_;
}

std::uint64_t PauseHistogram::count_above(std::uint64_t nanoseconds) const {
  std::uint64_t count = 0;
  for (std::size_t bucket = bucket_of(nanoseconds) + 1; bucket < kBuckets; ++bucket) {
    count += buckets_[bucket];
  }
  return count;
}

}  // namespace tenure
