// The objects that may not move: how often each is pinned. A pin is a root too.
//
// Invariant: an object's header says kPinned exactly if it has a row here, and its region's row
// counts it. Only mutators and the collector write headers: the last unpin, which may come from any
// thread in the middle of a stop, leaves a row of zero pins, and the next collection sweeps it away.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "tenure/object.hpp"

namespace tenure {

class Cage;
class PinTable;

namespace detail {
/// What a Pinned points to: a row, where it was for as long as a pin is left.
struct PinRow {
  std::atomic<ObjectIndex> object{ObjectIndex::kNull};  // null once the heap has ended
  PinTable* table = nullptr;
  std::uint64_t pins = 0;  // guarded by the table
};
}  // namespace detail

/// One heap's pins. It ends when its heap has ended and the last pin is gone.
class PinTable {
 public:
  struct Close {
    void operator()(PinTable* table) const { table->disown(); }
  };
  using Owner = std::unique_ptr<PinTable, Close>;
  [[nodiscard]] static Owner make(Cage& cage);

  /// Pins an object of the heap. Any mutator, not away; or the collector, in a stop.
  [[nodiscard]] detail::PinRow* pin(ObjectIndex object);
  /// Pins once more what `row` pins. Anyone who holds one of its pins.
  detail::PinRow* pin_again(detail::PinRow* row);
  /// Anyone, at any time.
  void unpin(detail::PinRow* row);

  /// Lets go of what nothing pins any more. Stopped world, before a collection looks at headers.
  void settle();

  /// Calls `visit(object)` for each object that has a row. Stopped world; unpins may happen beside.
  template <class Visit>
  void for_each(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (auto& [object, row] : rows_) {
      visit(object);
    }
  }

  /// Pins of an object. 0: it is free to move.
  [[nodiscard]] std::uint64_t pins_of(ObjectIndex object) const;
  /// Objects that are pinned.
  [[nodiscard]] std::uint64_t count() const;

  /// The heap ends: pins are inert from now on. What is still pinned is counted.
  void clear();

 private:
  explicit PinTable(Cage& cage) : cage_(cage) {}
  ~PinTable() = default;
  void disown();
  void set_flag(ObjectIndex object, bool pinned);
  [[nodiscard]] bool is_over() const { return disowned_ && pinned_ == 0; }

  Cage& cage_;  // of the process
  mutable std::mutex mutex_;
  std::unordered_map<ObjectIndex, detail::PinRow> rows_;  // guarded by mutex_
  std::uint64_t pinned_ = 0;                              // rows with a pin; guarded by mutex_
  bool disowned_ = false;                                 // guarded by mutex_
};

}  // namespace tenure
