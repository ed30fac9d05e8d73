// The cells that weak references name: null from the collection on that finds the target dead.
//
// A collection looks at the cells whose targets it condemned, since they are listed by generation.
// A cell that is cleared and has somebody to tell waits in a list of its own, until a mutator's turn
// comes: no user is called in a stop.
//
// Invariant: a cell that is not null is in the list of its target's generation, and names it where
// it is.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/ring.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class WeakTable;

namespace detail {
/// What a Weak points to. Its link is in the list of a generation, of those to be told, or in none.
struct WeakCell : RingLink {
  std::atomic<ObjectIndex> object{ObjectIndex::kNull};
  WeakTable* table = nullptr;
  WeakCell* next_free = nullptr;                    // guarded by the table
  std::unique_ptr<std::function<void()>> on_death;  // told once; guarded by the table
};
}  // namespace detail

/// The cells of one heap. It ends when its heap has ended and the last weak reference is gone.
class WeakTable {
 public:
  struct Close {
    void operator()(WeakTable* table) const { table->disown(); }
  };
  using Owner = std::unique_ptr<WeakTable, Close>;
  [[nodiscard]] static Owner make(const RegionRow* regions);

  /// Any mutator, not away.
  ///
  /// on_death  called once after the target died, off the pause; may be empty
  [[nodiscard]] detail::WeakCell* take(ObjectIndex object, std::function<void()> on_death);
  /// Another cell for the same target, without anybody to tell; null where there is none. Anyone.
  [[nodiscard]] detail::WeakCell* take_again(detail::WeakCell& cell);
  /// Anyone, at any time. Whoever was to be told and was not yet, is not.
  void drop(detail::WeakCell* cell);

  /// Clears the cells of a generation whose targets were not reached. Stopped world.
  ///
  /// reach    as `Afterlife::settle` has it
  /// returns  how many
  template <class Reach>
  std::uint64_t settle(std::uint32_t generation, Reach& reach) {
    const std::scoped_lock lock(mutex_);
    RingLink condemned;
    condemned.take_all(heads_[generation]);
    std::uint64_t cleared = 0;
    while (!condemned.is_alone()) {
      auto& cell = static_cast<detail::WeakCell&>(*condemned.next);
      ObjectIndex target = cell.object.load(std::memory_order_relaxed);
      if (!reach.covers(target) || reach.reached(target)) {
        cell.object.store(target, std::memory_order_relaxed);
        cell.join(heads_[generation_of(target)]);
      } else {
        clear(cell);
        ++cleared;
      }
    }
    cleared_ += cleared;
    return cleared;
  }

  /// Whether a cell names the object. A mutator, not away; cost: the cells of its generation.
  [[nodiscard]] bool names(ObjectIndex object) const;
  /// Clears all cells that name the object, and tells nobody. Likewise.
  ///
  /// returns  how many
  std::uint64_t clear_of(ObjectIndex object);

  /// Calls `visit(ObjectIndex&)` for each target, and lets it be rewritten. Stopped world.
  template <class Visit>
  void for_each_target(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (RingLink& head : heads_) {
      for (RingLink* at = head.next; at != &head; at = at->next) {
        auto& cell = static_cast<detail::WeakCell&>(*at);
        ObjectIndex target = cell.object.load(std::memory_order_relaxed);
        visit(target);
        cell.object.store(target, std::memory_order_relaxed);
      }
    }
  }
  /// Calls `look(target, generation)` for each, the generation being that of its list.
  template <class Look>
  void for_each_listed(Look look) const {
    const std::scoped_lock lock(mutex_);
    for (std::uint32_t generation = 0; generation < kMaxGenerations; ++generation) {
      const RingLink& head = heads_[generation];
      for (const RingLink* at = head.next; at != &head; at = at->next) {
        const auto& cell = static_cast<const detail::WeakCell&>(*at);
        look(cell.object.load(std::memory_order_relaxed), generation);
      }
    }
  }

  /// Takes whom to tell next out of the list; empty where nobody is left. Anyone.
  [[nodiscard]] std::function<void()> take_due();
  /// Whether somebody is to be told. Anyone; it may be over by the time it is read.
  [[nodiscard]] bool has_due() const { return due_count_.load(std::memory_order_relaxed) > 0; }

  /// Nulls every cell and tells nobody: the heap ends.
  void clear_all();

  /// Weak references that are held, the cleared ones included.
  [[nodiscard]] std::uint64_t count() const;
  /// Cells that collections cleared.
  [[nodiscard]] std::uint64_t cleared() const;

 private:
  static constexpr std::size_t kCellsPerChunk = 128;
  using Chunk = std::array<detail::WeakCell, kCellsPerChunk>;

  explicit WeakTable(const RegionRow* regions) : regions_(regions) {}
  ~WeakTable() = default;
  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) const {
    return regions_[region_of(object)].generation;
  }
  [[nodiscard]] detail::WeakCell& fresh(const std::scoped_lock<std::mutex>&);
  void clear(detail::WeakCell& cell);
  void disown();
  [[nodiscard]] bool is_over() const { return disowned_ && used_ == 0; }

  const RegionRow* regions_;
  mutable std::mutex mutex_;
  std::array<RingLink, kMaxGenerations> heads_;  // guarded by mutex_
  RingLink due_;                                 // cleared, to be told; guarded by mutex_
  std::atomic<std::uint64_t> due_count_{0};      // of due_; written under mutex_
  std::vector<std::unique_ptr<Chunk>> chunks_;   // guarded by mutex_
  detail::WeakCell* free_ = nullptr;             // guarded by mutex_
  std::uint64_t used_ = 0;                       // guarded by mutex_
  std::uint64_t cleared_ = 0;                    // guarded by mutex_
  bool disowned_ = false;                        // guarded by mutex_
};

}  // namespace tenure
