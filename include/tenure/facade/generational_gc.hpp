// The dynamic door's view of generations: what each holds, when its turn comes, what collections of it
// did.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tenure/facade/allocation.hpp"
#include "tenure/facade/header.hpp"
#include "tenure/facade/metrics.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"
#include "tenure/root_callback.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// One generation at one moment.
struct GcGeneration {
  std::uint32_t number = 0;
  std::uint32_t promotion_threshold = 0;  // survivals before an object goes up; 0: it is the oldest
  Bytes size_limit{};                     // past which it is due
  std::uint64_t allocation_count = 0;     // objects that ever came: made at this door, or promoted
  std::uint64_t collection_count = 0;     // collections that took it and nothing older
  std::uint64_t object_count = 0;         // the dead that nobody found included
  Bytes total_size{};                     // likewise
  /// Objects by collections survived in it; empty for the oldest, which counts none.
  std::array<std::uint64_t, kAgeLimit + 1> age_distribution{};

  /// Eight tenths of the limit are in use.
  [[nodiscard]] bool should_collect() const;
};

/// Everything about collections at one moment.
struct GcCollectionStatistics {
  std::uint64_t total_collections = 0;
  double total_pause_time_ms = 0;
  bool collection_in_progress = false;  // a marking of the oldest generation is under way
  std::vector<GcGeneration> generations;
  std::vector<GcMetrics> recent_collections;  // of the last 64, a row for each generation taken
};

/// A view of a collector; good while that lives.
///
/// errors   of all calls: kClosed
/// threads  anyone
class GenerationalGc {
 public:
  explicit GenerationalGc(FacadeState& state) : state_(&state) {}

  /// Collects generations 0 to `generation`.
  ///
  /// errors   kBadArgument: there is no such generation
  Result<std::vector<GcMetrics>> collect_generation(std::uint32_t generation);
  Result<std::vector<GcMetrics>> collect_all_generations();

  /// The same, where none is under way that was asked for here; else waits for that one, and gives what
  /// it gave where that went as far. For callers on many threads that find the same reason at once.
  ///
  /// errors   kBadArgument: there is no such generation
  Result<std::vector<GcMetrics>> request_collection(std::uint32_t generation);

  /// [num_generations] Stops the world for a walk over the heap.
  [[nodiscard]] Result<std::vector<GcGeneration>> generations() const;
  [[nodiscard]] Result<GcCollectionStatistics> get_gc_statistics() const;

  /// As the collector's own.
  [[nodiscard]] Result<Handle<GcObject>> allocate_object(ObjectType type, std::uint64_t size,
                                                         const AllocateOptions& options = {});
  Result<void> add_root_object(const Handle<GcObject>& object);
  Result<void> remove_root_object(const Handle<GcObject>& object);
  [[nodiscard]] Result<RootCallbackId> add_root_callback(RootCallback callback);
  bool remove_root_callback(RootCallbackId id);

  /// Collections that an object survived in its generation.
  ///
  /// errors   kBadArgument: the handle is null
  [[nodiscard]] Result<std::uint32_t> get_age(const Handle<GcObject>& object) const;
  /// Whether it goes up a generation in the next collection that it survives.
  [[nodiscard]] Result<bool> should_promote(const Handle<GcObject>& object) const;

 private:
  FacadeState* state_;  // outlives the view
};

/// Ages, read from headers. A view of a collector; good while that lives.
///
/// errors   of all calls: kClosed; kBadArgument: the handle is null, or there is no such generation
/// threads  anyone
class AgeTracker {
 public:
  explicit AgeTracker(FacadeState& state) : state_(&state) {}

  /// Collections that an object survived in its generation.
  [[nodiscard]] Result<std::uint32_t> get_age(const Handle<GcObject>& object) const;
  /// Whether it goes up a generation in the next collection that it survives.
  [[nodiscard]] Result<bool> should_promote(const Handle<GcObject>& object) const;
  /// Objects of a generation by collections survived in it; the oldest counts none.
  ///
  /// cost     stops the world for a walk over the heap
  [[nodiscard]] Result<std::array<std::uint64_t, kAgeLimit + 1>> get_age_distribution(
      std::uint32_t generation) const;

 private:
  FacadeState* state_;  // outlives the view
};

}  // namespace tenure
