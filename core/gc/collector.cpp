#include "core/gc/collector.hpp"

#include <algorithm>
#include <numeric>

#include "core/backend/platform.hpp"
#include "core/gc/evacuation.hpp"
#include "core/gc/held_regions.hpp"
#include "core/gc/verifier.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/type_table.hpp"

namespace tenure {

namespace {

std::array<Bytes, kMaxGenerations> survived_in(const Survivors& survivors) {
  std::array<Bytes, kMaxGenerations> bytes{};
  for (std::size_t generation = 0; generation < bytes.size(); ++generation) {
    const auto& by_age = survivors[generation];
    bytes[generation] =
        Bytes{std::accumulate(by_age.begin(), by_age.end(), std::uint64_t{0}) * kGranuleBytes};
  }
  return bytes;
}

CollectionReport report_of(const EvacuationStats& stats, CollectionTrigger trigger) {
  return {.trigger = trigger,
          .objects_copied = stats.objects_copied,
          .objects_promoted = stats.objects_promoted,
          .objects_held = stats.objects_held,
          .bytes_copied = stats.bytes_copied,
          .bytes_promoted = stats.bytes_promoted,
          .promoted_from = stats.promoted_from,
          .promoted_early = stats.promoted_early,
          .bytes_promoted_from = stats.bytes_promoted_from,
          .bytes_survived = survived_in(stats.survivors),
          .cards_scanned = stats.cards_scanned,
          .payloads_retired = stats.retired.payloads,
          .payload_bytes_retired = stats.retired.bytes,
          .weak_cleared = stats.afterlife.weak_cleared,
          .map_entries_dropped = stats.afterlife.map_entries_dropped,
          .finalizers_queued = stats.afterlife.finalizers_queued};
}

void note_afterlife(const AfterlifeReport& done, CollectionReport& report) {
  report.weak_cleared += done.weak_cleared;
  report.map_entries_dropped += done.map_entries_dropped;
  report.finalizers_queued += done.finalizers_queued;
}

void note_emptied(const EvacuationStats& stats, CollectionReport& report) {
  report.objects_held -= std::min(report.objects_held, stats.objects_promoted);
  report.objects_promoted += stats.objects_promoted;
  report.bytes_promoted += stats.bytes_promoted;
  for (std::uint32_t from = 0; from < kMaxGenerations; ++from) {
    report.promoted_from[from] += stats.promoted_from[from];
    report.bytes_promoted_from[from] += stats.bytes_promoted_from[from];
  }
  report.cards_scanned += stats.cards_scanned;
  report.payloads_retired += stats.retired.payloads;
  report.payload_bytes_retired += stats.retired.bytes;
  note_afterlife(stats.afterlife, report);
}

void note_asked(const RootsAsked& asked, CollectionReport& report) {
  report.root_callback_failures = asked.failures;
  report.root_callback_failure = asked.failure;
}

void note_marked(const MarkStats& marked, CollectionReport& report) {
  report.objects_marked = marked.objects;
  report.marked_on_device = marked.on_device;
  report.marker_fallback = marked.fallback;
  report.copy_rounds = marked.rounds_beside;
  report.copied_beside = Bytes{marked.copied_beside};
  report.copied_in_stop = Bytes{marked.copied_in_stop};
}

void note_compacted(const CompactionStats& stats, CollectionReport& report) {
  report.fragmentation = stats.fragmentation;
  report.objects_compacted = stats.objects_moved;
  report.bytes_compacted = stats.bytes_moved;
  report.blocks_emptied = stats.blocks_emptied;
}

// What the afterlife asks of a marking.
struct MarkingReach {
  HeapView heap;
  Marker& marker;
  const std::function<bool()>& read_all;

  [[nodiscard]] bool covers(ObjectIndex object) const { return marking_claims(heap, object); }
  [[nodiscard]] bool reached(ObjectIndex object) const { return is_marked(heap.marks, object); }
  void keep(ObjectIndex object) { marker.add({&object, 1}); }
  bool read() { return read_all(); }
};

Bytes freed_between(Bytes before, Bytes after) { return before > after ? before - after : Bytes{}; }

}  // namespace

CollectionReport Collector::collect_young(std::uint32_t last, CollectionTrigger trigger) {
  heap_.flush_born_old();
  const RootsAsked asked = heap_.roots().begin_collection();
  const Bytes before = heap_.used();
  const EvacuationStats stats = evacuate(heap_, last, Promotion::kByAge, team_);
  learn_ages(last, stats.survivors);
  if (cycle_.is_under_way()) {
    cycle_.add(stats.promoted_while_marking);
    cycle_.take_born();
  }
  CollectionReport report = report_of(stats, trigger);
  note_asked(asked, report);
  report.collected = last;
  report.evacuated = last;
  report.bytes_freed = freed_between(before, heap_.used());
  return report;
}

void Collector::learn_ages(std::uint32_t last, const Survivors& survivors) {
  if (!heap_.options().adapts_ages) {
    return;
  }
  ageing_.learn(last, survivors);
  for (std::uint32_t generation = 0; generation < heap_.oldest(); ++generation) {
    heap_.set_promotion_age(generation, ageing_.age(generation));
  }
}

CollectionReport Collector::collect_full(CollectionTrigger trigger, Compact how) {
  cycle_.abandon();
  heap_.flush_born_old();
  const RootsAsked asked = heap_.roots().begin_collection();
  const Bytes before = heap_.used();
  CollectionReport report{.trigger = trigger};
  if (heap_.has_nursery()) {
    report =
        report_of(evacuate(heap_, heap_.oldest() - 1, Promotion::kAllToOldest, team_), trigger);
    report.evacuated = heap_.oldest() - 1;
  }
  note_asked(asked, report);
  report.collected = heap_.oldest();
  report.full = true;

  heap_.begin_marking();
  const std::vector<ObjectIndex> roots = marking_roots();
  const std::uint64_t marking = host_platform().now_ns();
  marker_->begin({.heap = heap_.view(),
                  .roots = roots,
                  .types = TypeTable::instance().size(),
                  .written = heap_.cards().written().cards()});
  if (marker_->keeps_copy()) {  // else the next that does is told of all since
    heap_.cards().written().start_over();
  }
  (void)marker_->advance(Marker::kNoBudget);
  report.marking_began_ns = marking;
  report.marking_ns = host_platform().now_ns() - marking;
  if (check_marks_) {  // before finalizers bring back what the roots do not reach
    const Result<void> checked = verify_marks(heap_, roots);
    check(checked.ok(), checked ? "" : checked.failure().message);
  }
  (void)settle_afterlife(report, *marker_, [this] { return marker_->advance(Marker::kNoBudget); });
  note_marked(marker_->complete(), report);

  settle(report);
  heap_.settle_cells();
  note_emptied(empty_held_regions(heap_, team_), report);
  note_compacted(compact(heap_, team_, how), report);
  report.bytes_freed = freed_between(before, heap_.used());
  return report;
}

void Collector::begin_cycle() {
  heap_.flush_born_old();
  if (!heap_.has_nursery()) {  // else the young collection has asked
    (void)heap_.roots().begin_collection();
  }
  const std::vector<ObjectIndex> roots = marking_roots();
  cycle_.begin(roots);
}

bool Collector::try_end_cycle(CollectionReport& report, const std::function<bool()>& out_of_time) {
  constexpr std::uint64_t kObjectsAtATime = 256;
  heap_.flush_born_old();
  if (!heap_.has_nursery()) {
    note_asked(heap_.roots().begin_collection(), report);
  }
  const std::vector<ObjectIndex> roots = marking_roots();
  cycle_.take_born();
  cycle_.add(roots);
  const std::function<bool()> read_all = [&] {
    while (!cycle_.advance(kObjectsAtATime)) {
      if (out_of_time()) {
        return false;
      }
    }
    return true;
  };
  if (!read_all() || !settle_afterlife(report, cycle_.marker(), read_all)) {
    return false;
  }
  const Bytes before = heap_.used();
  note_marked(cycle_.end(), report);
  report.collected = heap_.oldest();
  report.full = true;
  settle(report);
  report.bytes_freed += freed_between(before, heap_.used());
  return true;
}

bool Collector::settle_afterlife(CollectionReport& report, Marker& marker,
                                 const std::function<bool()>& read_all) {
  const AfterlifeReport done = heap_.afterlife().settle(
      heap_.oldest(), heap_.oldest(), MarkingReach{heap_.view(), marker, read_all});
  note_afterlife(done, report);
  return done.is_complete;
}

void Collector::settle(CollectionReport& report) {
  // Why before the cells are settled: a dead owner says itself which payload was its own.
  const Retired retired = heap_.owners().settle(
      heap_.oldest(), [this](ObjectIndex& owner) { return is_marked(heap_.cage().marks(), owner); },
      [this](ObjectIndex) { return heap_.oldest(); });
  report.payloads_retired += retired.payloads;
  report.payload_bytes_retired += retired.bytes;
  heap_.samples().settle(
      heap_.oldest(),
      [this](ObjectIndex object) { return is_marked(heap_.cage().marks(), object); },
      [this](ObjectIndex) { return heap_.oldest(); });
  heap_.end_marking();
}

std::vector<ObjectIndex> Collector::marking_roots() {
  std::vector<ObjectIndex> roots;
  heap_.roots().for_each([&](ObjectIndex& root) { roots.push_back(root); });
  // Objects that could not be promoted are not covered by the marking: what they name is a root.
  heap_.young().for_each_region([&](std::uint32_t region) {
    const std::uint32_t first = first_granule_of_region(region);
    const std::uint32_t top = first + heap_.cage().regions()[region].top;
    for (std::uint32_t at = first; at < top; at += detail::header_of(object_on(at)).size) {
      for_each_reference(heap_.view(), object_on(at),
                         [&](ObjectIndex child) { roots.push_back(child); });
    }
  });
  return roots;
}

}  // namespace tenure
