// The dynamic door's view of what old objects name younger ones, and of the barrier that notes it.
#pragma once

#include <cstdint>
#include <vector>

#include "tenure/facade/objects.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// Objects that name something younger, as the card log and the remembered cards have them. A view of a
/// collector; good while that lives.
///
/// Invariant: such an object is in the set for as long as it does so, whoever asks for what.
///
/// errors   of all calls: kClosed; kBadArgument: a handle is null
/// threads  anyone
class RememberedSet {
 public:
  explicit RememberedSet(FacadeState& state) : state_(&state) {}

  /// Notes that `owner` names `target`, as the barrier did when it was stored.
  ///
  /// errors   kBadArgument: it does not
  Result<void> record_reference(const Handle<GcObject>& owner, const Handle<GcObject>& target);
  /// Forgets what was noted of `owner` but is no longer so, after `target` was taken out of it.
  ///
  /// returns  whether it is in the set still, for another reference or a neighbour's
  /// errors   kBadArgument: it names the target still
  /// cost     stops the world for a look at the cards of the set
  Result<bool> remove_reference(const Handle<GcObject>& owner, const Handle<GcObject>& target);

  /// All objects of the dynamic door in it, by address.
  ///
  /// cost     stops the world for a walk over the heap; a handle each
  [[nodiscard]] Result<std::vector<Handle<GcObject>>> get_dirty_objects() const;
  /// Forgets all that is no longer so.
  ///
  /// returns  cards that stay, of 512 bytes: something on them names something younger
  /// cost     stops the world for a look at the cards of the set
  Result<std::uint64_t> clear_dirty_objects();

 private:
  FacadeState* state_;  // outlives the view
};

/// The barrier that is built into every store of a reference. A view of a collector; good while that lives.
///
/// errors   of all calls: kClosed
/// threads  anyone
class WriteBarrier {
 public:
  explicit WriteBarrier(FacadeState& state) : state_(&state) {}

  /// Says that a slot was stored past the barrier, as `tenure::record_write`. Doors store through it.
  ///
  /// errors   kBadArgument: the handle is null, or there is no such slot
  Result<void> record_write(const Handle<GcObject>& owner, std::uint32_t slot);

  /// As `enable_write_barriers` and `disable_write_barriers` of a runtime.
  ///
  /// errors   of `disable`: kUnsupported: something marks beside mutators
  Result<void> enable();
  Result<void> disable();
  [[nodiscard]] bool is_enabled() const;

 private:
  FacadeState* state_;  // outlives the view
};

}  // namespace tenure
