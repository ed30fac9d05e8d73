// What the summaries must give under every policy of Thrust.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/summary.cuh"
#include "tests/kernels/device_memory.hpp"
#include "tests/kernels/kernel_fixture.hpp"

namespace tenure::testing {

/// Place  says with `policy()` where to run
template <class Place>
class SummaryContract : public KernelTest {
 protected:
  static std::vector<kernels::RegionLive> drawn(std::uint64_t seed, std::uint32_t regions) {
    std::mt19937_64 random(seed);
    std::vector<kernels::RegionLive> live(regions);
    for (kernels::RegionLive& row : live) {
      row.objects = random() % 3 == 0 ? 0 : 1 + static_cast<std::uint32_t>(random() % 500);
      row.granules = row.objects * (2 + static_cast<std::uint32_t>(random() % 30));
    }
    return live;
  }
};
TYPED_TEST_SUITE_P(SummaryContract);

TYPED_TEST_P(SummaryContract, AddsUpWhatLives) {
  for (const std::uint32_t regions : {0u, 1u, 1000u}) {
    const std::vector<kernels::RegionLive> live = this->drawn(regions, regions);
    kernels::LiveTotal expected;
    for (const kernels::RegionLive& row : live) {
      expected.objects += row.objects;
      expected.granules += row.granules;
      expected.regions += row.objects != 0 ? 1 : 0;
    }
    Buffer<kernels::RegionLive> rows(live);

    const kernels::LiveTotal total = kernels::total_live(TypeParam::policy(), rows.data(), regions);

    EXPECT_EQ(total.objects, expected.objects);
    EXPECT_EQ(total.granules, expected.granules);
    EXPECT_EQ(total.regions, expected.regions);
  }
}

TYPED_TEST_P(SummaryContract, PlansToEmptyTheSparsestRegionsFirst) {
  constexpr std::uint32_t kRegionCount = 700;
  constexpr std::uint32_t kLimit = 4000;
  const std::vector<kernels::RegionLive> live = this->drawn(5, kRegionCount);
  std::vector<std::uint32_t> expected;
  for (std::uint32_t region = 0; region < kRegionCount; ++region) {
    if (live[region].objects != 0 && live[region].granules < kLimit) {
      expected.push_back(region);
    }
  }
  std::stable_sort(expected.begin(), expected.end(), [&](std::uint32_t left, std::uint32_t right) {
    return live[left].granules < live[right].granules;
  });
  Buffer<kernels::RegionLive> rows(live);
  Buffer<std::uint32_t> order(kRegionCount);
  Buffer<std::uint32_t> live_in(kRegionCount);
  Buffer<std::uint32_t> offsets(kRegionCount);

  const std::uint32_t chosen =
      kernels::plan_evacuation(TypeParam::policy(), rows.data(), kRegionCount, kLimit, order.data(),
                               live_in.data(), offsets.data());

  ASSERT_EQ(chosen, expected.size());
  const std::vector<std::uint32_t> order_found = order.read();
  const std::vector<std::uint32_t> offsets_found = offsets.read();
  std::uint32_t before = 0;
  for (std::uint32_t k = 0; k < chosen; ++k) {
    ASSERT_EQ(order_found[k], expected[k]);
    ASSERT_EQ(offsets_found[k], before);
    before += live[expected[k]].granules;
  }
}

REGISTER_TYPED_TEST_SUITE_P(SummaryContract, AddsUpWhatLives, PlansToEmptyTheSparsestRegionsFirst);

}  // namespace tenure::testing
