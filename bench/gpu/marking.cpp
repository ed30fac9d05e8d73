// Marking one heap by all markers: on the host alone, by spans, by a team of all cores; on the device
// with the heap shipped first, with nothing but a hundredth of its cards shipped, and with the copy as
// it was; in cycles, with what is sent beside mutators told from what is left for the stop; and on the
// device over a snapshot of the edges, the copy's rival. All bits are compared, all of them.
//
// A device's figures are whole markings: what is sent, the kernels, the bits brought home. Host markers
// find their bits clear, as in a collection; the device clears its own.
#include <algorithm>
#include <cstdint>
#include <thread>

#include "bench/gpu/course.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"

namespace tenure::bench {

namespace {

std::uint32_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

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
    CheckedHeap heap(course, team_.size());
    measure_host(heap, team_);
    const MirrorFigures mirror = measure_mirror(heap, team_);
    measure_cycles(heap, team_);
    measure_snapshot(heap, team_, mirror);
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
