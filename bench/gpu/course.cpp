#include "bench/gpu/course.hpp"

#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "bench/gpu/report.hpp"
#include "core/gc/parallel_marker.hpp"
#include "core/gc/span_marker.hpp"
#include "core/model/serial_marker.hpp"
#include "cuda/cuda_cycle_marker.hpp"
#include "cuda/cuda_marker.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kSerialMost = 2'000'000;  // the oracle is slow

double ms(std::uint64_t ns) { return static_cast<double>(ns) * 1e-6; }
double bytes(Bytes size) { return static_cast<double>(size.count()); }

void say(const CheckedHeap& heap, const std::string& who, const Took& took) {
  report("marking", heap.name() + ": " + who, took.seconds * 1e3, "ms",
         {{"objects_per_us", heap.objects() / took.seconds * 1e-6},
          {"cpu_ms", took.cpu_seconds * 1e3}});
}

// Ends the section where the host marked instead.
DeviceMarking on_device(const CheckedHeap& heap, const CudaMarker& marker) {
  if (!marker.on_device()) {
    throw std::runtime_error(heap.name() + ": " + marker.fallback());
  }
  return *marker.on_device();
}

void say(const CheckedHeap& heap, const std::string& who, const Took& took,
         const DeviceMarking& done) {
  report("marking", heap.name() + ": " + who, took.seconds * 1e3, "ms",
         {{"objects_per_us", heap.objects() / took.seconds * 1e-6},
          {"cpu_ms", took.cpu_seconds * 1e3},
          {"ship_ms", ms(done.ship_ns)},
          {"mark_ms", ms(done.mark_ns)},
          {"home_ms", ms(done.home_ns)},
          {"bulk_bytes", bytes(done.traffic.bulk)},
          {"card_bytes", bytes(done.traffic.cards)},
          {"table_bytes", bytes(done.traffic.tables)},
          {"home_bytes", bytes(done.traffic.home)},
          {"levels", done.counters.levels},
          {"chased", static_cast<double>(done.counters.chased)},
          {"queue_peak", done.counters.queue_peak},
          {"overflow_regions", done.counters.overflow_regions}});
}

// Of a list, by following it alone.
double kernel_without_contraction(CheckedHeap& heap, Team& team) {
  CudaMarkerOptions options;
  options.tuning.contract_after = 0;
  CudaMarker marker(std::make_unique<StoppedMarker>(), team, options);
  MarkJob job = heap.job();
  heap.mark(marker, job);
  job.written = std::span<const std::uint32_t>{};
  const auto [took, done] = heap.best_of_some(marker, job, [&] { return on_device(heap, marker); });
  say(heap, "device, resident, chains not contracted", took, done);
  return ms(done.mark_ns);
}

// As a cycle has it: rounds beside mutators, then a stop, then kernels while they run.
//
// written  before the first round; nothing: anything may have been
// late     while that was sent
void say_cycle(CheckedHeap& heap, const std::string& who, CudaCycleMarker& marker,
               std::optional<std::span<const std::uint32_t>> written,
               std::span<const std::uint32_t> late) {
  MarkJob job = heap.job();
  job.written = written;
  while (marker.note_for_copy(job)) {
    while (!marker.copy_some()) {
    }
    job.written = std::exchange(late, {});
  }
  job.written = std::span<const std::uint32_t>{};
  heap.clear_marks();
  const double begin = seconds_now();
  marker.begin(job);
  const double stopped = seconds_now() - begin;
  (void)marker.advance(Marker::kNoBudget);
  const MarkStats stats = marker.complete();
  const double took = seconds_now() - begin;
  if (!stats.on_device) {
    throw std::runtime_error(heap.name() + ": " + stats.fallback);
  }
  heap.must_be_expected(stats.objects);
  report("marking", heap.name() + ": " + who, took * 1e3, "ms",
         {{"stop_ms", stopped * 1e3},
          {"beside_bytes", static_cast<double>(stats.copied_beside)},
          {"stop_bytes", static_cast<double>(stats.copied_in_stop)},
          {"heap_bytes", static_cast<double>(heap.bytes())},
          {"rounds", stats.rounds_beside}});
}

}  // namespace

void measure_host(CheckedHeap& heap, Team& team) {
  if (heap.objects() <= kSerialMost) {
    SerialMarker serial;
    say(heap, "host, serial", heap.mark(serial, heap.job()));
  }
  StoppedMarker spans;
  say(heap, "host, spans, one core", heap.mark(spans, heap.job()));
  ParallelMarker parallel(team);
  const Took first = heap.mark(parallel, heap.job());
  const Took second = heap.mark(parallel, heap.job());
  say(heap, "host, all cores", first.seconds < second.seconds ? first : second);
}

MirrorFigures measure_mirror(CheckedHeap& heap, Team& team) {
  CudaMarker marker(std::make_unique<StoppedMarker>(), team);
  MarkJob job = heap.job();
  const Took cold = heap.mark(marker, job);
  say(heap, "device, memory mapped, shipped", cold, on_device(heap, marker));
  const Took shipped = heap.mark(marker, job);
  say(heap, "device, shipped", shipped, on_device(heap, marker));

  const std::vector<std::uint32_t> cards = heap.some_cards();
  job.written = cards;
  const auto figures = [&] { return on_device(heap, marker); };
  const auto [after_writes, after_writes_done] = heap.best_of_some(marker, job, figures);
  say(heap, "device, 1 % of the cards shipped", after_writes, after_writes_done);
  job.written = std::span<const std::uint32_t>{};
  const auto [resident, resident_done] = heap.best_of_some(marker, job, figures);
  say(heap, "device, resident", resident, resident_done);
  return {.first = shipped.seconds * 1e3,
          .after_writes = after_writes.seconds * 1e3,
          .resident = resident.seconds * 1e3,
          .first_cpu = shipped.cpu_seconds * 1e3,
          .kernel = heap.shape() == BigShape::kList ? kernel_without_contraction(heap, team)
                                                    : ms(resident_done.mark_ns)};
}

void measure_cycles(CheckedHeap& heap, Team& team) {
  CudaCycleMarker marker(std::make_unique<ResumableMarker>(),
                         std::make_shared<MarkingDevice>(team, CudaMarkerOptions{}));
  say_cycle(heap, "device, first cycle", marker, std::nullopt, {});
  const std::vector<std::uint32_t> cards = heap.some_cards();
  const std::span<const std::uint32_t> late = std::span(cards).first(cards.size() / 50);
  say_cycle(heap, "device, cycle after 1 % of the cards were written, a 50th of them in the round",
            marker, cards, late);
}

}  // namespace tenure::bench
