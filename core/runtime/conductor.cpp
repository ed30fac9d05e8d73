#include "core/runtime/conductor.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/gc/parallel_marker.hpp"
#include "core/gc/span_marker.hpp"
#include "core/gc/verifier.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {

std::unique_ptr<Marker> open_marker(Team& team) {
  if (team.size() == 1) {
    return std::make_unique<StoppedMarker>();
  }
  return std::make_unique<ParallelMarker>(team);
}

// Those that somebody asked for, or that payloads were the reason of, say nothing of the heap's room.
bool is_for_room(CollectionTrigger trigger) {
  switch (trigger) {
    case CollectionTrigger::kAllocationPressure:
    case CollectionTrigger::kPeriodic:
    case CollectionTrigger::kPromotionThreshold:
    case CollectionTrigger::kLargeObject:
      return true;
    case CollectionTrigger::kExplicitRequest:
    case CollectionTrigger::kDevicePressure:
    case CollectionTrigger::kSystemPressure:
    case CollectionTrigger::kForeignRequest:
      break;
  }
  return false;
}

}  // namespace

Conductor::Conductor(RuntimeState& runtime, Platform& clock, Heap& heap, Safepoint& safepoint,
                     const ConductorOptions& options)
    : runtime_(runtime),
      clock_(clock),
      heap_(heap),
      safepoint_(safepoint),
      options_(options),
      team_(options.workers),
      marker_(open_marker(team_)),
      collector_(heap, *marker_, team_),
      trigger_(options.trigger),
      pause_budget_(options.max_pause_ns, options.trigger.nursery,
                    std::max(options.trigger.generations, 2u) - 2),
      driver_(clock, heap, collector_),
      background_(safepoint),
      pretoucher_(heap.cage()),
      settled_ns_(clock.now_ns()),
      old_room_(static_cast<std::int64_t>(options.trigger.old_start.count())),
      has_barriers_(options.write_barriers),
      overhead_(heap.limit()) {
  old_limit_ = trigger_.old_limit();
  nursery_limit_ = options.trigger.nursery;
  if (options.verify) {
    collector_.check_marks();
  }
  if (options.mode != Mode::kManual && heap.has_nursery()) {
    heap.young().resize_nursery(pause_budget_.nursery());
    trigger_.limit_middle(pause_budget_.middle());
  }
  middle_limit_ = trigger_.middle_limit();
}

Result<void> Conductor::mark_on_device(MarkerChoice choice) {
  Result<DeviceMarkers> markers = open_device_markers(
      {.in_stops = open_marker(team_), .beside = std::make_unique<ResumableMarker>()}, team_);
  if (!markers) {
    return markers.failure();
  }
  device_markers_ = *std::move(markers);
  heap_.cards().written().follow();
  if (choice == MarkerChoice::kAuto) {
    choice_.emplace();
  } else {
    collector_.use(*device_markers_.in_stops);
    collector_.use_in_cycles(device_markers_.beside.get());
  }
  return {};
}

bool Conductor::give_back_marker_memory(MutatorState* self) {
  bool gave = false;
  if (device_markers_.in_stops != nullptr) {
    in_stop(self, [&] { gave = device_markers_.in_stops->give_back_memory(); });
  }
  return gave;
}

CollectionReport Conductor::collect_full(const Verdict& verdict) {
  if (!choice_) {
    return collector_.collect_full(verdict.trigger, verdict.compact);
  }
  const MarkingSide side = choice_->choose(objects_last_);
  collector_.use(side == MarkingSide::kDevice ? *device_markers_.in_stops : *marker_);
  CollectionReport report = collector_.collect_full(verdict.trigger, verdict.compact);
  if (report.marker_fallback.empty()) {
    choice_->learn(side, report.objects_marked, report.marking_ns);
  } else {
    choice_->note_failure();
  }
  objects_last_ = report.objects_marked;
  return report;
}

void Conductor::collect_by_trigger(MutatorState& self) {
  run(
      &self, [this] { return judge(); }, 0);
}

CollectionReport Conductor::collect(MutatorState* self, std::uint32_t last,
                                    CollectionTrigger trigger, Compact how) {
  return run(
      self,
      [=] {
        return Verdict{last, trigger, how};
      },
      last);
}

CollectionReport Conductor::run(MutatorState* self, const Choose& choose, std::uint32_t at_least) {
  const std::uint64_t asked = clock_.now_ns();
  const std::uint64_t before = collections();
  while (!safepoint_.stop(self)) {
    // Somebody else stopped the world meanwhile. If that collected as much, it is enough; a thread
    // without a mutator cannot know whether the stop began before it asked. Why never for the oldest:
    // what ended may be a cycle, which leaves what died while it was under way.
    const std::scoped_lock lock(mutex_);
    if (self != nullptr && at_least < heap_.oldest() && account_.collections > before &&
        last_.collected != CollectionReport::kNothing && last_.collected >= at_least) {
      return last_;
    }
  }
  const std::uint64_t stopped = clock_.now_ns();
  ready();
  if (driver_.take_settled()) {
    learn_cycle();
  }
  const Verdict verdict = choose();
  const std::array<Bytes, kMaxGenerations> used_before = used();
  CollectionReport report = carry_out(verdict, stopped);
  report.bytes_before = used_before;
  if (may_start_threads(options_.mode)) {
    pretoucher_.follow(heap_.regions_in_use());
  }
  report.to_safepoint_ns = stopped - asked;
  report.ended_ns = clock_.now_ns();
  report.pause_ns = report.ended_ns - stopped;
  report.began_ns = report.began_ns == 0 ? stopped : report.began_ns;
  note(report);
  options_.after_stop(report);
  if (report.full && report.trigger != CollectionTrigger::kDevicePressure &&
      report.trigger != CollectionTrigger::kForeignRequest) {
    options_.after_full();  // those for payloads are judged by whoever asked for them
  }
  verify_after(report);  // what it takes is nobody's pause, nor the program's own time
  verified_ns_ += clock_.now_ns() - report.ended_ns;
  safepoint_.go(self);
  return report;
}

void Conductor::in_stop(MutatorState* self, const std::function<void()>& work) {
  while (!safepoint_.stop(self)) {
  }
  ready();
  heap_.flush_born_old();
  work();
  safepoint_.go(self);
}

Conductor::StopTimes Conductor::in_counted_stop(MutatorState* self,
                                                const std::function<void(Team&)>& work) {
  const std::uint64_t asked = clock_.now_ns();
  while (!safepoint_.stop(self)) {
  }
  const std::uint64_t stopped = clock_.now_ns();
  ready();
  heap_.flush_born_old();
  work(team_);
  const StopTimes times{stopped - asked, clock_.now_ns() - stopped};
  {
    const std::scoped_lock lock(mutex_);
    account_.pauses.add(times.stop_ns);
    account_.pause_target_misses += times.stop_ns > options_.max_pause_ns ? 1 : 0;
    account_.to_safepoint.add(times.to_safepoint_ns);
  }
  safepoint_.go(self);
  return times;
}

void Conductor::ready() {
  safepoint_.for_each([this](MutatorState& mutator) {
    mutator.retire_buffer();
    heap_.cards().drain(*mutator.log);
    for (const ObjectIndex owner : std::exchange(mutator.new_owners, {})) {
      heap_.owners().add(heap_.generation_of(owner), owner);
    }
    for (const SampledObject& sample : std::exchange(mutator.new_samples, {})) {
      heap_.samples().add(heap_.generation_of(sample.object), sample);
    }
  });
  heap_.cards().drain_full();
  if (!has_write_barriers()) {
    heap_.remember_everything();
  }
  const std::scoped_lock lock(mutex_);
  for (const ObjectIndex owner : std::exchange(orphans_, {})) {
    heap_.owners().add(heap_.generation_of(owner), owner);
  }
  for (const SampledObject& sample : std::exchange(orphan_samples_, {})) {
    heap_.samples().add(heap_.generation_of(sample.object), sample);
  }
}

std::array<Bytes, kMaxGenerations> Conductor::used() const {
  std::array<Bytes, kMaxGenerations> used{};
  for (std::uint32_t generation = 0; generation <= heap_.oldest(); ++generation) {
    used[generation] = heap_.used(generation);
  }
  return used;
}

CollectionReport Conductor::carry_out(const Verdict& verdict, std::uint64_t stopped_ns) {
  CollectionReport report{.collected = CollectionReport::kNothing, .trigger = verdict.trigger};
  if (verdict.last == Verdict::kNone) {
    step_cycle(report, stopped_ns);
  } else if (verdict.last >= heap_.oldest()) {
    driver_.abandon();
    begin_old_collection();
    report = collect_full(verdict);
    learn_full(report.bytes_promoted, clock_.now_ns() - stopped_ns);
  } else {
    const Bytes youngest = heap_.used(0);
    youngest_before_ = youngest;
    report = collector_.collect_young(verdict.last, verdict.trigger);
    learn(report, youngest, clock_.now_ns() - stopped_ns);
    step_cycle(report, stopped_ns);
  }
  const Bytes old = heap_.used(heap_.oldest());
  if (verdict.last != Verdict::kNone || report.full) {
    trigger_.learn(verdict, report, old);
  }
  old_room_.store(static_cast<std::int64_t>(trigger_.old_limit().count()) -
                      static_cast<std::int64_t>(old.count()),
                  std::memory_order_relaxed);
  const bool is_blocked = heap_.has_nursery() && heap_.young().is_blocked();
  blocked_room_.store(
      is_blocked ? static_cast<std::int64_t>(heap_.young().nursery_size().count()) : 0,
      std::memory_order_relaxed);
  return report;
}

void Conductor::verify_after(const CollectionReport& report) {
  if (options_.verify || kVerify) {
    const Result<void> verified = verify(heap_);
    if (!verified) {
      fail("after a " + std::string(report.full ? "full" : "young") +
           " collection: " + verified.failure().message);
    }
  }
}

// From a young collection: in full ones, what was copied is not what the stop cost.
void Conductor::learn(const CollectionReport& report, Bytes youngest, std::uint64_t pause_ns) {
  if (options_.mode == Mode::kManual) {
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (!nursery_asked_.is_zero()) {
      pause_budget_.limit_nursery(std::exchange(nursery_asked_, {}));
    }
  }
  pause_budget_.learn({.youngest = youngest,
                       .youngest_survived = report.bytes_survived[0],
                       .survived = report.bytes_copied + report.bytes_promoted,
                       .pause_ns = pause_ns});
  heap_.young().resize_nursery(pause_budget_.nursery());
  trigger_.limit_middle(pause_budget_.middle());
}

void Conductor::resize_nursery(Bytes nursery) {
  const std::scoped_lock lock(mutex_);
  nursery_asked_ = nursery_limit_ = nursery;
  heap_.young().resize_nursery(nursery);
}

Bytes Conductor::nursery_limit() const {
  const std::scoped_lock lock(mutex_);
  return nursery_limit_;
}

ProgramCounters Conductor::counters() {
  const std::uint64_t allocated = bytes_allocated();
  const std::scoped_lock lock(mutex_);
  return {.now_ns = clock_.now_ns(),
          .processor_ns = clock_.processor_ns(),
          .paused_ns = account_.pauses.total_ns(),
          .bytes_allocated = allocated,
          .bytes_copied = (account_.bytes_copied + account_.bytes_promoted).count(),
          .bytes_promoted = account_.bytes_promoted.count(),
          .collections = account_.collections};
}

void Conductor::note(const CollectionReport& report) {
  const std::scoped_lock lock(mutex_);
  last_ = report;
  old_limit_ = trigger_.old_limit();
  middle_limit_ = trigger_.middle_limit();
  Statistics& sum = account_;
  sum.pauses.add(report.pause_ns);
  sum.pause_target_misses += report.pause_ns > options_.max_pause_ns ? 1 : 0;
  sum.to_safepoint.add(report.to_safepoint_ns);
  if (!(report.collected == CollectionReport::kNothing)) {
    ++sum.collections;
    ++(report.full ? sum.full_collections : sum.young_collections);
    ++sum.collections_by_trigger[static_cast<std::size_t>(report.trigger)];
    ++sum.collections_by_generation[report.collected];
    if (recent_.size() == kRecent) {
      recent_.pop_front();
    }
    recent_.push_back(report);
    learn_efficiency(report);
    learn_overhead(report);
  }
  sum.bytes_copied += report.bytes_copied;
  sum.bytes_promoted += report.bytes_promoted;
  // In one stop all go to the oldest generation; beside the end of a cycle they go up by age.
  const bool all_to_oldest = report.full && report.marking_began_ns > 0;
  for (std::uint32_t from = 0; from < heap_.oldest(); ++from) {
    const std::uint64_t early = report.promoted_early[from];
    sum.promoted_into[all_to_oldest ? heap_.oldest() : from + 1] +=
        report.promoted_from[from] - early;
    sum.promoted_into[heap_.oldest()] += early;
  }
  sum.cards_scanned += report.cards_scanned;
  sum.payloads_retired += report.payloads_retired;
  sum.payload_bytes_retired += report.payload_bytes_retired;
  sum.compactions += report.objects_compacted > 0 ? 1 : 0;
  sum.objects_compacted += report.objects_compacted;
  sum.bytes_compacted += report.bytes_compacted;
  sum.device_markings += report.marked_on_device ? 1 : 0;
  if (!report.marker_fallback.empty()) {
    ++sum.marker_fallbacks;
    sum.marker_fallback = report.marker_fallback;
  }
  if (report.root_callback_failures > 0) {
    sum.root_callback_failures += report.root_callback_failures;
    sum.root_callback_failure = report.root_callback_failure;
  }
  note_decisions(report);
}

void Conductor::learn_efficiency(const CollectionReport& report) {
  constexpr double kNew = 0.25;  // so much of the newest counts, once there were three
  constexpr double kNsPerMs = 1e6;
  const double weight = std::max(kNew, 1.0 / static_cast<double>(account_.collections));
  const auto freed =
      static_cast<double>((report.bytes_freed + report.payload_bytes_retired).count());
  freed_ += weight * (freed - freed_);
  paused_ms_ += weight * (static_cast<double>(report.pause_ns) / kNsPerMs - paused_ms_);
  account_.collection_efficiency = paused_ms_ > 0 ? freed_ / paused_ms_ : 0.0;
}

void Conductor::learn_overhead(const CollectionReport& report) {
  if (report.full && is_for_room(report.trigger)) {
    overhead_.note({.ended_ns = report.ended_ns,
                    .stopped_ns = account_.pauses.total_ns() + verified_ns_,
                    .freed = report.bytes_freed});
  }
}

std::string Conductor::why_give_up() const {
  const std::scoped_lock lock(mutex_);
  return last_.full && overhead_.is_passed() ? overhead_.describe() : std::string();
}

std::vector<CollectionReport> Conductor::recent() const {
  const std::scoped_lock lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

std::uint64_t Conductor::collections() const {
  const std::scoped_lock lock(mutex_);
  return account_.collections;
}

void Conductor::adopt(MutatorState& mutator) {
  mutator.retire_buffer();
  heap_.cards().hand_in(std::move(mutator.log));
  const std::scoped_lock lock(mutex_);
  orphans_.insert(orphans_.end(), mutator.new_owners.begin(), mutator.new_owners.end());
  orphan_samples_.insert(orphan_samples_.end(), mutator.new_samples.begin(),
                         mutator.new_samples.end());
  bytes_of_ended_ += mutator.bytes_allocated;
}

void Conductor::account(Statistics& statistics) const {
  const std::scoped_lock lock(mutex_);
  statistics = account_;
  statistics.bytes_allocated = Bytes{bytes_of_ended_};
  statistics.old_limit = old_limit_;
  statistics.middle_limit = middle_limit_;
  const Bytes in_cycles = statistics.cycles.bytes_allocated;
  statistics.cycles = driver_.statistics();
  statistics.cycles.bytes_allocated = in_cycles;
  statistics.pause_target_misses += statistics.cycles.slices.count_above(options_.max_pause_ns);
}

}  // namespace tenure
