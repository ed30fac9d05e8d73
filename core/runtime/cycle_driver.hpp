// A cycle's course through a running program: what it waits for, who works on it and for how long.
//
//                copying <-> a stop: for a marker that marks a copy, while there is much to send
//   idle -> preparing -> prepared -> marking -> read -> settling -> settled -> idle
//           |  running    |  a stop   |  running  |      |  running    |  a stop: known what it left
//                                                 a stop: ended, or back to marking
//
// Why settling is of the cycle: until all cells are settled the dead count as used, and a limit that
// followed such a sum would double with each cycle.
//
// Invariant: the phase changes from `prepared`, `read` and `settled` in stops alone, from the others
// by the one thread that holds the work, running, or by a request, in a stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include "core/backend/platform.hpp"
#include "core/gc/collector.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

enum class CyclePhase : std::uint8_t {
  kIdle,
  kPreparing,  // blocks are swept, mark bits cleared
  kCopying,    // what a marker's copy of the heap lacks is sent
  kPrepared,   // wants a stop to begin, or to note what that copy lacks
  kMarking,    // references are followed, cards read again
  kRead,       // knows of nothing more; wants a stop to end
  kSettling,   // ended; what died is taken out of the counts
  kSettled,    // wants a stop to say what was left
};

class CycleDriver {
 public:
  CycleDriver(Platform& clock, Heap& heap, Collector& collector)
      : clock_(clock), heap_(heap), collector_(collector) {}

  [[nodiscard]] CyclePhase phase() const { return phase_.load(std::memory_order_acquire); }
  [[nodiscard]] bool wants_stop() const {
    const CyclePhase now = phase();
    return now == CyclePhase::kPrepared || now == CyclePhase::kRead || now == CyclePhase::kSettled;
  }
  [[nodiscard]] bool wants_work() const {
    const CyclePhase now = phase();
    return now == CyclePhase::kPreparing || now == CyclePhase::kCopying ||
           now == CyclePhase::kMarking || now == CyclePhase::kSettling;
  }
  /// Whether one was requested and did not end.
  [[nodiscard]] bool is_under_way() const {
    const CyclePhase now = phase();
    return CyclePhase::kPreparing <= now && now <= CyclePhase::kRead;
  }

  /// Works until `deadline_ns`, or until a stop is wanted. False where another thread is at it.
  ///
  /// threads  running mutators, and the background thread where it counts as one
  bool work(std::uint64_t deadline_ns);
  /// The same, counted as a slice that a mutator stood still for. `waits` for the other thread to have
  /// done its own.
  bool work_slice(std::uint64_t deadline_ns, bool waits);

  /// Whether there is nothing to do before a device is done. As of the last work.
  [[nodiscard]] bool is_waiting() const { return is_waiting_.load(std::memory_order_relaxed); }

  /// Anyone, at any time; waits for a slice under way.
  [[nodiscard]] CycleStatistics statistics() const;

  // Stopped world.

  /// Asks for a cycle, if none is under way. It settles what the last one left first.
  void request(CollectionTrigger trigger);

  /// Whether a cycle's cells have just been settled: what the oldest generation uses by now is what the
  /// cycle left, and what came since.
  [[nodiscard]] bool take_settled();

  /// What threads spent on the last cycle, or have on this one, beside stops; a device's time too.
  [[nodiscard]] std::uint64_t worked_ns() const { return worked_ns_; }

  /// Takes the step that waits for a stop. A young collection has just ended, in the same stop.
  ///
  /// deadline_ns   when ending has to be given up
  /// returns       whether the cycle ended; then its part is in `report`
  bool step_in_stop(CollectionReport& report, std::uint64_t deadline_ns);

  /// A collection in one stop takes the cycle's place.
  void abandon();

 private:
  using Lock = std::unique_lock<std::mutex>;
  void work(const Lock&, std::uint64_t deadline_ns);
  [[nodiscard]] bool work_a_little(CyclePhase now);
  void begin();
  [[nodiscard]] bool end(CollectionReport& report, std::uint64_t deadline_ns);

  // After so many stops without time to end, the next one takes the time. Each hands the marking what
  // it found, so that only a program that hides references faster than they are read comes here.
  static constexpr std::uint32_t kMostRounds = 16;

  Platform& clock_;
  Heap& heap_;
  Collector& collector_;
  std::atomic<CyclePhase> phase_{CyclePhase::kIdle};
  mutable std::mutex work_;  // held by the thread that works on the cycle
  CollectionTrigger trigger_ = CollectionTrigger::kPromotionThreshold;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t worked_ns_ = 0;
  std::uint64_t waits_since_ns_ = 0;  // for a device; 0: it does not
  std::atomic<bool> is_waiting_{false};
  std::uint32_t rounds_ = 0;    // stops that tried to end it
  CycleStatistics statistics_;  // guarded by work_
};

}  // namespace tenure
