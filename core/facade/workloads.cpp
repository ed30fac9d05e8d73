#include "core/facade/workloads.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace tenure {

namespace {

struct Preset {
  std::string_view name;
  Workload workload;
};

const std::array<Preset, 3>& presets() {
  static const std::array<Preset, 3> table{{
      // Arrays of temporaries: a nursery that they die in, and no copying of large ones.
      {"scientific_computing",
       {.young_gen_size_mb = 64, .large_object_threshold_kb = 16, .max_pause_time_ms = 5.0}},
      // Steps of many small handles: a whole step's garbage dies in the nursery.
      {"machine_learning", {.young_gen_size_mb = 128, .old_gen_size_mb = 512}},
      {"real_time", {.max_pause_time_ms = 2.0}},
  }};
  return table;
}

std::string known_names() {
  std::string names;
  for (const Preset& preset : presets()) {
    names += (names.empty() ? "" : ", ") + std::string(preset.name);
  }
  return names;
}

template <class T>
void change(std::vector<ConfigurationChange>& changes, std::string_view field, T& value, T wanted) {
  if (value != wanted) {
    changes.push_back({std::string(field), std::to_string(value), std::to_string(wanted)});
    value = wanted;
  }
}

}  // namespace

Result<Workload> combine_workloads(std::span<const std::string_view> names) {
  Workload sum;
  for (const std::string_view name : names) {
    const auto* const found =
        std::find_if(presets().begin(), presets().end(),
                     [name](const Preset& preset) { return preset.name == name; });
    if (found == presets().end()) {
      return Error{ErrorCode::kBadArgument, "no workload is called \"" + std::string(name) +
                                                "\"; known are " + known_names()};
    }
    const Workload& part = found->workload;
    sum.young_gen_size_mb = std::max(sum.young_gen_size_mb, part.young_gen_size_mb);
    sum.old_gen_size_mb = std::max(sum.old_gen_size_mb, part.old_gen_size_mb);
    sum.large_object_threshold_kb =
        std::min(sum.large_object_threshold_kb, part.large_object_threshold_kb);
    sum.max_pause_time_ms = std::min(sum.max_pause_time_ms, part.max_pause_time_ms);
  }
  return sum;
}

std::vector<ConfigurationChange> apply_workload(const Workload& workload,
                                                GcConfiguration& configuration) {
  std::vector<ConfigurationChange> changes;
  if (workload.young_gen_size_mb != 0) {
    change(changes, "young_gen_size_mb", configuration.young_gen_size_mb,
           workload.young_gen_size_mb);
  }
  if (workload.old_gen_size_mb != 0) {
    change(changes, "old_gen_size_mb", configuration.old_gen_size_mb, workload.old_gen_size_mb);
  }
  if (workload.large_object_threshold_kb != std::numeric_limits<std::uint32_t>::max()) {
    change(changes, "large_object_threshold_kb", configuration.large_object_threshold_kb,
           workload.large_object_threshold_kb);
  }
  if (std::isfinite(workload.max_pause_time_ms)) {
    change(changes, "max_pause_time_ms", configuration.max_pause_time_ms,
           workload.max_pause_time_ms);
  }
  return changes;
}

}  // namespace tenure
