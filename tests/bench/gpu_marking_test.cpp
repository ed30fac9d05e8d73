// The device benchmark's marking, over the substitute of the CUDA runtime: every marker leaves the same
// bits, every course says something of each, and only what changed is shipped.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "bench/gpu/checked_heap.hpp"
#include "bench/gpu/sections.hpp"
#include "bench/gpu/snapshot_marker.hpp"
#include "core/model/serial_marker.hpp"
#include "tests/cuda/substitute/substitute.hpp"
#include "tests/simt/launch_hook.hpp"

namespace tenure::bench {

namespace {

class GpuMarkingTest : public ::testing::Test {
 protected:
  GpuMarkingTest() {
    substitute::reset();
    simt::set_launch_hook([](CUstream_st* stream, std::function<void()> run) {
      return static_cast<int>(substitute::enqueue(stream, std::move(run)));
    });
  }

  // Lines that a section wrote. It throws where two markers leave different bits.
  static std::string lines_of(void (*section)(const SectionOptions&)) {
    ::testing::internal::CaptureStdout();
    section({.seconds = 120, .largest = 3000, .smallest = 3000});
    return ::testing::internal::GetCapturedStdout();
  }
  static std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      ++found;
    }
    return found;
  }
};

TEST_F(GpuMarkingTest, ComparesAllMarkersOnEveryGraph) {
  const std::string lines = lines_of(measure_marking);

  EXPECT_EQ(count(lines, ": host, all cores"), 12u) << lines;
  EXPECT_EQ(count(lines, ": device, resident\""), 12u) << lines;
  EXPECT_EQ(count(lines, ": device, cycle after 1 %"), 12u) << lines;
  EXPECT_EQ(count(lines, ": snapshot, walked, shipped\""), 12u) << lines;
  EXPECT_EQ(count(lines, ": snapshot, walked again for 1 %"), 12u) << lines;
  EXPECT_EQ(count(lines, ": snapshot, resident\""), 12u) << lines;
  EXPECT_EQ(count(lines, "\"column_bytes\": 0,"), 12u) << "the resident ones ship nothing" << lines;
  for (const char* const question : {": first marking: the ", ": after 1 % of the cards: the ",
                                     ": resident: the ", ": kernels alone: the "}) {
    EXPECT_EQ(count(lines, question), 12u) << question << lines;
  }
  EXPECT_EQ(count(lines, "left_out"), 0u) << lines;
}

TEST_F(GpuMarkingTest, ComparesAllMarkersOnListsAndArrays) {
  const std::string lines = lines_of(measure_marking_lists);

  EXPECT_EQ(count(lines, ": device, resident\""), 6u) << lines;
  EXPECT_EQ(count(lines, ": device, resident, chains not contracted\""), 4u) << lines;
  EXPECT_EQ(count(lines, ": snapshot, resident\""), 6u) << lines;
}

TEST_F(GpuMarkingTest, ShipsASnapshotBesideItsWalkAndEachWordOnce) {
  Team team(3);
  CheckedHeap heap({.order = Order::kShuffled, .objects = 60'000, .references = 4}, 2);
  SerialMarker serial;
  heap.mark(serial, heap.job());
  for (const std::uint64_t copy_words : {std::uint64_t{1}, std::uint64_t{50'000}}) {
    SnapshotMarker marker(team, copy_words);
    for (int k = 0; k < 3; ++k) {  // the first finds no room yet
      heap.mark(marker, heap.job());

      EXPECT_EQ(marker.figures().row_bytes, marker.snapshot().rows().size_bytes());
      EXPECT_EQ(marker.figures().column_bytes, marker.snapshot().columns().size_bytes());
    }
  }
}

}  // namespace

}  // namespace tenure::bench
