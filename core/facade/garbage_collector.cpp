#include "tenure/facade/garbage_collector.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/facade/object_maker.hpp"
#include "core/facade/state.hpp"
#include "core/facade/workloads.hpp"
#include "tenure/object_facts.hpp"

namespace tenure {

namespace {

constexpr double kMicrosecondsPerMillisecond = 1e3;
constexpr std::uint64_t kLeastPauseUs = 10;  // a target below it is aimed at as this, and missed

Error closed() { return FacadeState::closed(); }

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
  config.incremental = from.enable_incremental;
  config.write_barriers = from.enable_write_barriers;
  config.payload_strategy = from.allocation_strategy;
  config.verify = from.debug_mode;
  config.check = from.debug_mode ? Check::kPayload : Check::kOff;
  config.device = from.device;
  config.seed = from.seed;
  config.sample_interval = Bytes{from.sample_interval_bytes};
  config.profile_stacks = from.track_allocation_sites;
  if (from.profiling_level != ProfilingLevel::kNone && !from.enable_profiling) {
    return bad("profiling_level is " + std::string(to_string(from.profiling_level)) +
               ", and enable_profiling is off");
  }
  if (!from.enable_incremental && from.mode == GcMode::kIncremental) {
    return bad("enable_incremental is off, and mode is incremental");
  }
  if (!from.enable_write_barriers &&
      (from.mode == GcMode::kIncremental || from.mode == GcMode::kConcurrent)) {
    return bad("enable_write_barriers is off, and mode is " + std::string(to_string(from.mode)));
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
  return GarbageCollector(std::make_unique<FacadeState>(configuration, std::move(*runtime)));
}

GarbageCollector::GarbageCollector(std::unique_ptr<FacadeState> state) : state_(std::move(state)) {}
GarbageCollector::GarbageCollector(GarbageCollector&&) noexcept = default;
GarbageCollector& GarbageCollector::operator=(GarbageCollector&&) noexcept = default;
GarbageCollector::~GarbageCollector() = default;

Result<Handle<GcObject>> GarbageCollector::allocate(ObjectType type, std::uint64_t size,
                                                    const AllocateOptions& options) {
  return state_->allocate(type, size, options);
}

Result<Handle<GcObject>> GarbageCollector::allocate_struct(const StructLayout& layout) {
  if (!state_->is_open()) {
    return closed();
  }
  SharedMutator::Use use(*state_->mutator);
  Result<Handle<GcObject>> made =
      GcObjectMaker::make_of(use.mutator(), layout.type(), ObjectType::kStruct, layout.size(),
                             {.references = layout.references()}, state_->threshold());
  state_->note(use.mutator(), made);
  return made;
}

Result<Handle<GcObject>> GarbageCollector::allocate_string(std::string_view text) {
  if (!state_->is_open()) {
    return closed();
  }
  SharedMutator::Use use(*state_->mutator);
  Result<Handle<GcObject>> made =
      GcObjectMaker::make_string(use.mutator(), text, state_->threshold());
  state_->note(use.mutator(), made);
  return made;
}

Result<Handle<GcObject>> GarbageCollector::allocate_function(std::string_view name,
                                                             const void* code) {
  if (!state_->is_open()) {
    return closed();
  }
  SharedMutator::Use use(*state_->mutator);
  Result<Handle<GcObject>> made =
      GcObjectMaker::make_function(use.mutator(), ObjectType::kFunction, code, name, {});
  state_->note(use.mutator(), made);
  return made;
}

Result<Handle<GcObject>> GarbageCollector::allocate_closure(
    std::string_view name, const void* code, std::span<const Handle<GcObject>> captures) {
  if (!state_->is_open()) {
    return closed();
  }
  SharedMutator::Use use(*state_->mutator);
  for (const Handle<GcObject>& capture : captures) {
    if (Result<void> is = state_->require(capture); !is) {
      return is.failure();
    }
  }
  Result<Handle<GcObject>> made =
      GcObjectMaker::make_function(use.mutator(), ObjectType::kClosure, code, name, captures);
  state_->note(use.mutator(), made);
  return made;
}

void GarbageCollector::note_allocation(ObjectType type, std::uint64_t size) {
  state_->counts.note(type, size, false);
}

Result<std::vector<Handle<GcObject>>> GarbageCollector::references(
    const Handle<GcObject>& object) const {
  using Found = std::vector<Handle<GcObject>>;
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<Found> {
    const auto& of = *reinterpret_cast<const GcObject*>(detail::data_of(index));
    Found found;
    for (std::uint32_t slot = 0; slot < of.reference_count(); ++slot) {
      if (const GcObject* const target = of.reference(slot)) {
        found.emplace_back(mutator.core(), target->index());
      }
    }
    return found;
  });
}

Result<GcHeader> GarbageCollector::header(const Handle<GcObject>& object) const {
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<GcHeader> {
    const auto& of = *reinterpret_cast<const GcObject*>(detail::data_of(index));
    const ObjectFacts facts = facts_of(mutator, index);
    const auto flag = [](bool is, GcFlags which) { return is ? which : GcFlags::kNone; };
    return GcHeader{.size = of.size(),
                    .type_id = facts.type,
                    .type = of.type(),
                    .references = of.reference_count(),
                    .generation = facts.generation,
                    .age = facts.age,
                    .flags = flag(facts.is_marked, GcFlags::kMarked) |
                             flag(facts.is_remembered, GcFlags::kRemembered) |
                             flag(facts.is_pinned, GcFlags::kPinned) |
                             flag(facts.has_finalizer, GcFlags::kFinalizer) |
                             flag(facts.is_weakly_held, GcFlags::kWeakRefs) |
                             flag(facts.is_sealed, GcFlags::kImmutable) |
                             flag(of.has_payload() || facts.is_alone, GcFlags::kLargeObject) |
                             GcFlags::kConcurrentSafe};
  });
}

Result<void> GarbageCollector::seal(const Handle<GcObject>& object) {
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<void> {
    tenure::seal(mutator, index);
    return {};
  });
}

Result<bool> GarbageCollector::finalize(const Handle<GcObject>& object) {
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<bool> {
    return detail::finalize(mutator, index);
  });
}

Result<std::uint64_t> GarbageCollector::clear_weak_refs(const Handle<GcObject>& object) {
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<std::uint64_t> {
    return clear_weak_references(mutator, index);
  });
}

Result<CollectionReport> GarbageCollector::collect(std::uint32_t generation) {
  return state_->runtime.collect_up_to(generation);
}

Result<CollectionReport> GarbageCollector::collect() {
  constexpr double kAll = 0.9;
  constexpr double kMiddle = 0.7;
  const double share = pressure().heap_share;
  const std::uint32_t oldest = state_->configuration.num_generations - 1;
  return collect(share > kAll ? oldest : share > kMiddle ? std::min(1u, oldest) : 0);
}

Result<CollectionReport> GarbageCollector::force_full_collection() {
  return state_->runtime.collect(Collect::kFull);
}

Result<void> GarbageCollector::add_root(const Handle<GcObject>& object) {
  return state_->add_root(object);
}
Result<void> GarbageCollector::remove_root(const Handle<GcObject>& object) {
  return state_->remove_root(object);
}
Result<RootCallbackId> GarbageCollector::add_root_callback(RootCallback callback) {
  return state_->add_root_callback(std::move(callback));
}
bool GarbageCollector::remove_root_callback(RootCallbackId id) {
  return state_->remove_root_callback(id);
}

Result<PressureCallbackId> GarbageCollector::on_pressure(PressureCallback callback) {
  if (!state_->is_open()) {
    return closed();
  }
  return state_->runtime.on_pressure(std::move(callback));
}

bool GarbageCollector::remove_pressure_callback(PressureCallbackId id) {
  return state_->is_open() && state_->runtime.remove_pressure_callback(id);
}

Pressure GarbageCollector::pressure() const {
  return !state_->is_open() ? Pressure{} : state_->runtime.pressure();
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
  if (!state_->is_open()) {
    return report;
  }
  report.objects_released = get_statistics().total_objects;
  state_->unit.reset();
  state_->permanent.clear();
  state_->permanent_count.store(0, std::memory_order_relaxed);
  state_->roots.reset();
  state_->mutator.reset();
  report.handles_outstanding = state_->runtime.close().handles_outstanding;
  return report;
}

Result<ReferenceTracer> GarbageCollector::open_tracer() const {
  if (!state_->is_open()) {
    return closed();
  }
  return ReferenceTracer(*state_);
}

Result<ObjectRelocator> GarbageCollector::open_relocator() const {
  if (!state_->is_open()) {
    return closed();
  }
  return ObjectRelocator(*state_);
}

}  // namespace tenure
