// Who is to be called for an object once it is dead, and the dead that wait for that.
//
// An object's row lies with its generation, so that a collection looks at those it condemned. What
// died joins the queue and is a root there, so that its finalizer finds it whole; the row of one
// whose finalizer ran stays for as long as it lives on, so that none runs twice.
//
// Invariant: an object's header says kFinalizable exactly if it has a row with a finalizer, or is
// in the queue; never both.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/model/region.hpp"
#include "tenure/object.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class Mutator;

/// Called with a mutator that may allocate, and the object.
using FinalizerCall = std::function<void(Mutator&, ObjectIndex)>;

/// threads  anyone, where it does not say that the world is stopped
class Finalizers {
 public:
  explicit Finalizers(const RegionRow* regions) : regions_(regions) {}
  Finalizers(const Finalizers&) = delete;
  Finalizers& operator=(const Finalizers&) = delete;

  /// Sets an object's finalizer, instead of the one it had.
  ///
  /// returns  false: one ran for it already, or awaits its turn
  /// threads  any mutator, not away
  bool set(ObjectIndex object, FinalizerCall call);
  /// Takes it back. False where there is none, or it is too late.
  bool remove(ObjectIndex object);

  /// One that is to be called.
  struct Due {
    std::uint64_t number = 0;  // counts up as finalizers are set
    ObjectIndex object = ObjectIndex::kNull;
    FinalizerCall call;
  };
  /// Takes the next out of the queue: its object is no root any more, and its finalizer counts as
  /// run. For a mutator, which roots it before its next safepoint.
  [[nodiscard]] std::optional<Due> take_due();
  /// Takes the finalizer of an object that lives: it counts as run, and none runs for it any more.
  ///
  /// threads  any mutator, not away
  [[nodiscard]] FinalizerCall take(ObjectIndex object);
  [[nodiscard]] bool has_due() const { return due_count_.load(std::memory_order_relaxed) > 0; }

  /// Counts a call that threw.
  void note_failure(std::string message);

  // Stopped world.

  /// Queues the objects of a generation that were not reached, in the order in which their
  /// finalizers were set, and has them kept. `settle_spent` is to follow once that was read.
  ///
  /// reach    as `Afterlife::settle` has it
  /// returns  how many
  template <class Reach>
  std::uint64_t settle(std::uint32_t generation, Reach& reach) {
    const std::scoped_lock lock(mutex_);
    std::vector<Due> dead;
    for (auto& [object, row] : std::exchange(rows_[generation], {})) {
      ObjectIndex now = object;
      if (!reach.covers(now) || reach.reached(now)) {
        rows_[generation_of(now)].emplace(now, std::move(row));
      } else if (row.call) {
        dead.push_back({row.number, now, std::move(row.call)});
      } else {
        spent_.emplace_back(now, row.number);
      }
    }
    std::sort(dead.begin(), dead.end(),
              [](const Due& a, const Due& b) { return a.number < b.number; });
    const std::uint64_t queued = dead.size();
    for (Due& due : dead) {
      reach.keep(due.object);
      enqueue(std::move(due));
    }
    set_ -= queued;
    return queued;
  }

  /// Forgets the dead whose finalizer ran, but for those that what was queued leads to: they may come
  /// back with it.
  ///
  /// is_read  all that was kept was read; otherwise nobody is forgotten yet
  template <class Reach>
  void settle_spent(bool is_read, Reach& reach) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [object, number] : std::exchange(spent_, {})) {
      ObjectIndex now = object;
      if (!is_read || reach.reached(now)) {
        rows_[generation_of(now)].emplace(now, Row{number, {}});
      }
    }
  }

  /// Has the objects of a generation that have a finalizer kept: another phase of the same
  /// collection decides about them.
  template <class Reach>
  void keep(std::uint32_t generation, Reach& reach) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [object, row] : rows_[generation]) {
      ObjectIndex now = object;
      if (row.call && reach.covers(now)) {
        reach.keep(now);
      }
    }
  }

  /// Calls `visit(ObjectIndex&)` for each object in the queue, and lets it be rewritten.
  template <class Visit>
  void for_each_due(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (Due& due : due_) {
      visit(due.object);
    }
  }
  /// Calls `visit(ObjectIndex&)` for each object that has a row, and lets it be rewritten.
  template <class Visit>
  void for_each_row(Visit visit) {
    const std::scoped_lock lock(mutex_);
    for (auto& rows : rows_) {
      std::unordered_map<ObjectIndex, Row> before = std::exchange(rows, {});
      while (!before.empty()) {
        auto node = before.extract(before.begin());
        visit(node.key());
        rows.insert(std::move(node));
      }
    }
  }
  /// Calls `look(object, generation, has_finalizer)` for each row, the generation being its list's.
  template <class Look>
  void for_each_listed(Look look) const {
    const std::scoped_lock lock(mutex_);
    for (std::uint32_t generation = 0; generation < kMaxGenerations; ++generation) {
      for (const auto& [object, row] : rows_[generation]) {
        look(object, generation, static_cast<bool>(row.call));
      }
    }
  }
  /// Queues every object that has a finalizer: the heap ends.
  void queue_all();

  /// Finalizers that are set, waiting, and have run; those that threw are among the latter.
  [[nodiscard]] FinalizerStatistics statistics() const;

 private:
  struct Row {
    std::uint64_t number = 0;
    FinalizerCall call;  // empty: it ran
  };

  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) const {
    return regions_[region_of(object)].generation;
  }
  void enqueue(Due due) {
    due_.push_back(std::move(due));
    due_count_.fetch_add(1, std::memory_order_relaxed);
  }

  const RegionRow* regions_;
  mutable std::mutex mutex_;
  std::array<std::unordered_map<ObjectIndex, Row>, kMaxGenerations> rows_;  // guarded by mutex_
  std::vector<std::pair<ObjectIndex, std::uint64_t>> spent_;  // between two steps of a stop
  std::deque<Due> due_;                                       // guarded by mutex_
  std::atomic<std::uint64_t> due_count_{0};                   // of due_; written under mutex_
  std::uint64_t last_number_ = 0;                             // guarded by mutex_
  std::uint64_t set_ = 0;     // rows that have a finalizer; guarded by mutex_
  std::uint64_t ran_ = 0;     // guarded by mutex_
  std::uint64_t failed_ = 0;  // guarded by mutex_
  std::string failure_;       // what the last that threw said; guarded by mutex_
};

}  // namespace tenure
