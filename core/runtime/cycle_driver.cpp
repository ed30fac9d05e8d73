#include "core/runtime/cycle_driver.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kObjectsAtATime = 256;  // between looks at the clock; some 20 us

// What work leads to.
constexpr CyclePhase after(CyclePhase phase) {
  switch (phase) {
    case CyclePhase::kPreparing:
    case CyclePhase::kCopying:
      return CyclePhase::kPrepared;
    case CyclePhase::kMarking:
      return CyclePhase::kRead;
    default:
      return CyclePhase::kSettled;
  }
}
}  // namespace

bool CycleDriver::work(std::uint64_t deadline_ns) {
  const Lock lock(work_, std::try_to_lock);
  if (!lock || !wants_work()) {
    return false;
  }
  work(lock, deadline_ns);
  return true;
}

bool CycleDriver::work_slice(std::uint64_t deadline_ns, bool waits) {
  Lock lock(work_, std::defer_lock);
  if (waits) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return false;
  }
  if (!wants_work()) {
    return false;
  }
  const std::uint64_t begun = clock_.now_ns();
  work(lock, deadline_ns);
  statistics_.slices.add(clock_.now_ns() - begun);
  return true;
}

void CycleDriver::work(const Lock&, std::uint64_t deadline_ns) {
  const CyclePhase now = phase();
  const std::uint64_t cards = collector_.cycle().cards_read();
  const std::uint64_t begun = clock_.now_ns();
  bool is_over = false;
  bool waits = false;
  std::uint64_t at = begun;
  do {
    is_over = work_a_little(now);
    waits = collector_.cycle().is_waiting();
    at = clock_.now_ns();
  } while (!is_over && !waits && at < deadline_ns);
  worked_ns_ += at - (waits_since_ns_ != 0 ? waits_since_ns_ : begun);
  waits_since_ns_ = waits ? at : 0;
  is_waiting_.store(waits, std::memory_order_relaxed);
  statistics_.cards_read_beside += collector_.cycle().cards_read() - cards;
  if (is_over) {  // last: whoever sees the new phase may read what was counted
    phase_.store(after(now), std::memory_order_release);
  }
}

// Whether the phase is over.
bool CycleDriver::work_a_little(CyclePhase now) {
  switch (now) {
    case CyclePhase::kPreparing:
      return heap_.prepare_marking();
    case CyclePhase::kCopying:
      return collector_.cycle().copy_some();
    case CyclePhase::kSettling:
      return heap_.settle_some();
    default:
      return collector_.cycle().advance(kObjectsAtATime);
  }
}

CycleStatistics CycleDriver::statistics() const {
  const Lock lock(work_);
  return statistics_;
}

void CycleDriver::request(CollectionTrigger trigger) {
  if (!is_under_way()) {
    trigger_ = trigger;
    worked_ns_ = 0;
    phase_.store(CyclePhase::kPreparing, std::memory_order_release);
  }
}

bool CycleDriver::take_settled() {
  auto settled = CyclePhase::kSettled;
  return phase_.compare_exchange_strong(settled, CyclePhase::kIdle);
}

bool CycleDriver::step_in_stop(CollectionReport& report, std::uint64_t deadline_ns) {
  const Lock lock(work_);
  if (phase() == CyclePhase::kPrepared) {
    if (collector_.cycle().note_for_copy()) {
      phase_.store(CyclePhase::kCopying, std::memory_order_release);
    } else {
      begin();
    }
    return false;
  }
  return phase() == CyclePhase::kRead && end(report, deadline_ns);
}

void CycleDriver::begin() {
  collector_.begin_cycle();
  begun_ns_ = clock_.now_ns();
  rounds_ = 0;
  ++statistics_.begun;
  phase_.store(CyclePhase::kMarking, std::memory_order_release);
}

bool CycleDriver::end(CollectionReport& report, std::uint64_t deadline_ns) {
  ++rounds_;
  const bool has_to_end = rounds_ > kMostRounds;
  const bool ended = collector_.try_end_cycle(
      report, [&] { return !has_to_end && clock_.now_ns() >= deadline_ns; });
  if (!ended) {
    ++statistics_.ends_put_off;
    phase_.store(CyclePhase::kMarking, std::memory_order_release);
    return false;
  }
  report.trigger = trigger_;
  report.began_ns = begun_ns_;
  ++statistics_.ended;
  statistics_.marking_ns += clock_.now_ns() - begun_ns_;
  statistics_.objects_marked += report.objects_marked;
  statistics_.cards_read += collector_.cycle().cards_read();
  statistics_.on_device += report.marked_on_device ? 1 : 0;
  statistics_.copy_rounds += report.copy_rounds;
  statistics_.copied_beside += report.copied_beside;
  statistics_.copied_in_stops += report.copied_in_stop;
  phase_.store(CyclePhase::kSettling, std::memory_order_release);
  return true;
}

void CycleDriver::abandon() {
  const Lock lock(work_);
  if (phase() != CyclePhase::kIdle) {
    statistics_.abandoned += collector_.cycle().is_under_way() ? 1 : 0;
    collector_.cycle().abandon();
    waits_since_ns_ = 0;
    is_waiting_.store(false, std::memory_order_relaxed);
    phase_.store(CyclePhase::kIdle, std::memory_order_release);
  }
}

}  // namespace tenure
