// Who collects, when and how far up. The conductor stops the world, readies the heap, has the
// collector work, and keeps the account.
//
// Invariant: one collection at a time. A thread that asks while another collects waits, and gets the
// other's report where that collected as much as it asked for.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/base/team.hpp"
#include "core/gc/collector.hpp"
#include "core/gc/marker_choice.hpp"
#include "core/gc/overhead_limit.hpp"
#include "core/gc/pause_budget.hpp"
#include "core/gc/trigger.hpp"
#include "core/heap/heap.hpp"
#include "core/model/device_marker.hpp"
#include "core/model/marker.hpp"
#include "core/observe/decision_log.hpp"
#include "core/runtime/background_marker.hpp"
#include "core/runtime/cycle_driver.hpp"
#include "core/runtime/pretoucher.hpp"
#include "core/runtime/safepoint.hpp"
#include "core/tune/program_counters.hpp"
#include "tenure/config.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

struct ConductorOptions {
  TriggerOptions trigger;
  std::uint32_t workers = 1;  // threads that share a collection's work, the collecting one included
  Mode mode = Mode::kAutomatic;
  std::uint64_t max_pause_ns = 10'000'000;
  bool verify = false;  // the heap, after each collection
  /// Called after each full collection that was not done for payloads, while the world stands.
  std::function<void()> after_full = [] {};
  /// Called after each stop that collects or takes a step of a cycle, while the world stands.
  std::function<void(const CollectionReport&)> after_stop = [](const CollectionReport&) {};
  bool may_slice =
      true;  // a marking that would pass the pause target is spread, where nobody asked
  bool write_barriers = true;  // stores note where something old names something younger
};

/// How a marking of the oldest generation is done.
enum class Marking : std::uint8_t { kStop, kSlices, kBackground };

/// Whether a runtime may start threads of its own besides those that share a collection's work: who asks
/// for slices, or for nothing on its own, wants none.
[[nodiscard]] inline bool may_start_threads(Mode mode) {
  return mode != Mode::kManual && mode != Mode::kIncremental;
}

/// threads  anyone, with its own mutator or without one
class Conductor {
 public:
  Conductor(RuntimeState& runtime, Platform& clock, Heap& heap, Safepoint& safepoint,
            const ConductorOptions& options);

  /// The nursery is full, or the oldest generation: collects as far up as the trigger says.
  void collect_by_trigger(MutatorState& self);

  /// Whether `bytes` more in the oldest generation are for `collect_by_trigger` to judge first.
  [[nodiscard]] bool is_old_full(std::uint64_t bytes) {
    return options_.mode != Mode::kManual &&
           old_room_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed) < 0 &&
           may_collect_old();
  }

  /// Whether the nursery, which has no buffer for `bytes`, is to be collected for that. Not where the last
  /// collection could empty none of it: then as much as it holds is born old first, for a collection an
  /// object would be the alternative.
  [[nodiscard]] bool is_young_due(std::uint64_t bytes) {
    return options_.mode != Mode::kManual &&
           blocked_room_.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed) <=
               0;
  }

  /// A mutator's share in the cycle under way: nothing, a slice of marking, or the stop it waits for.
  void assist(MutatorState& self) {
    if (driver_.phase() != CyclePhase::kIdle) [[unlikely]] {
      assist_cycle(self);
    }
  }

  /// Has a device mark in full collections and in cycles from now on, in all of them or where it was
  /// faster of late. Before there is a mutator.
  ///
  /// errors   kUnsupported: not in this build, or no device
  [[nodiscard]] Result<void> mark_on_device(MarkerChoice choice);
  /// Has the marker give back what it keeps on a device.
  ///
  /// returns  whether there was anything
  bool give_back_marker_memory(MutatorState* self);

  /// Has stores note where something old names something younger, as `Config::write_barriers` says.
  ///
  /// errors   kUnsupported: something marks beside mutators, in this mode or on a device
  Result<void> disable_write_barriers(MutatorState* self);
  void enable_write_barriers(MutatorState* self);
  [[nodiscard]] bool has_write_barriers() const {
    return has_barriers_.load(std::memory_order_relaxed);
  }
  /// What a mutator's stores are to know. No stop is under way.
  [[nodiscard]] detail::BarrierState barrier_state();

  /// Uses another nursery, as far as the pause target allows.
  void resize_nursery(Bytes nursery);

  /// Gives memory back that lies behind free regions.
  ///
  /// threads  anyone
  Bytes discard_free() {
    pretoucher_.rest();
    return heap_.cage().discard_free();
  }

  /// Ends the background thread. The caller is running, or has no mutator.
  void end_background(MutatorState* self);
  /// Ends the threads that share collections' work: there will be none any more.
  void dismiss_team() { team_.dismiss(); }

  /// Collects generations 0 to `last`; the oldest for a full collection.
  CollectionReport collect(MutatorState* self, std::uint32_t last, CollectionTrigger trigger,
                           Compact how = Compact::kWhenSparse);

  /// Calls `work` in a stop, with buffers retired and logs drained.
  void in_stop(MutatorState* self, const std::function<void()>& work);

  /// How long a stop took: until all stood still, and until they went on.
  struct StopTimes {
    std::uint64_t to_safepoint_ns = 0;
    std::uint64_t stop_ns = 0;
  };
  /// The same with the threads that share collections' work, for a stop that counts as a pause.
  StopTimes in_counted_stop(MutatorState* self, const std::function<void(Team&)>& work);

  /// Takes what a mutator leaves behind. Its own thread, running.
  void adopt(MutatorState& mutator);

  /// What speaks against collecting for room any further, after a full collection: such take all the time
  /// and free next to nothing. Empty otherwise.
  [[nodiscard]] std::string why_give_up() const;

  [[nodiscard]] std::uint64_t collections() const;
  /// The program so far, for a tuner. Stopped world.
  [[nodiscard]] ProgramCounters counters();
  /// The most that is used of the nursery; what is used of it, which the pause target may hold below.
  [[nodiscard]] Bytes nursery_limit() const;
  [[nodiscard]] Bytes nursery_in_use() const { return heap_.young().nursery_size(); }
  [[nodiscard]] std::uint64_t pause_target_ns() const { return options_.max_pause_ns; }
  /// Stopped world.
  void set_promotion_age(std::uint32_t generation, std::uint32_t age) {
    collector_.set_promotion_age(generation, age);
  }
  /// While it is so, sizes of the nursery are a trial's and no decision.
  void put_nursery_on_trial(bool on) {
    const std::scoped_lock lock(mutex_);
    nursery_is_on_trial_ = on;
  }
  /// Tells of a change that somebody else made. No lock of the conductor is held.
  void note_decision(Adapted parameter, double before, double after, const std::string& reason);
  /// What was adapted, the last changes.
  [[nodiscard]] std::vector<Decision> decisions() const;

  /// The last collections.
  [[nodiscard]] std::vector<CollectionReport> recent() const;
  /// Bytes of objects so far. Stopped world.
  [[nodiscard]] std::uint64_t bytes_allocated();

  /// Adds the account to `statistics`. Waits for a collection under way.
  void account(Statistics& statistics) const;

 private:
  // What to collect is known only in the stop.
  using Choose = std::function<Verdict()>;
  CollectionReport run(MutatorState* self, const Choose& choose, std::uint32_t at_least);
  void ready();
  CollectionReport carry_out(const Verdict& verdict, std::uint64_t stopped_ns);
  [[nodiscard]] CollectionReport collect_full(const Verdict& verdict);
  void step_cycle(CollectionReport& report, std::uint64_t stopped_ns);
  void note(const CollectionReport& report);
  void note_decisions(const CollectionReport& report);
  void learn_efficiency(const CollectionReport& report);
  void learn_overhead(const CollectionReport& report);
  void verify_after(const CollectionReport& report);
  void learn(const CollectionReport& report, Bytes youngest, std::uint64_t pause_ns);
  void begin_old_collection();
  void choose_cycle_marker();
  void learn_cycle_marker(const CollectionReport& report);
  void learn_full(Bytes promoted, std::uint64_t work_ns);
  void learn_cycle();
  [[nodiscard]] Verdict judge();
  [[nodiscard]] Verdict judge_young();
  [[nodiscard]] std::array<Bytes, kMaxGenerations> used() const;

  [[nodiscard]] bool may_collect_old() const;
  [[nodiscard]] Bytes most_old() const;
  [[nodiscard]] Marking choose_marking() const;
  void assist_cycle(MutatorState& self);
  void stop_for_cycle(MutatorState& self);
  [[nodiscard]] bool work_in_background(MutatorState& self);
  [[nodiscard]] std::size_t quarter_of_room() const;
  [[nodiscard]] std::uint64_t slice_ns(std::size_t quarter, std::uint64_t since_last_ns) const;

  RuntimeState& runtime_;
  Platform& clock_;
  Heap& heap_;
  Safepoint& safepoint_;
  ConductorOptions options_;
  Team team_;
  std::unique_ptr<Marker> marker_;       // of full collections; by the team where that has members
  DeviceMarkers device_markers_;         // by a device; null where none marks
  std::optional<MarkingChoice> choice_;  // between the two, where neither was asked for
  std::uint64_t objects_last_ = 0;       // that the last full collection marked; stopped world
  Collector collector_;
  Trigger trigger_;           // stopped world
  PauseBudget pause_budget_;  // stopped world
  CycleDriver driver_;
  BackgroundMarker background_;
  Pretoucher pretoucher_;
  OldCollection old_collection_;                  // the last, or that under way; stopped world
  Bytes youngest_before_;                         // the last young collection; likewise
  std::uint64_t settled_ns_;                      // when the last one's end was known; likewise
  std::uint64_t verified_ns_ = 0;                 // behind all collections so far; likewise
  std::atomic<Marking> marking_{Marking::kStop};  // of the cycle under way; written in stops
  std::atomic<std::int64_t> old_room_;            // until the trigger's limit
  std::atomic<std::int64_t> blocked_room_{0};    // bytes that are born old beside a blocked nursery
  std::atomic<std::uint64_t> last_slice_ns_{0};  // when it ended
  std::atomic<std::uint64_t> old_at_request_{0};   // bytes in the oldest generation
  double full_ns_per_byte_ = kFirstFullNsPerByte;  // of a collection in one stop; likewise
  std::uint64_t allocated_at_begin_ = 0;           // of the cycle; stopped world
  std::atomic<bool> has_barriers_;                 // written in stops
  std::vector<ObjectIndex> orphans_;           // owners of mutators that ended; guarded by mutex_
  std::vector<SampledObject> orphan_samples_;  // likewise

  mutable std::mutex mutex_;             // taken in stops, never while waiting for one
  Statistics account_;                   // guarded by mutex_
  CollectionReport last_;                // guarded by mutex_
  OverheadLimit overhead_;               // guarded by mutex_
  Bytes old_limit_;                      // the trigger's; guarded by mutex_
  Bytes middle_limit_;                   // likewise
  std::uint64_t bytes_of_ended_ = 0;     // guarded by mutex_
  DecisionLog decisions_;                // guarded by mutex_
  std::deque<CollectionReport> recent_;  // guarded by mutex_
  double freed_ = 0;                     // bytes, smoothed over collections; guarded by mutex_
  double paused_ms_ = 0;                 // for them, likewise
  Bytes nursery_asked_;                  // since the last collection; guarded by mutex_
  Bytes nursery_limit_;                  // what was asked for last; guarded by mutex_
  bool nursery_is_on_trial_ = false;     // guarded by mutex_

  // What a full collection is taken to cost in one stop, until one was seen: some 50 ns for an object of
  // 24 bytes.
  static constexpr double kFirstFullNsPerByte = 2.0;
  static constexpr std::size_t kRecent = 64;  // collections that are kept
};

}  // namespace tenure
