// The presets by workload: what each sets, and how several combine.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// What a preset asks for; 0, or no limit, where it leaves a field alone.
struct Workload {
  std::uint32_t young_gen_size_mb = 0;  // the largest of those combined
  std::uint32_t old_gen_size_mb = 0;    // likewise
  std::uint32_t large_object_threshold_kb =
      std::numeric_limits<std::uint32_t>::max();                       // the smallest
  double max_pause_time_ms = std::numeric_limits<double>::infinity();  // the smallest
};

/// errors   kBadArgument: a name is not known; names those that are
[[nodiscard]] Result<Workload> combine_workloads(std::span<const std::string_view> names);

/// Sets what the workload asks for.
///
/// returns  the fields that changed
std::vector<ConfigurationChange> apply_workload(const Workload& workload,
                                                GcConfiguration& configuration);

}  // namespace tenure
