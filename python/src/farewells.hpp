// What Python wants to hear of deaths: finalizers, callbacks of weak references, and foreign memory
// to be let go.
//
// Invariant: the heap tells of a death on a thread that may not run Python, in the middle of a call
// that others wait for. So it is only noted there; Python is called later, by a thread that holds the
// interpreter's lock and nothing else, and may do whatever it likes.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "python/src/objects.hpp"
#include "tenure/roots.hpp"
#include "tenure/weak.hpp"

namespace tenure::python {

namespace nb = nanobind;

enum class FarewellId : std::uint64_t {};

/// One call that is owed. With neither function nor object it only lets go of what it holds.
struct Farewell {
  nb::object call;            // touched under the interpreter's lock alone
  nb::object holds;           // likewise
  Weak<AnyObject> target;     // of a finalizer that was not queued yet
  Handle<AnyObject> dying;    // of one that was
  bool is_finalizer = false;  // it is given the object
  bool is_abandoned = false;  // it is not called
};

/// threads  anyone, with or without the interpreter's lock
class Farewells {
 public:
  FarewellId add(Farewell farewell);
  void set_target(FarewellId id, Weak<AnyObject> target);
  /// Its object died: it is due. Does nothing where it was taken back.
  void note_death(FarewellId id, Handle<AnyObject> dying);
  /// Nobody will tell of its death any more: what it holds ends with the next call that is due.
  void abandon(FarewellId id);
  /// What one holds that waits; nothing where its object died. With the interpreter's lock.
  [[nodiscard]] nb::object held_by(FarewellId id) const;
  /// Takes one back, or one that is due out. With the interpreter's lock.
  [[nodiscard]] std::optional<Farewell> take(FarewellId id);
  [[nodiscard]] std::optional<Farewell> take_due();
  /// Finalizers that were set and are not due.
  [[nodiscard]] std::vector<FarewellId> finalizers() const;
  [[nodiscard]] bool has_due() const;

 private:
  mutable std::mutex mutex_;
  std::map<FarewellId, Farewell> waiting_;  // guarded by mutex_
  std::map<FarewellId, Farewell> due_;      // likewise, in the order in which they were set
  std::uint64_t made_ = 0;                  // likewise
};

/// What the heap holds of a farewell. Where the heap drops it, untold, the farewell is abandoned.
class Messenger {
 public:
  Messenger(std::shared_ptr<Farewells> farewells, FarewellId id)
      : farewells_(std::move(farewells)), id_(id) {}
  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;
  ~Messenger() { farewells_->abandon(id_); }
  void tell(Handle<AnyObject> dying) const { farewells_->note_death(id_, std::move(dying)); }

 private:
  std::shared_ptr<Farewells> farewells_;
  FarewellId id_;
};

}  // namespace tenure::python
