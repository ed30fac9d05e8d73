// Who collects, when and how far up. The conductor stops the world, readies the heap, has the
// collector work, and keeps the account.
//
// Invariant: one collection at a time. A thread that asks while another collects waits, and gets the
// other's report where that collected as much as it asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/base/team.hpp"
#include "core/gc/collector.hpp"
#include "core/gc/trigger.hpp"
#include "core/heap/heap.hpp"
#include "core/model/serial_marker.hpp"
#include "core/runtime/safepoint.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

struct ConductorOptions {
  TriggerOptions trigger;
  std::uint32_t workers = 1;  // threads that share a collection's work, the collecting one included
  bool verify = false;        // the heap, after each collection
};

/// threads  anyone, with its own mutator or without one
class Conductor {
 public:
  Conductor(Platform& clock, Heap& heap, Safepoint& safepoint, const ConductorOptions& options);

  /// The nursery is full: collects as far up as the trigger says.
  void collect_for_nursery(MutatorState& self);

  /// Collects generations 0 to `last`; the oldest for a full collection.
  CollectionReport collect(MutatorState* self, std::uint32_t last, CollectionTrigger trigger,
                           Compact how = Compact::kWhenSparse);

  /// Calls `work` in a stop, with buffers retired and logs drained.
  void in_stop(MutatorState* self, const std::function<void()>& work);

  /// Takes what a mutator leaves behind. Its own thread, running.
  void adopt(MutatorState& mutator);

  [[nodiscard]] std::uint64_t collections() const;

  /// Adds the account to `statistics`. Waits for a collection under way.
  void account(Statistics& statistics) const;

 private:
  // What to collect is known only in the stop.
  using Choose = std::function<Verdict()>;
  CollectionReport run(MutatorState* self, const Choose& choose, std::uint32_t at_least);
  void ready();
  CollectionReport carry_out(const Verdict& verdict);
  void note(const CollectionReport& report);
  [[nodiscard]] Verdict judge();

  Platform& clock_;
  Heap& heap_;
  Safepoint& safepoint_;
  ConductorOptions options_;
  SerialMarker marker_;
  Team team_;
  Collector collector_;
  Trigger trigger_;                   // stopped world
  std::vector<ObjectIndex> orphans_;  // owners of mutators that ended; guarded by mutex_

  mutable std::mutex mutex_;          // taken in stops, never while waiting for one
  Statistics account_;                // guarded by mutex_
  CollectionReport last_;             // guarded by mutex_
  std::uint64_t bytes_of_ended_ = 0;  // guarded by mutex_
};

}  // namespace tenure
