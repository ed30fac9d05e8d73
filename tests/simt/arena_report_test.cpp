// An arena's report, looked at by the host between any two steps of the kernel that writes it.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "tenure/device/arena.hpp"
#include "tests/kernels/arena_probe.hpp"
#include "tests/simt/engine.hpp"

namespace tenure::testing {

namespace {

// Each warp asks once in each of 16 classes and is refused: so the rows of one report are alike.
TEST(ArenaReport, IsWholeWheneverItIsRead) {
  std::vector<device::Count> bytes(kProbeThreads);
  for (std::uint32_t thread = 0; thread < kProbeThreads; ++thread) {
    bytes[thread] = thread % 32 < 16 ? device::Count{1} << (thread % 32) : 0;
  }
  std::vector<std::uint64_t> places(kProbeThreads);
  device::ArenaState state;
  device::ArenaReport report;
  const device::ArenaView arena{.memory = nullptr, .capacity = 0, .state = &state};
  std::uint32_t whole = 0;

  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    simt::options() = {.seed = seed, .preempt = 4};
    ASSERT_EQ(launch_probe(Ask::kByWarp, arena, bytes.data(), places.data(), 1),
              kernels::LaunchStatus::kOk);
    std::uint32_t torn = 0;
    simt::options().observer = [&] {
      const std::optional<device::ArenaReport> seen = device::try_read(report);
      whole += seen ? 1 : 0;
      for (std::uint32_t k = 1; seen && k < 16; ++k) {
        torn += seen->classes[k].failures != seen->classes[0].failures ? 1 : 0;
      }
    };
    ASSERT_EQ(device::publish_arena(nullptr, arena, &report), 0);
    simt::options() = {};

    ASSERT_EQ(torn, 0u) << "seed " << seed;
  }

  EXPECT_GT(whole, 0u);
  EXPECT_EQ(report.classes[15].failures, 20 * kProbeThreads / 32);
}

}  // namespace

}  // namespace tenure::testing
