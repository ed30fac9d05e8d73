// The dynamic door's view of what refers to what. It keeps no graph of its own: stores go into real
// slots, and answers come from the heap.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tenure/facade/objects.hpp"
#include "tenure/result.hpp"
#include "tenure/retention.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// Objects each of which leads to each, or one that refers to itself.
struct ReferenceCycle {
  std::uint64_t objects = 0;
  Bytes bytes{};                               // of these, with their payloads
  std::map<std::string, std::uint64_t> types;  // objects by type
};

/// What is alive, and how it hangs together.
struct ReferenceStatistics {
  std::map<std::string, Bytes> memory_usage_by_type;
  std::uint64_t reference_cycles_detected = 0;
  std::uint64_t largest_cycle_size = 0;  // in objects
};

/// A view of a collector; good while that lives.
///
/// errors   of all calls: kClosed; kBadArgument: a handle is null
/// threads  anyone
class ReferenceTracker {
 public:
  explicit ReferenceTracker(FacadeState& state) : state_(&state) {}

  /// Stores a reference in a slot, through the barrier.
  ///
  /// errors   kBadArgument: there is no such slot, or the object is sealed
  Result<void> add_reference(const Handle<GcObject>& from, std::uint32_t slot,
                             const Handle<GcObject>& to);
  /// Empties a slot.
  ///
  /// errors   likewise
  Result<void> remove_reference(const Handle<GcObject>& from, std::uint32_t slot);

  /// All objects of the dynamic door that `from` leads to, itself first, nearest first.
  ///
  /// cost     O(objects + references reached), no recursion; a handle each
  [[nodiscard]] Result<std::vector<Handle<GcObject>>> get_reachable_objects(
      const Handle<GcObject>& from) const;

  /// All cycles of what is alive, the largest by bytes first. As `take_snapshot` and `find_cycles`.
  [[nodiscard]] Result<std::vector<ReferenceCycle>> find_cycles() const;
  /// Bytes of what is alive, payloads included, by type.
  [[nodiscard]] Result<std::map<std::string, Bytes>> get_memory_usage_by_type() const;
  [[nodiscard]] Result<ReferenceStatistics> reference_stats() const;

 private:
  FacadeState* state_;  // outlives the view
};

}  // namespace tenure
