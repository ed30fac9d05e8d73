// What a marking's live counts add up to, and which regions to empty first, by Thrust: the same code
// on a device and, for tests, on the computer itself. The policy says where.
//
// Invariant: these are no launch functions. Where the policy is a device's they take temporary memory
// by its allocator, and wait for their result.
#pragma once

#include <thrust/count.h>
#include <thrust/execution_policy.h>
#include <thrust/scan.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/transform.h>
#include <thrust/transform_reduce.h>

#include <cstdint>

#include "kernels/mark_job.hpp"

namespace tenure::kernels {

/// All regions' live counts.
struct LiveTotal {
  Count objects = 0;
  Count granules = 0;
  Count regions = 0;  // with something alive in them
};

namespace summary {

// Why constexpr and no words of CUDA: so both compilers take them for either side.
struct TotalOfOne {
  constexpr LiveTotal operator()(const RegionLive& live) const {
    return {live.objects, live.granules, live.objects != 0 ? Count{1} : Count{0}};
  }
};
struct AddUp {
  constexpr LiveTotal operator()(const LiveTotal& left, const LiveTotal& right) const {
    return {left.objects + right.objects, left.granules + right.granules,
            left.regions + right.regions};
  }
};
struct IsSparse {
  std::uint32_t limit;  // granules
  constexpr bool operator()(const RegionLive& live) const {
    return live.objects != 0 && live.granules < limit;
  }
};
// Empty regions last: there is nothing to move.
struct Rank {
  constexpr std::uint32_t operator()(const RegionLive& live) const {
    return live.objects != 0 ? live.granules : ~0u;
  }
};

}  // namespace summary

/// live  [regions], where the policy reads
template <class Policy>
[[nodiscard]] LiveTotal total_live(const Policy& policy, const RegionLive* live,
                                   std::uint32_t regions) {
  return thrust::transform_reduce(policy, live, live + regions, summary::TotalOfOne{}, LiveTotal{},
                                  summary::AddUp{});
}

/// The regions that hold something and less than `limit` granules, emptiest first, and where what
/// lives in each begins when all of it is laid one behind the other. Ties by place, so that the plan is
/// the same on every machine.
///
/// live     [regions], where the policy reads
/// order    [regions] the regions chosen, then the others
/// live_in  [regions] what lives in each of those chosen, in granules
/// offsets  [regions] granules that those before it hold; less than a cage has, so 32 bits do
/// returns  how many are chosen
template <class Policy>
[[nodiscard]] std::uint32_t plan_evacuation(const Policy& policy, const RegionLive* live,
                                            std::uint32_t regions, std::uint32_t limit,
                                            std::uint32_t* order, std::uint32_t* live_in,
                                            std::uint32_t* offsets) {
  thrust::sequence(policy, order, order + regions);
  thrust::transform(policy, live, live + regions, live_in, summary::Rank{});
  // Why all of them, and by key: that is a radix sort, where a comparison of ours would be a merge sort
  // that spills; a cage has 131,072 regions at the most.
  thrust::stable_sort_by_key(policy, live_in, live_in + regions, order);
  const auto chosen = static_cast<std::uint32_t>(
      thrust::count_if(policy, live, live + regions, summary::IsSparse{limit}));
  thrust::exclusive_scan(policy, live_in, live_in + chosen, offsets, 0u);
  return chosen;
}

}  // namespace tenure::kernels
