// The dynamic door: objects by kind and size, for programs that know their types only as they run.
// It is a view of the runtime that the typed door opens; nothing is built twice.
//
//   GarbageCollector gc = value_or_throw(GarbageCollector::open({.young_gen_size_mb = 64}));
//   Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1024 * 1024));
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/allocation_strategy.hpp"
#include "tenure/facade/allocation.hpp"
#include "tenure/facade/generational_gc.hpp"
#include "tenure/facade/header.hpp"
#include "tenure/facade/heap_manager.hpp"
#include "tenure/facade/object_relocator.hpp"
#include "tenure/facade/objects.hpp"
#include "tenure/facade/optimizer.hpp"
#include "tenure/facade/profiler.hpp"
#include "tenure/facade/reference_tracer.hpp"
#include "tenure/facade/reference_tracker.hpp"
#include "tenure/facade/remembered_set.hpp"
#include "tenure/facade/struct_layout.hpp"
#include "tenure/facade/values.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/pressure.hpp"
#include "tenure/result.hpp"
#include "tenure/root_callback.hpp"
#include "tenure/roots.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class FacadeState;  // core/facade
class Runtime;
class SharedMutator;

/// Who starts collections, and how they are spread over time.
enum class GcMode : std::uint8_t {
  kManual,       // the caller alone
  kAutomatic,    // the triggers; one stop each, unless that would pass the pause target
  kIncremental,  // the triggers; the oldest generation is marked in slices, paid by allocation
  kConcurrent,   // the triggers; a background thread marks it while mutators run
  kAdaptive,     // the triggers; whichever of these the measured rates favour
};
[[nodiscard]] std::string_view to_string(GcMode mode);

/// How a collector behaves. Sizes are in units of 2^20 and 2^10 bytes.
struct GcConfiguration {
  std::uint32_t num_generations = 3;             // 1 to 8
  std::uint32_t young_gen_size_mb = 32;          // what generation 0 takes before it is collected
  std::uint32_t old_gen_size_mb = 128;           // the oldest generation's first limit
  std::uint32_t large_object_threshold_kb = 32;  // elements from here on lie in a payload
  GcMode mode = GcMode::kAutomatic;
  double max_pause_time_ms = 10.0;  // stops beyond it are counted as misses
  /// Generation k is collected with every n-th young collection; 0: not by turn. One for each
  /// generation, the first of them 1. By default {1, 10, 50} for three, and on times 5.
  PerGeneration collection_ratio{};
  bool enable_incremental = true;  // a marking that would pass the target may be sliced
  /// Stores note where old objects name younger ones. Off: young collections look at all that is older,
  /// and modes that mark beside mutators are refused. `WriteBarrier` turns it while the collector runs.
  bool enable_write_barriers = true;
  bool enable_compaction = true;      // objects of the oldest generation may move
  double compaction_threshold = 0.3;  // fragmentation_ratio above which they do; 0 to 1
  /// The optimizer may look for changes by itself: in adaptive mode it does, in others once
  /// `MemoryOptimizer::set_auto_optimize` says so. Off: it acts where it is called.
  bool optimize_allocation_patterns = true;
  /// Which free hole of a pool data of `large_object_threshold_kb` and more get.
  AllocationStrategy allocation_strategy = AllocationStrategy::kBestFit;
  bool enable_profiling = false;        // the profiler watches, at kBasic or `profiling_level`
  bool track_allocation_sites = false;  // the stack of each sample is noted, from kDetailed on
  /// The heap is verified after each collection, and payloads are watched: as `Config::verify` and
  /// `Config::check`, which say what stops the program.
  bool debug_mode = false;
  /// kNone: kBasic with `enable_profiling`, which the others need.
  ProfilingLevel profiling_level = ProfilingLevel::kNone;
  std::uint32_t heap_limit_mb = 0;       // 0: the cage
  std::uint64_t payload_budget_mb = 0;   // 0: by the machine
  std::uint32_t permanent_size_mb = 16;  // what permanent objects may have, without payloads
  std::string device = "auto";           // "auto", "host", "sim:80GiB"
  std::uint64_t sample_interval_bytes =
      524'288;  // for which one allocation is followed; see Config
  std::uint64_t seed = 1;
};

/// A collector at one moment. A copy, that never changes.
struct GcStats {
  std::uint64_t total_collections = 0;
  std::vector<std::uint64_t> collections_by_generation;  // [num_generations]
  double total_pause_time_ms = 0;
  double average_pause_time_ms = 0;
  double max_pause_time_ms = 0;
  double p50_pause_time_ms = 0;  // that half of all do not pass, to 6 per cent
  double p99_pause_time_ms = 0;
  std::uint64_t pause_target_misses = 0;
  std::uint64_t heap_size_bytes = 0;  // committed: used and free together
  std::uint64_t used_bytes = 0;       // of data, payloads included: live, or not yet found dead
  std::uint64_t free_bytes = 0;
  double fragmentation_ratio = 0;  // free in partly filled old blocks / bytes of those blocks
  std::uint64_t total_objects = 0;
  std::uint64_t permanent_objects = 0;
  std::map<std::string, std::uint64_t> objects_by_type;
  std::vector<std::uint64_t> objects_by_generation;  // [num_generations]
  /// Of objects and payloads over the last 5 s, in 2^20 bytes; as `Statistics::allocation_rate`.
  double allocation_rate_mb_per_sec = 0;
  double collection_efficiency = 0;  // bytes found dead for a millisecond of pause, smoothed
  double memory_pressure = 0;        // the largest share in use: of the heap, a pool, the machine
};

/// One field that a preset changed.
struct ConfigurationChange {
  std::string field;
  std::string before;
  std::string after;
};

/// What was left when a collector was shut down.
struct ShutdownReport {
  std::uint64_t objects_released = 0;
  std::uint64_t handles_outstanding = 0;  // inert from now on
};

/// One heap and its pools.
///
/// threads  anyone; calls from several threads take turns
class GarbageCollector {
 public:
  /// errors   kBadConfig: a field is out of range, contradicts another, or asks for a mode that
  ///          this version has not; and those of Runtime::open
  [[nodiscard]] static Result<GarbageCollector> open(const GcConfiguration& configuration = {});
  GarbageCollector(GarbageCollector&&) noexcept;
  GarbageCollector& operator=(GarbageCollector&&) noexcept;
  ~GarbageCollector();

  /// A zeroed object of `size` bytes of data, and a root for it. Data below the threshold lie in
  /// the object, 8-aligned; others in a payload, 512-aligned, that never moves.
  ///
  /// errors   kBadArgument: a size that the kind cannot have; kOutOfMemory: what is held, and by
  ///          whom; kClosed
  [[nodiscard]] Result<Handle<GcObject>> allocate(ObjectType type, std::uint64_t size,
                                                  const AllocateOptions& options = {});

  /// A structure of a declared layout, its data zero.
  ///
  /// errors   kOutOfMemory; kClosed
  [[nodiscard]] Result<Handle<GcObject>> allocate_struct(const StructLayout& layout);
  /// A string of this text, which nobody can change.
  ///
  /// errors   kBadArgument: the bytes are no UTF-8; kOutOfMemory; kClosed
  [[nodiscard]] Result<Handle<GcObject>> allocate_string(std::string_view text);
  /// Code with a name; and with what it captured, which lives as long as the closure does.
  ///
  /// code       native; only kept
  /// errors     kBadArgument: no code, or a capture is null; kOutOfMemory; kClosed
  [[nodiscard]] Result<Handle<GcObject>> allocate_function(std::string_view name, const void* code);
  [[nodiscard]] Result<Handle<GcObject>> allocate_closure(
      std::string_view name, const void* code, std::span<const Handle<GcObject>> captures);

  /// What the object refers to, in slot order, without the empty slots and its payload.
  ///
  /// errors   kBadArgument: the handle is null; kClosed; so of the calls below
  [[nodiscard]] Result<std::vector<Handle<GcObject>>> references(
      const Handle<GcObject>& object) const;
  /// The object's header, read: a copy.
  [[nodiscard]] Result<GcHeader> header(const Handle<GcObject>& object) const;
  /// Refuses stores in the object from now on; what it refers to may change.
  Result<void> seal(const Handle<GcObject>& object);
  /// Has the object's finalizer run now. It gets the mutator that all calls share, and must not call the
  /// collector. False where there is none, or it ran.
  Result<bool> finalize(const Handle<GcObject>& object);
  /// Clears all weak references to the object, and tells nobody.
  ///
  /// returns  how many there were
  Result<std::uint64_t> clear_weak_refs(const Handle<GcObject>& object);

  /// Collects generations 0 to `generation`.
  ///
  /// errors   kBadArgument: there is no such generation; kClosed
  Result<CollectionReport> collect(std::uint32_t generation);
  /// Collects as far as the heap is full: generation 0, up to 1 above 0.7, all above 0.9.
  Result<CollectionReport> collect();
  /// Collects everything.
  Result<CollectionReport> force_full_collection();

  /// A root that lasts until it was removed as often as it was added. A safepoint.
  ///
  /// errors   kBadArgument: the handle is null; kOutOfMemory; kClosed
  Result<void> add_root(const Handle<GcObject>& object);
  /// errors   kBadArgument: the handle is null, or the object is no such root; kClosed
  Result<void> remove_root(const Handle<GcObject>& object);

  /// Asks `callback` for roots in each collection, as `Runtime::add_root_callback`.
  ///
  /// errors   kClosed
  [[nodiscard]] Result<RootCallbackId> add_root_callback(RootCallback callback);
  /// returns  false where there is none
  bool remove_root_callback(RootCallbackId id);

  /// Calls `callback` when a level is passed and before a request is refused, as `Runtime::on_pressure`.
  /// It must not call the collector: the thread that asks is inside it.
  ///
  /// errors   kClosed
  [[nodiscard]] Result<PressureCallbackId> on_pressure(PressureCallback callback);
  /// Returns once no other thread runs it.
  ///
  /// returns  false where there is none
  bool remove_pressure_callback(PressureCallbackId id);
  /// How full everything is: heap, pools and machine.
  [[nodiscard]] Pressure pressure() const;

  /// Sets what suits the named loads; several combine. Known: "scientific_computing",
  /// "machine_learning", "real_time".
  ///
  /// returns  the fields that changed
  /// errors   kBadArgument: a name is not known; nothing was changed. kClosed
  Result<std::vector<ConfigurationChange>> optimize_for_workload(
      std::initializer_list<std::string_view> names);
  Result<std::vector<ConfigurationChange>> optimize_for_workload(
      std::span<const std::string_view> names);

  /// A copy of all figures. Stops the world for a walk over the heap.
  [[nodiscard]] GcStats get_statistics() const;
  /// Counts collections, pauses, allocations and bytes from 0 again; what is there now stays as it is.
  ///
  /// errors   kClosed
  Result<void> reset_statistics();
  [[nodiscard]] const GcConfiguration& configuration() const;

  /// What the program allocates, where, and how long it lives. Good while the collector is open.
  [[nodiscard]] MemoryProfiler memory_profiler();
  /// What could be changed for it, and what was. Likewise.
  [[nodiscard]] MemoryOptimizer memory_optimizer();

  /// Views of the collector's parts. Good while the collector lives.
  [[nodiscard]] HeapManager heap_manager() const { return HeapManager(*state_); }
  [[nodiscard]] GenerationalGc generational_gc() const { return GenerationalGc(*state_); }
  [[nodiscard]] ReferenceTracker reference_tracker() const { return ReferenceTracker(*state_); }
  [[nodiscard]] AgeTracker age_tracker() const { return AgeTracker(*state_); }
  [[nodiscard]] RememberedSet remembered_set() const { return RememberedSet(*state_); }
  [[nodiscard]] WriteBarrier write_barrier() const { return WriteBarrier(*state_); }

  /// A walk over what objects lead to, in pieces; and places of objects that move, by where they were.
  /// Each ends before the collector is shut down.
  ///
  /// errors   kClosed
  [[nodiscard]] Result<ReferenceTracer> open_tracer() const;
  [[nodiscard]] Result<ObjectRelocator> open_relocator() const;

  /// What was allocated at the dynamic door since the collector was opened, or its statistics reset.
  ///
  /// errors   kClosed
  [[nodiscard]] Result<AllocationTracker> get_allocation_tracker() const;

  /// Counts an object that a door in another language made by the mutator, which is in use.
  void note_allocation(ObjectType type, std::uint64_t size);

  /// The runtime that this is a view of, and the mutator that its calls share. For other languages'
  /// doors. The mutator is there until the collector is shut down.
  [[nodiscard]] Runtime& runtime();
  [[nodiscard]] SharedMutator& mutator();

  /// Releases everything. Handles become inert. Twice is as good as once.
  ShutdownReport shutdown();

 private:
  explicit GarbageCollector(std::unique_ptr<FacadeState> state);
  std::unique_ptr<FacadeState> state_;
};

}  // namespace tenure
