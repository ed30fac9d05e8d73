// What `marker=auto` learns of host and device, over the substitute of the CUDA runtime, on a machine
// whose device has memory of its own, and on one whose device shares the host's: there a cycle's marking
// is the host's whoever was chosen, and nothing of it is the device's rate.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <utility>

#include "tests/cuda/substitute/substitute.hpp"
#include "tests/simt/launch_hook.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config chosen_by_rates(bool shares_host_memory) {
  substitute::Machine machine;
  machine.shares_host_memory = shares_host_memory;
  substitute::reset(machine);
  simt::set_launch_hook([](CUstream_st* stream, std::function<void()> run) {
    return static_cast<int>(substitute::enqueue(stream, std::move(run)));
  });
  Config config = small_config();
  config.mode = Mode::kIncremental;
  config.device = "cuda:0";  // else a device is not looked for
  config.marker = MarkerChoice::kAuto;
  config.promotion_age = 1;
  config.old_start = 12_MiB;  // no cycle before there are all objects
  config.heap_limit = 256_MiB;
  config.verify = false;  // of so many objects it would take most of the test's time
  return config;
}

class LearnedRatesTest : public RuntimeTest, public ::testing::WithParamInterface<bool> {
 protected:
  // A device is worth a try from 300,000 old ones on.
  static constexpr std::uint32_t kObjects = 350'000;

  LearnedRatesTest() : RuntimeTest(chosen_by_rates(GetParam())) {
    for (std::uint32_t k = 0; k < kObjects; ++k) {
      replace(k);
    }
  }

  void replace(std::uint32_t k) { (*nodes)[k] = make_node(k); }
  // Has old objects die until so many further cycles have ended.
  void run_cycles(std::uint64_t further) {
    const std::uint64_t ended = runtime.statistics().cycles.ended + further;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::uint32_t next = 0;
    while (runtime.statistics().cycles.ended < ended) {
      ASSERT_LT(std::chrono::steady_clock::now(), end)
          << "only " << runtime.statistics().cycles.ended << " cycles ended";
      for (int k = 0; k < 1000; ++k) {
        replace(next);
        next = (next + 7) % kObjects;
      }
    }
  }

  Local<RefArray<Node>> nodes = make_array<Node>(*mutator, kObjects);
};

TEST_P(LearnedRatesTest, AreThoseOfWhoeverMarked) {
  const bool shares_host_memory = GetParam();
  EXPECT_FALSE(collect_full().marked_on_device) << "nothing is known, so the host is first";

  ASSERT_NO_FATAL_FAILURE(run_cycles(2));

  const Statistics now = runtime.statistics();
  EXPECT_EQ(now.marker_fallbacks, 0u) << now.marker_fallback;
  if (shares_host_memory) {
    EXPECT_EQ(now.cycles.on_device, 0u);
    EXPECT_TRUE(collect_full().marked_on_device) << "nobody has tried it yet";
    EXPECT_FALSE(collect_full().marked_on_device) << "it was tried once";
  } else {
    EXPECT_EQ(now.cycles.on_device, 1u) << "tried once; to change sides takes more than that";
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, LearnedRatesTest, ::testing::Values(false, true),
                         [](const auto& of) {
                           return of.param ? "MemoryShared" : "MemoryOfItsOwn";
                         });

}  // namespace
}  // namespace tenure::testing
