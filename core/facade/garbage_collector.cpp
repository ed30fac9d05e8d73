#include "tenure/facade/garbage_collector.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/facade/object_maker.hpp"
#include "core/facade/workloads.hpp"
#include "tenure/facade/counted_roots.hpp"
#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

constexpr double kNanosecondsPerMillisecond = 1e6;
constexpr double kMicrosecondsPerMillisecond = 1e3;
constexpr std::uint64_t kLeastPauseUs = 10;  // a target below it is aimed at as this, and missed

double milliseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / kNanosecondsPerMillisecond;
}

Error closed() { return {ErrorCode::kClosed, "the collector was shut down"}; }

Error bad(std::string message) { return Error{ErrorCode::kBadConfig, std::move(message)}; }

Mode mode_of(GcMode mode) {
  switch (mode) {
    case GcMode::kManual:
      return Mode::kManual;
    case GcMode::kAutomatic:
      return Mode::kAutomatic;
    case GcMode::kIncremental:
      return Mode::kIncremental;
    case GcMode::kConcurrent:
      return Mode::kConcurrent;
    case GcMode::kAdaptive:
      return Mode::kAdaptive;
  }
  return Mode::kAutomatic;
}

Result<Config> config_of(const GcConfiguration& from) {
  if (!(from.max_pause_time_ms > 0.0)) {
    return bad("max_pause_time_ms is " + std::to_string(from.max_pause_time_ms) +
               "; it takes more than 0");
  }
  Config config;
  config.mode = mode_of(from.mode);
  config.max_pause_us = std::max<std::uint64_t>(
      kLeastPauseUs,
      static_cast<std::uint64_t>(from.max_pause_time_ms * kMicrosecondsPerMillisecond));
  config.generations = from.num_generations;
  config.collection_ratio = from.collection_ratio;
  config.nursery = from.young_gen_size_mb * 1_MiB;
  config.old_start = from.old_gen_size_mb * 1_MiB;
  config.large_object = from.large_object_threshold_kb * 1_KiB;
  config.compaction = from.enable_compaction;
  config.compact_at = from.compaction_threshold;
  config.verify = from.debug_mode;
  config.device = from.device;
  config.seed = from.seed;
  config.sample_interval = Bytes{from.sample_interval_bytes};
  config.profile_stacks = from.track_allocation_sites;
  if (from.profiling_level != ProfilingLevel::kNone && !from.enable_profiling) {
    return bad("profiling_level is " + std::string(to_string(from.profiling_level)) +
               ", and enable_profiling is off");
  }
  if (from.enable_profiling) {
    config.profile = std::max(from.profiling_level, ProfilingLevel::kBasic);
  }
  if (from.heap_limit_mb != 0) {
    config.heap_limit = from.heap_limit_mb * 1_MiB;
  }
  if (from.payload_budget_mb != 0) {
    config.payload_budget = from.payload_budget_mb * 1_MiB;
  }
  if (Result<void> sound = check_config(config); !sound) {
    return sound.failure();
  }
  return config;
}

}  // namespace

std::string_view to_string(GcMode mode) {
  switch (mode) {
    case GcMode::kManual:
      return "manual";
    case GcMode::kAutomatic:
      return "automatic";
    case GcMode::kIncremental:
      return "incremental";
    case GcMode::kConcurrent:
      return "concurrent";
    case GcMode::kAdaptive:
      return "adaptive";
  }
  return "unknown";
}

struct GarbageCollector::State {
  State(const GcConfiguration& of, Runtime opened)
      : configuration(of),
        runtime(std::move(opened)),
        mutator(std::make_unique<SharedMutator>(runtime)) {
    SharedMutator::Use use(*mutator);
    roots = std::make_unique<CountedRoots>(use.mutator());
  }

  GcConfiguration configuration;
  Runtime runtime;
  std::unique_ptr<SharedMutator> mutator;  // null once shut down
  std::unique_ptr<CountedRoots> roots;     // likewise; used with the mutator
};

Result<GarbageCollector> GarbageCollector::open(const GcConfiguration& configuration) {
  const Result<Config> config = config_of(configuration);
  if (!config) {
    return config.failure();
  }
  Result<Runtime> runtime = Runtime::open(*config);
  if (!runtime) {
    return runtime.failure();
  }
  const bool looks_by_itself = configuration.optimize_allocation_patterns &&
                               configuration.mode == GcMode::kAdaptive &&
                               configuration.num_generations > 1;
  if (looks_by_itself) {
    if (Result<void> on = set_auto_optimize(*runtime, true); !on) {
      return on.failure();
    }
  }
  return GarbageCollector(std::make_unique<State>(configuration, std::move(*runtime)));
}

GarbageCollector::GarbageCollector(std::unique_ptr<State> state) : state_(std::move(state)) {}
GarbageCollector::GarbageCollector(GarbageCollector&&) noexcept = default;
GarbageCollector& GarbageCollector::operator=(GarbageCollector&&) noexcept = default;
GarbageCollector::~GarbageCollector() = default;

Result<Handle<GcObject>> GarbageCollector::allocate(ObjectType type, std::uint64_t size) {
  if (state_->mutator == nullptr) {
    return Error{ErrorCode::kClosed, "an object was asked of a collector that was shut down"};
  }
  SharedMutator::Use use(*state_->mutator);
  return GcObjectMaker::make(use.mutator(), type, size,
                             state_->configuration.large_object_threshold_kb * 1_KiB);
}

Result<CollectionReport> GarbageCollector::collect(std::uint32_t generation) {
  return state_->runtime.collect_up_to(generation);
}

Result<CollectionReport> GarbageCollector::force_full_collection() {
  return state_->runtime.collect(Collect::kFull);
}

Result<void> GarbageCollector::add_root(const Handle<GcObject>& object) {
  if (state_->mutator == nullptr) {
    return closed();
  }
  if (!object) {
    return Error{ErrorCode::kBadArgument, "a null handle was to become a root"};
  }
  SharedMutator::Use use(*state_->mutator);
  try {
    state_->roots->add(use.mutator(), object.index());
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
  return {};
}

Result<void> GarbageCollector::remove_root(const Handle<GcObject>& object) {
  if (state_->mutator == nullptr) {
    return closed();
  }
  SharedMutator::Use use(*state_->mutator);
  if (!object || !state_->roots->remove(use.mutator(), object.index())) {
    return Error{ErrorCode::kBadArgument,
                 "an object that is no root, or a null handle, was to be one no more"};
  }
  return {};
}

Result<RootCallbackId> GarbageCollector::add_root_callback(RootCallback callback) {
  if (state_->mutator == nullptr) {
    return closed();
  }
  return state_->runtime.add_root_callback(std::move(callback));
}

bool GarbageCollector::remove_root_callback(RootCallbackId id) {
  return state_->mutator != nullptr && state_->runtime.remove_root_callback(id);
}

Result<PressureCallbackId> GarbageCollector::on_pressure(PressureCallback callback) {
  if (state_->mutator == nullptr) {
    return closed();
  }
  return state_->runtime.on_pressure(std::move(callback));
}

bool GarbageCollector::remove_pressure_callback(PressureCallbackId id) {
  return state_->mutator != nullptr && state_->runtime.remove_pressure_callback(id);
}

Pressure GarbageCollector::pressure() const {
  return state_->mutator == nullptr ? Pressure{} : state_->runtime.pressure();
}

Result<std::vector<ConfigurationChange>> GarbageCollector::optimize_for_workload(
    std::initializer_list<std::string_view> names) {
  return optimize_for_workload(std::span(names.begin(), names.size()));
}

Result<std::vector<ConfigurationChange>> GarbageCollector::optimize_for_workload(
    std::span<const std::string_view> names) {
  Result<Workload> workload = combine_workloads(names);
  if (!workload) {
    return workload.failure();
  }
  GcConfiguration changed = state_->configuration;
  std::vector<ConfigurationChange> changes = apply_workload(*workload, changed);
  Result<void> applied = state_->runtime.resize_nursery(changed.young_gen_size_mb * 1_MiB);
  if (!applied) {
    return applied.failure();
  }
  state_->configuration = changed;
  return changes;
}

GcStats GarbageCollector::get_statistics() const {
  const Statistics from = state_->runtime.statistics();
  const std::uint32_t generations = state_->configuration.num_generations;
  GcStats stats;
  stats.total_collections = from.collections;
  stats.total_pause_time_ms = milliseconds(from.pauses.total_ns());
  stats.max_pause_time_ms = milliseconds(from.pauses.max_ns());
  stats.average_pause_time_ms =
      from.pauses.count() == 0
          ? 0.0
          : stats.total_pause_time_ms / static_cast<double>(from.pauses.count());
  stats.pause_target_misses = from.pauses.count_above(static_cast<std::uint64_t>(
      state_->configuration.max_pause_time_ms * kNanosecondsPerMillisecond));
  stats.collections_by_generation.assign(from.collections_by_generation.begin(),
                                         from.collections_by_generation.begin() + generations);
  stats.heap_size_bytes = from.heap_committed.count();
  stats.used_bytes = from.heap_used.count();
  for (const PoolStatistics& pool : from.pools) {
    stats.heap_size_bytes += pool.reserved.count();
    stats.used_bytes += pool.live.count();
  }
  stats.free_bytes = stats.heap_size_bytes - stats.used_bytes;
  stats.fragmentation_ratio = from.fragmentation;
  stats.memory_pressure = pressure().share;
  const Census census = state_->runtime.is_open() ? take_census(state_->runtime) : Census{};
  for (std::size_t k = 0; k < kObjectTypes; ++k) {
    const std::string name(to_string(static_cast<ObjectType>(k)));
    if (const auto row = census.by_type.find(name); row != census.by_type.end()) {
      stats.objects_by_type[name] = row->second.objects;
      stats.total_objects += row->second.objects;
    }
  }
  for (std::uint32_t generation = 0; generation < generations; ++generation) {
    stats.objects_by_generation.push_back(census.by_generation[generation].objects);
  }
  return stats;
}

const GcConfiguration& GarbageCollector::configuration() const { return state_->configuration; }

MemoryProfiler GarbageCollector::memory_profiler() { return MemoryProfiler(state_->runtime); }

MemoryOptimizer GarbageCollector::memory_optimizer() {
  return {state_->runtime, state_->mutator.get(),
          state_->configuration.optimize_allocation_patterns};
}

Runtime& GarbageCollector::runtime() { return state_->runtime; }
SharedMutator& GarbageCollector::mutator() { return *state_->mutator; }

ShutdownReport GarbageCollector::shutdown() {
  ShutdownReport report;
  if (state_->mutator == nullptr) {
    return report;
  }
  report.objects_released = get_statistics().total_objects;
  state_->roots.reset();
  state_->mutator.reset();
  report.handles_outstanding = state_->runtime.close().handles_outstanding;
  return report;
}

}  // namespace tenure
