// One marking by kernels: a heap's arrays on the device, the launches, and what they left.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "kernels/launch.hpp"
#include "tests/kernels/device_memory.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::testing {

/// Who goes from level to level.
enum class Driver : std::uint8_t { kGrid, kHost };

class DeviceMarking {
 public:
  DeviceMarking(const HeapArrays& heap, std::uint32_t queue_entries,
                std::uint32_t blocks = 1u << 20)
      : words_(heap.words),
        types_(heap.types),
        regions_(heap.regions),
        blocks_(heap.blocks),
        marks_(heap.marks),
        workspace_(kernels::MarkWorkspace::bytes_for(queue_entries), std::byte{0xA5}) {
    launch_.heap = {.view = {.words = words_.data(),
                             .types = types_.data(),
                             .regions = regions_.data(),
                             .blocks = blocks_.data(),
                             .marks = marks_.data(),
                             .heap = HeapId{1}},
                    .regions = static_cast<std::uint32_t>(regions_.size()),
                    .types = static_cast<std::uint32_t>(types_.size())};
    launch_.workspace = {.memory = workspace_.data(), .queue_entries = queue_entries};
    launch_.blocks = std::min(blocks, kernels::query_mark_grid().blocks);
  }

  void mark(std::span<const ObjectIndex> roots, Driver driver = Driver::kGrid) {
    Buffer<ObjectIndex> copy(roots);
    launch_.roots = copy.data();
    launch_.root_count = static_cast<std::uint32_t>(roots.size());
    ASSERT_EQ(launch_mark_roots(nullptr, launch_), kernels::LaunchStatus::kOk);
    if (driver == Driver::kGrid) {
      ASSERT_EQ(launch_mark_to_end(nullptr, launch_), kernels::LaunchStatus::kOk);
    }
    while (counters().left != 0) {
      ASSERT_EQ(driver, Driver::kHost) << "the grid ended early";
      ASSERT_EQ(launch_mark_levels(nullptr, launch_, 3), kernels::LaunchStatus::kOk);
    }
  }

  [[nodiscard]] kernels::MarkCounters counters() const {
    kernels::MarkCounters counters;
    std::memcpy(&counters, workspace_.read().data(), sizeof(counters));
    return counters;
  }
  [[nodiscard]] std::vector<std::uint32_t> marks() const { return marks_.read(); }
  [[nodiscard]] kernels::MarkLaunch& launch() { return launch_; }

 private:
  Buffer<std::uint32_t> words_;
  Buffer<TypeRow> types_;
  Buffer<RegionRow> regions_;
  Buffer<BlockRow> blocks_;
  Buffer<std::uint32_t> marks_;
  Buffer<std::byte> workspace_;
  kernels::MarkLaunch launch_;
};

}  // namespace tenure::testing
