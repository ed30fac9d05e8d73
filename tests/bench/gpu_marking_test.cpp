// The device benchmark's marking, over the substitute of the CUDA runtime: every marker leaves the same
// bits, every course says something of each, and only what changed is shipped.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "bench/gpu/sections.hpp"
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
  EXPECT_EQ(count(lines, ": device, resident"), 12u) << lines;
  EXPECT_EQ(count(lines, ": device, cycle after 1 %"), 12u) << lines;
  EXPECT_EQ(count(lines, "left_out"), 0u) << lines;
}

TEST_F(GpuMarkingTest, ComparesAllMarkersOnListsAndArrays) {
  const std::string lines = lines_of(measure_marking_lists);

  EXPECT_EQ(count(lines, ": device, resident"), 6u) << lines;
}

}  // namespace

}  // namespace tenure::bench
