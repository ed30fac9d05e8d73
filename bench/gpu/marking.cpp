// Marking one heap by all markers: on the host alone, by spans, by a team of all cores; on the device
// with the heap shipped first, with nothing but a hundredth of its cards shipped, and with the copy as
// it was; and in cycles, with what is sent beside mutators told from what is left for the stop. All bits
// are compared, all of them.
//
// A device's figures are whole markings: what is sent, the kernels, the bits brought home. Host markers
// find their bits clear, as in a collection; the device clears its own.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/gpu/big_heap.hpp"
#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"
#include "bench/gpu/shuffle.hpp"
#include "core/base/team.hpp"
#include "core/gc/parallel_marker.hpp"
#include "core/gc/span_marker.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/serial_marker.hpp"
#include "cuda/cuda_cycle_marker.hpp"
#include "cuda/cuda_marker.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kSerialMost = 2'000'000;  // the oracle is slow

std::uint32_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

// One heap, and the bits that every marker has to leave.
class Course {
 public:
  Course(const BigHeapOptions& options, Team& team)
      : name_(in_words(options)), team_(team), heap_(options, team.size()) {}

  void run() {
    measure_host();
    measure_device();
    measure_cycles();
  }

 private:
  void measure_host() {
    if (heap_.objects() <= kSerialMost) {
      SerialMarker serial;
      say("host, serial", mark(serial, heap_.job()));
    }
    StoppedMarker spans;
    say("host, spans, one core", mark(spans, heap_.job()));
    ParallelMarker parallel(team_);
    const double first = mark(parallel, heap_.job());
    say("host, all cores", std::min(first, mark(parallel, heap_.job())));
  }

  void measure_device() {
    CudaMarker marker(std::make_unique<StoppedMarker>(), team_);
    const double cold = mark(marker, heap_.job());
    must_be_on_device(marker);
    say("device, memory mapped, shipped", cold, &marker);
    const double shipped = mark(marker, heap_.job());
    say("device, shipped", shipped, &marker);

    const std::vector<std::uint32_t> cards = some_cards();
    MarkJob job = heap_.job();
    job.written = cards;
    say("device, 1 % of the cards shipped", best_of(marker, job), &marker);
    job.written = std::span<const std::uint32_t>{};
    say("device, resident", best_of(marker, job), &marker);
  }

  // As a cycle has it: rounds beside mutators, then a stop, then kernels while they run.
  void measure_cycles() {
    CudaCycleMarker marker(std::make_unique<ResumableMarker>(),
                           std::make_shared<MarkingDevice>(team_, CudaMarkerOptions{}));
    say_cycle("device, first cycle", marker, std::nullopt, {});
    const std::vector<std::uint32_t> cards = some_cards();
    const std::span<const std::uint32_t> late = std::span(cards).first(cards.size() / 50);
    say_cycle("device, cycle after 1 % of the cards were written, a 50th of them in the round",
              marker, cards, late);
  }

  // written  before the first round; nothing: anything may have been
  // late     while that was sent
  void say_cycle(const std::string& who, CudaCycleMarker& marker,
                 std::optional<std::span<const std::uint32_t>> written,
                 std::span<const std::uint32_t> late) {
    MarkJob job = heap_.job();
    job.written = written;
    while (marker.note_for_copy(job)) {
      while (!marker.copy_some()) {
      }
      job.written = std::exchange(late, {});
    }
    job.written = std::span<const std::uint32_t>{};
    heap_.clear_marks();
    const double begin = seconds_now();
    marker.begin(job);
    const double stopped = seconds_now() - begin;
    (void)marker.advance(Marker::kNoBudget);
    const MarkStats stats = marker.complete();
    const double took = seconds_now() - begin;
    if (!stats.on_device) {
      throw std::runtime_error(name_ + ": " + stats.fallback);
    }
    must_be_expected(stats.objects);
    report("marking", name_ + ": " + who, took * 1e3, "ms",
           {{"stop_ms", stopped * 1e3},
            {"beside_bytes", static_cast<double>(stats.copied_beside)},
            {"stop_bytes", static_cast<double>(stats.copied_in_stop)},
            {"heap_bytes", static_cast<double>(heap_.bytes())},
            {"rounds", stats.rounds_beside}});
  }

  double best_of(CudaMarker& marker, const MarkJob& job) {
    double best = mark(marker, job);
    for (int k = 0; k < 2; ++k) {
      best = std::min(best, mark(marker, job));
    }
    must_be_on_device(marker);
    return best;
  }

  // Seconds; ends the section where the bits are not those that the first marker left.
  double mark(Marker& marker, const MarkJob& job) {
    heap_.clear_marks();
    const double begin = seconds_now();
    marker.begin(job);
    (void)marker.advance(Marker::kNoBudget);
    const MarkStats stats = marker.complete();
    const double took = seconds_now() - begin;
    must_be_expected(stats.objects);
    return took;
  }

  void must_be_expected(std::uint64_t objects) {
    if (objects != heap_.objects()) {
      throw std::runtime_error(name_ + ": " + std::to_string(objects) + " objects marked of " +
                               std::to_string(heap_.objects()));
    }
    if (expected_.empty()) {
      expected_.assign(heap_.marks().begin(), heap_.marks().end());
    } else if (!std::equal(expected_.begin(), expected_.end(), heap_.marks().begin())) {
      throw std::runtime_error(name_ + ": a marker's bits are not those of the first");
    }
  }

  void must_be_on_device(const CudaMarker& marker) const {
    if (!marker.on_device()) {
      throw std::runtime_error(name_ + ": " + marker.fallback());
    }
  }

  // A hundredth of the cards of the regions that hold references, spread evenly.
  std::vector<std::uint32_t> some_cards() {
    const auto regions = static_cast<std::uint32_t>(heap_.bytes() / kRegionBytes);
    const Shuffle shuffle(regions * kCardsPerRegion);
    std::vector<std::uint32_t> cards(std::max(regions * kCardsPerRegion / 100, 1u));
    for (std::uint32_t k = 0; k < cards.size(); ++k) {
      cards[k] = kCardsPerRegion + shuffle(k);  // region 0 holds nothing
    }
    return cards;
  }

  void say(const std::string& who, double seconds, const CudaMarker* marker = nullptr) {
    const double rate = heap_.objects() / seconds * 1e-6;
    const std::string what = name_ + ": " + who;
    if (marker == nullptr || !marker->on_device()) {
      report("marking", what, seconds * 1e3, "ms", {{"objects_per_us", rate}});
      return;
    }
    const DeviceMarking& done = *marker->on_device();
    report("marking", what, seconds * 1e3, "ms",
           {{"objects_per_us", rate},
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

  static double ms(std::uint64_t ns) { return static_cast<double>(ns) * 1e-6; }
  static double bytes(Bytes size) { return static_cast<double>(size.count()); }

  static constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;

  std::string name_;
  Team& team_;
  BigHeap heap_;
  std::vector<std::uint32_t> expected_;  // bits of the first marker
};

// Runs the courses in turn, until the section's time is over. Each is known by its first try of the
// same kind ten times smaller to take about ten times as long; what would not fit is left out.
class Program {
 public:
  explicit Program(const SectionOptions& options)
      : options_(options), end_(seconds_now() + options.seconds) {}

  void run(const BigHeapOptions& course) {
    const double left = end_ - seconds_now();
    const double expected = seconds_an_object_ * course.objects;
    if (left < expected || left < 1) {
      report_left_out("marking", in_words(course), "the section's time would not have sufficed");
      return;
    }
    const double begin = seconds_now();
    Course(course, team_).run();
    constexpr std::uint32_t kTellsAnything = 5'000'000;
    if (course.objects >= kTellsAnything) {
      seconds_an_object_ = (seconds_now() - begin) / course.objects;
    }
  }

 private:
  SectionOptions options_;
  double end_;
  double seconds_an_object_ = 0;  // that the last large course took
  Team team_{cores()};
};

}  // namespace

void measure_marking(const SectionOptions& options) {
  Program program(options);
  for (std::uint64_t objects = options.smallest; objects <= options.largest; objects *= 10) {
    for (const Order order : {Order::kShuffled, Order::kAllocation}) {
      for (const std::uint32_t references : {4u, 2u, 8u}) {
        for (const Leaves leaves : {Leaves::kNone, Leaves::kHalf}) {
          program.run({.order = order,
                       .leaves = leaves,
                       .objects = static_cast<std::uint32_t>(objects),
                       .references = references});
        }
      }
    }
  }
}

void measure_marking_lists(const SectionOptions& options) {
  Program program(options);
  const auto most = static_cast<std::uint32_t>(options.largest);
  for (const Order order : {Order::kAllocation, Order::kShuffled}) {
    program.run(
        {.shape = BigShape::kWideArray, .order = order, .objects = std::min(10'000'000u, most)});
  }
  // Why not longer: a device follows a list by one access after another, some 0.5 us each.
  for (const std::uint32_t objects : {std::min(100'000u, most), std::min(1'000'000u, most)}) {
    for (const Order order : {Order::kAllocation, Order::kShuffled}) {
      program.run({.shape = BigShape::kList, .order = order, .objects = objects});
    }
  }
}

}  // namespace tenure::bench
