// Collections as the dynamic door tells them: one row for each generation that a collection took.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tenure/statistics.hpp"

namespace tenure {

/// One generation's part in one collection. Times are the platform's clock, in milliseconds.
struct GcMetrics {
  std::uint32_t generation = 0;
  CollectionTrigger trigger_reason = CollectionTrigger::kExplicitRequest;
  double start_time = 0;  // of the stop, or of the marking that it ended
  double end_time = 0;
  Bytes bytes_before{};  // in use
  Bytes bytes_collected{};
  Bytes bytes_survived{};              // in place, copied or promoted
  std::uint64_t objects_promoted = 0;  // out of it
  Bytes bytes_promoted{};
  std::uint64_t objects_scanned = 0;  // by the collection, in all of its generations
  double pause_time_ms = 0;           // of the collection
  double duration_ms = 0;  // longer than the pause where it was marked in slices or beside
};

/// [generations collected] The youngest first.
[[nodiscard]] std::vector<GcMetrics> metrics_of(const CollectionReport& report);
/// The same of several, one after the other.
[[nodiscard]] std::vector<GcMetrics> metrics_of(std::span<const CollectionReport> reports);

}  // namespace tenure
