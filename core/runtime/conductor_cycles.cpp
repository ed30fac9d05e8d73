// The conductor's part in cycles: when one begins, who marks, and how much of a mutator's time it takes.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <thread>

#include "core/runtime/conductor.hpp"

namespace tenure {

namespace {

// Of its time, that a mutator gives to a marking in slices: more as the room that is left shrinks.
constexpr double kShares[] = {0.25, 0.4, 0.6, 0.95};
// A slice shorter than this spends its time on getting there and reading the clock.
constexpr std::uint64_t kLeastSliceNs = 20'000;
// It looks so often whether a device is done: a marking takes it milliseconds.
constexpr std::chrono::microseconds kBetweenLooks{50};
// The background thread looks so often whether a stop is wanted.
constexpr std::uint64_t kBackgroundSliceNs = 50'000;

}  // namespace

Verdict Conductor::judge() {
  const std::array<Bytes, kMaxGenerations> bytes = used();
  const Verdict verdict = trigger_.judge(bytes);
  const std::uint32_t oldest = heap_.oldest();
  if (verdict.last < oldest) {
    return verdict;
  }
  if (!driver_.is_under_way()) {
    marking_.store(choose_marking(), std::memory_order_relaxed);
    if (marking_ == Marking::kStop) {
      return verdict;
    }
    old_at_request_.store(bytes[oldest].count(), std::memory_order_relaxed);
    choose_cycle_marker();
    driver_.request(verdict.trigger);
    if (marking_ == Marking::kBackground) {
      background_.wake(runtime_, [this](MutatorState& self) { return work_in_background(self); });
    }
  } else if (bytes[oldest] > most_old()) {
    return verdict;  // the marking does not keep up: one stop for all of it
  }
  trigger_.take_turn();
  return judge_young();
}

Verdict Conductor::judge_young() {
  return heap_.has_nursery() ? trigger_.judge_young(used())
                             : Verdict{Verdict::kNone, CollectionTrigger::kPromotionThreshold};
}

// For whom it is, where neither host nor device was asked for.
void Conductor::choose_cycle_marker() {
  if (choice_) {
    const bool on_device = choice_->choose(objects_last_) == MarkingSide::kDevice;
    collector_.use_in_cycles(on_device ? device_markers_.beside.get() : nullptr);
  }
}

void Conductor::learn_cycle_marker(const CollectionReport& report) {
  if (!choice_) {
    return;
  }
  if (report.marker_fallback.empty()) {
    // Who did it, not who was chosen: where memory is shared a device leaves cycles to the host.
    choice_->learn(report.marked_on_device ? MarkingSide::kDevice : MarkingSide::kHost,
                   report.objects_marked, driver_.worked_ns());
  } else {
    choice_->note_failure();
  }
  objects_last_ = report.objects_marked;
}

// Beyond the limit by as much as the limit: a cycle that is not done by then never will be.
Bytes Conductor::most_old() const {
  return Bytes{old_at_request_.load(std::memory_order_relaxed)} + trigger_.old_limit();
}

bool Conductor::may_collect_old() const {
  if (!driver_.is_under_way()) {
    return true;
  }
  const auto limit = static_cast<std::int64_t>(most_old().count() - trigger_.old_limit().count());
  return old_room_.load(std::memory_order_relaxed) < -limit;
}

Marking Conductor::choose_marking() const {
  if (!has_write_barriers()) {
    return Marking::kStop;  // nobody would tell a marking beside mutators of their stores
  }
  const auto old = static_cast<double>(heap_.used(heap_.oldest()).count());
  const bool fits = full_ns_per_byte_ * old <= static_cast<double>(options_.max_pause_ns);
  switch (options_.mode) {
    case Mode::kManual:
      return Marking::kStop;
    case Mode::kAutomatic:
      return fits || !options_.may_slice ? Marking::kStop : Marking::kSlices;
    case Mode::kIncremental:
      return Marking::kSlices;
    case Mode::kConcurrent:
      return Marking::kBackground;
    case Mode::kAdaptive:
      break;
  }
  const bool has_spare_core = std::thread::hardware_concurrency() > safepoint_.count();
  if (!fits && has_spare_core) {
    return Marking::kBackground;
  }
  return fits || !options_.may_slice ? Marking::kStop : Marking::kSlices;
}

void Conductor::step_cycle(CollectionReport& report, std::uint64_t stopped_ns) {
  if (!driver_.wants_stop()) {
    return;
  }
  const bool is_prepared = driver_.phase() == CyclePhase::kPrepared;
  const bool ended = driver_.step_in_stop(report, stopped_ns + options_.max_pause_ns / 2);
  if (is_prepared && driver_.phase() == CyclePhase::kMarking) {
    allocated_at_begin_ = bytes_allocated();
    begin_old_collection();
  }
  if (ended) {
    learn_cycle_marker(report);
    const Bytes allocated{bytes_allocated() - allocated_at_begin_};
    const std::scoped_lock lock(mutex_);
    account_.cycles.bytes_allocated += allocated;
  }
  if (marking_ == Marking::kBackground) {
    background_.wake(runtime_, [this](MutatorState& self) { return work_in_background(self); });
  }
}

void Conductor::begin_old_collection() {
  const Bytes used = heap_.used(heap_.oldest());
  const Bytes lived = old_collection_.marked;
  old_collection_.grown = used > lived ? used - lived : Bytes{};
  old_collection_.apart_ns = clock_.now_ns() - settled_ns_;
}

// promoted   in the same stop, before the marking: they came too
void Conductor::learn_full(Bytes promoted, std::uint64_t work_ns) {
  settled_ns_ = clock_.now_ns();
  old_collection_.grown += promoted;
  old_collection_.marked = heap_.used(heap_.oldest());
  old_collection_.work_ns = work_ns;
  trigger_.learn_rate(old_collection_);
  constexpr Bytes kEnoughToTime{1u << 20};
  if (old_collection_.marked >= kEnoughToTime) {
    full_ns_per_byte_ =
        static_cast<double>(work_ns) / static_cast<double>(old_collection_.marked.count());
  }
}

void Conductor::learn_cycle() {
  settled_ns_ = clock_.now_ns();
  old_collection_.marked = heap_.used(heap_.oldest());
  old_collection_.work_ns = driver_.worked_ns();
  trigger_.learn_rate(old_collection_);
  trigger_.learn_settled(old_collection_.marked);
}

std::uint64_t Conductor::bytes_allocated() {
  std::uint64_t sum = 0;
  safepoint_.for_each([&sum](MutatorState& mutator) { sum += mutator.bytes_allocated; });
  const std::scoped_lock lock(mutex_);
  return sum + bytes_of_ended_;
}

void Conductor::assist_cycle(MutatorState& self) {
  if (marking_.load(std::memory_order_relaxed) != Marking::kSlices) {
    return;  // the background thread sees to it
  }
  if (driver_.wants_stop()) {
    stop_for_cycle(self);
    return;
  }
  const std::uint64_t now = clock_.now_ns();
  const std::uint64_t last = last_slice_ns_.load(std::memory_order_relaxed);
  const std::size_t quarter = quarter_of_room();
  // Why waiting in the last quarter: the others would use it up beside the one that marks.
  const bool waits = quarter == std::size(kShares) - 1;
  const std::uint64_t slice = slice_ns(quarter, now - std::min(now, last));
  if (slice >= kLeastSliceNs && driver_.work_slice(now + slice, waits)) {
    last_slice_ns_.store(clock_.now_ns(), std::memory_order_relaxed);
  }
}

// How far the oldest generation has used up the room that a cycle has.
std::size_t Conductor::quarter_of_room() const {
  const auto room = static_cast<double>(trigger_.old_limit().count());
  const auto grown = static_cast<double>(heap_.used(heap_.oldest()).count()) -
                     static_cast<double>(old_at_request_.load(std::memory_order_relaxed));
  return static_cast<std::size_t>(std::clamp(grown / room, 0.0, 0.99) * std::size(kShares));
}

std::uint64_t Conductor::slice_ns(std::size_t quarter, std::uint64_t since_last_ns) const {
  const double share = kShares[quarter];
  const double due = static_cast<double>(since_last_ns) * share / (1.0 - share);
  return static_cast<std::uint64_t>(std::min(due, static_cast<double>(options_.max_pause_ns) / 2));
}

void Conductor::stop_for_cycle(MutatorState& self) {
  run(
      &self,
      [this] {
        // Why asked again: another thread's collection may have taken the step meanwhile.
        return driver_.wants_stop() ? judge_young()
                                    : Verdict{Verdict::kNone, CollectionTrigger::kPeriodic};
      },
      0);
}

bool Conductor::work_in_background(MutatorState& self) {
  if (driver_.wants_stop()) {
    stop_for_cycle(self);
  } else if (driver_.wants_work()) {
    driver_.work(clock_.now_ns() + kBackgroundSliceNs);
    if (driver_.is_waiting()) {  // away, so that nobody waits for us meanwhile
      safepoint_.leave(self);
      std::this_thread::sleep_for(kBetweenLooks);
      safepoint_.come_back(self);
    }
  }
  return driver_.phase() != CyclePhase::kIdle;
}

void Conductor::end_background(MutatorState* self) {
  // Why away: the thread may be waiting for a stop, and a stop for us.
  if (self != nullptr) {
    safepoint_.leave(*self);
  }
  background_.end();
  pretoucher_.end();
  if (self != nullptr) {
    safepoint_.come_back(*self);
  }
}

}  // namespace tenure
