// The heap's copy against a snapshot of its edges: what the host walks, what is shipped, what the kernels
// take, and which of the two wins, for a first marking, after a hundredth of the cards was written, and
// where nothing was.
#include <set>

#include "bench/gpu/course.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/snapshot_marker.hpp"

namespace tenure::bench {

namespace {

struct Alone {
  double walk_ms = 0;  // nothing shipped beside it
  double copy_ms = 0;  // nothing walked
};

double ms(double seconds) { return seconds * 1e3; }

void say(const CheckedHeap& heap, const std::string& who, const Took& took,
         const SnapshotFigures& done, const SnapshotMarker& marker, const Alone& alone,
         std::size_t regions_written) {
  report("marking", heap.name() + ": " + who, ms(took.seconds), "ms",
         {{"objects_per_us", heap.objects() / took.seconds * 1e-6},
          {"cpu_ms", ms(took.cpu_seconds)},
          {"ship_ms", ms(done.ship_s)},
          {"walk_alone_ms", alone.walk_ms},
          {"copy_alone_ms", alone.copy_ms},
          {"mark_ms", ms(done.mark_s)},
          {"home_ms", ms(done.home_s)},
          {"row_bytes", static_cast<double>(done.row_bytes)},
          {"column_bytes", static_cast<double>(done.column_bytes)},
          {"home_bytes", static_cast<double>(done.home_bytes)},
          {"host_table_bytes", static_cast<double>(marker.snapshot().table_bytes())},
          {"device_bytes", static_cast<double>(marker.device_bytes())},
          {"regions_written", static_cast<double>(regions_written)},
          {"levels", done.counters.levels},
          {"chased", static_cast<double>(done.counters.chased)},
          {"queue_peak", done.counters.queue_peak},
          {"overflow_regions", done.counters.overflow_regions}});
}

// A line of the table, by which device runs decide: who won, and by how much.
void decide(const CheckedHeap& heap, const std::string& what, double mirror_ms,
            double snapshot_ms) {
  const bool mirror_wins = mirror_ms <= snapshot_ms;
  const double times = mirror_wins ? snapshot_ms / mirror_ms : mirror_ms / snapshot_ms;
  report("mirror or snapshot",
         heap.name() + ": " + what + ": " + (mirror_wins ? "the mirror" : "the snapshot"), times,
         "times as fast", {{"mirror_ms", mirror_ms}, {"snapshot_ms", snapshot_ms}});
}

}  // namespace

void measure_snapshot(CheckedHeap& heap, Team& team, const MirrorFigures& mirror) {
  SnapshotMarker marker(team);
  if (!marker.can_mark()) {
    report_left_out("marking", heap.name() + ": snapshot",
                    "its kernels need a grid that can wait for itself");
    return;
  }
  MarkJob job = heap.job();
  const Took cold = heap.mark(marker, job);
  const SnapshotFigures cold_done = marker.figures();
  const Alone alone{ms(marker.time_walk()), ms(marker.time_copies())};
  say(heap, "snapshot, memory taken and locked, walked, shipped", cold, cold_done, marker, alone,
      0);
  const Took first = heap.mark(marker, job);
  say(heap, "snapshot, walked, shipped", first, marker.figures(), marker, alone, 0);

  const std::vector<std::uint32_t> cards = heap.some_cards();
  std::set<std::uint32_t> written;
  for (const std::uint32_t card : cards) {
    written.insert(card / kCardsPerRegion);
  }
  job.written = cards;
  const auto figures = [&] { return marker.figures(); };
  const auto [again, again_done] = heap.best_of_some(marker, job, figures);
  say(heap, "snapshot, walked again for 1 % of the cards, shipped", again, again_done, marker,
      alone, written.size());
  job.written = std::span<const std::uint32_t>{};
  const auto [resident, resident_done] = heap.best_of_some(marker, job, figures);
  say(heap, "snapshot, resident", resident, resident_done, marker, {}, 0);

  decide(heap, "first marking", mirror.first, ms(first.seconds));
  decide(heap, "first marking, time of all cores", mirror.first_cpu, ms(first.cpu_seconds));
  decide(heap, "after 1 % of the cards", mirror.after_writes, ms(again.seconds));
  decide(heap, "resident", mirror.resident, ms(resident.seconds));
  decide(heap, "kernels alone", mirror.kernel, ms(resident_done.mark_s));
}

}  // namespace tenure::bench
