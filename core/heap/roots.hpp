// All that a collection starts from: the locals of every mutator, the handles, the pins, what root
// callbacks named, and the dead that await their finalizers.
//
// Invariant: a handle's cell is where it was for as long as the handle lives, also beyond the heap's
// end; then it is null.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/base/check.hpp"
#include "core/heap/finalizers.hpp"
#include "core/heap/local_scan.hpp"
#include "core/heap/pins.hpp"
#include "core/heap/root_callbacks.hpp"
#include "core/memory/cage.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

class HandleTable;

namespace detail {
/// What a Handle points to.
struct HandleCell {
  std::atomic<ObjectIndex> object{ObjectIndex::kNull};
  HandleTable* table = nullptr;
  HandleCell* next_free = nullptr;  // guarded by the table
};
[[nodiscard]] ObjectIndex handle_object(const HandleCell* cell);
}  // namespace detail

/// The cells of one heap's handles. It ends when its heap has ended and the last handle is gone.
class HandleTable {
 public:
  struct Close {
    void operator()(HandleTable* table) const { table->disown(); }
  };
  using Owner = std::unique_ptr<HandleTable, Close>;
  [[nodiscard]] static Owner make();

  /// Any mutator, not away.
  [[nodiscard]] detail::HandleCell* take(ObjectIndex object);
  /// Anyone, at any time.
  void drop(detail::HandleCell* cell);

  /// Calls `visit(cell)` for each cell in use. Stopped world; drops may happen beside it.
  template <class Visit>
  void for_each(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (const std::unique_ptr<Chunk>& chunk : chunks_) {
      for (detail::HandleCell& cell : *chunk) {
        if (cell.object.load(std::memory_order_relaxed) != ObjectIndex::kNull) {
          visit(cell);
        }
      }
    }
  }

  /// Nulls every cell: the heap ends, and handles are inert from now on.
  void clear();

  [[nodiscard]] std::uint64_t count() const;

 private:
  static constexpr std::size_t kCellsPerChunk = 256;
  using Chunk = std::array<detail::HandleCell, kCellsPerChunk>;

  HandleTable() = default;
  ~HandleTable() = default;
  void disown();
  [[nodiscard]] bool is_over() const { return disowned_ && used_ == 0; }

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // guarded by mutex_
  detail::HandleCell* free_ = nullptr;          // guarded by mutex_
  std::uint64_t used_ = 0;                      // guarded by mutex_
  bool disowned_ = false;                       // guarded by mutex_
};

/// Whose locals count. Stopped world, or under the safepoint's lock.
class Roots {
 public:
  Roots(Cage& cage, HeapId heap, Finalizers& finalizers)
      : finalizers_(finalizers),
        handles_(HandleTable::make()),
        pins_(PinTable::make(cage)),
        callbacks_(cage.regions(), heap, *pins_) {}

  void attach(detail::MutatorCore& core) { mutators_.push_back(&core); }
  void detach(detail::MutatorCore& core) { std::erase(mutators_, &core); }

  /// Readies the roots for a collection: asks the callbacks, and lets go of what nothing pins any
  /// more. Each collection calls it once, in each of its stops, before it looks at a root.
  RootsAsked begin_collection() {
    for (detail::MutatorCore* core : mutators_) {
      narrow(core->window);
    }
    RootsAsked asked = callbacks_.ask();
    pins_->settle();
    return asked;
  }

  /// Calls `visit(ObjectIndex&)` for each root that is not null, and lets it be rewritten.
  template <class Visit>
  void for_each(Visit visit) {
    for (detail::MutatorCore* core : mutators_) {
      for_each_tagged(core->window, [&visit](detail::LocalLink& link) {
        if (link.object != ObjectIndex::kNull) {
          visit(link.object);
        }
      });
      for (detail::LocalLink* link = core->locals; link != nullptr; link = link->below) {
        if (link->object != ObjectIndex::kNull) {
          visit(link->object);
        }
      }
    }
    handles_->for_each([&visit](detail::HandleCell& cell) {
      ObjectIndex seen = cell.object.load(std::memory_order_relaxed);
      ObjectIndex moved = seen;
      visit(moved);
      // Why an exchange: a handle may be dropped beside us; then its cell must stay null.
      cell.object.compare_exchange_strong(seen, moved, std::memory_order_relaxed);
    });
    pins_->for_each([&visit](ObjectIndex object) {
      ObjectIndex seen = object;
      visit(seen);
      check(seen == object, "a collection moved an object that is pinned");
    });
    callbacks_.for_each(visit);
    finalizers_.for_each_due(visit);
  }

  /// Calls `note(object, kind, number, name)` for each root that is not null: the number is that of a
  /// local's mutator, from 1, or a root callback's, and callbacks may have names. Stopped world.
  template <class Note>
  void for_each_named(Note note) {
    std::uint64_t number = 0;
    for (detail::MutatorCore* core : mutators_) {
      ++number;
      const auto note_local = [&](detail::LocalLink& link) {
        if (link.object != ObjectIndex::kNull) {
          note(link.object, RootKind::kLocal, number, std::string_view());
        }
      };
      for_each_tagged(core->window, note_local);
      for (detail::LocalLink* link = core->locals; link != nullptr; link = link->below) {
        note_local(*link);
      }
    }
    handles_->for_each([&](detail::HandleCell& cell) {
      // Why again: it may have been dropped beside us.
      const ObjectIndex object = cell.object.load(std::memory_order_relaxed);
      if (object != ObjectIndex::kNull) {
        note(object, RootKind::kHandle, 0, std::string_view());
      }
    });
    pins_->for_each(
        [&](ObjectIndex object) { note(object, RootKind::kPin, 0, std::string_view()); });
    callbacks_.for_each_named([&](ObjectIndex object, RootCallbackId id, std::string_view name) {
      note(object, RootKind::kCallback, static_cast<std::uint64_t>(id), name);
    });
    finalizers_.for_each_due(
        [&](ObjectIndex& object) { note(object, RootKind::kFinalizer, 0, std::string_view()); });
  }

  [[nodiscard]] HandleTable& handles() { return *handles_; }
  [[nodiscard]] const HandleTable& handles() const { return *handles_; }
  [[nodiscard]] PinTable& pins() { return *pins_; }
  [[nodiscard]] const PinTable& pins() const { return *pins_; }
  [[nodiscard]] RootCallbacks& callbacks() { return callbacks_; }

 private:
  Finalizers& finalizers_;  // of the same heap
  std::vector<detail::MutatorCore*> mutators_;
  HandleTable::Owner handles_;
  PinTable::Owner pins_;
  RootCallbacks callbacks_;
};

}  // namespace tenure
