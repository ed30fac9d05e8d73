// The kernels as a marker, in the emulator: the contract of every marker, begun, advanced, given
// further roots and completed.
#include "tests/contract/marker_contract.hpp"

#include <algorithm>
#include <vector>

#include "kernels/launch.hpp"
#include "tests/simt/engine.hpp"

namespace tenure::testing {

namespace {

// A job's arrays are device memory here. It marks in one order of lanes, drawn for the whole suite.
class EmulatedMarker final : public Marker {
 public:
  EmulatedMarker() { simt::options() = {.workers = 2, .resident = 2, .seed = 11, .preempt = 16}; }

  void begin(const MarkJob& job) override {
    launch_.heap = {.view = job.heap, .regions = RandomHeap::kHeapRegions, .types = job.types};
    launch_.workspace = {.memory = workspace_.data(), .queue_entries = kQueueEntries};
    launch_.blocks = 2;
    before_ = {};
    mark_from(job.roots);
  }

  bool advance(std::uint64_t budget) override {
    if (budget == kNoBudget) {
      expect_taken(launch_mark_to_end(nullptr, launch_));
    } else {
      expect_taken(launch_mark_levels(nullptr, launch_,
                                      static_cast<std::uint32_t>(std::min(budget, kMostLevels))));
    }
    return counters().left == 0;
  }

  void add(std::span<const ObjectIndex> objects) override {
    advance(kNoBudget);
    keep_counters();
    mark_from(objects);
  }

  MarkStats complete() override {
    advance(kNoBudget);
    keep_counters();
    return before_;
  }

 private:
  static constexpr std::uint32_t kQueueEntries = 64;
  static constexpr std::uint64_t kMostLevels = 2;

  void mark_from(std::span<const ObjectIndex> roots) {
    launch_.roots = roots.data();
    launch_.root_count = static_cast<std::uint32_t>(roots.size());
    expect_taken(launch_mark_roots(nullptr, launch_));
  }

  static void expect_taken(kernels::LaunchStatus status) {
    ASSERT_EQ(status, kernels::LaunchStatus::kOk);
  }

  [[nodiscard]] const kernels::MarkCounters& counters() const {
    return *reinterpret_cast<const kernels::MarkCounters*>(workspace_.data());
  }
  void keep_counters() {
    before_.objects += counters().objects;
    before_.references += counters().references;
  }

  std::vector<std::byte> workspace_ =
      std::vector<std::byte>(kernels::MarkWorkspace::bytes_for(kQueueEntries));
  kernels::MarkLaunch launch_;
  MarkStats before_;  // of the launches before the last roots
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Emulated, MarkerContract, EmulatedMarker);

}  // namespace tenure::testing
