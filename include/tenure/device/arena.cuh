// What a kernel calls: allocation from an arena, counted by size class.
//
// Plain CUDA, read by nvcc; it needs nothing of the library but this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tenure/device/arena.hpp"

namespace tenure::device {

namespace detail {

__device__ __forceinline__ std::uint32_t class_of(Count bytes) {
  const auto width = static_cast<std::uint32_t>(63 - __clzll(static_cast<long long>(bytes | 1)));
  return width < kSizeClasses ? width : kSizeClasses - 1;
}

__device__ __forceinline__ ClassCounts& counts_of(const ArenaView& arena,
                                                  std::uint32_t size_class) {
  return arena.state->counts[blockIdx.x % kCounterShards][size_class];
}

__device__ __forceinline__ void count(ClassCounts& counts, bool is_served, Count requests,
                                      Count bytes) {
  atomicAdd(is_served ? &counts.count : &counts.failures, requests);
  atomicAdd(is_served ? &counts.bytes : &counts.refused_bytes, bytes);
}

// The sum over the lanes of `peers`, given to the first of them; all lanes of the warp call it. Each
// turn adds to a lane what the next of its peers holds, and half of those that are left drop out.
__device__ __forceinline__ Count sum_of_peers(std::uint32_t peers, Count value) {
  const std::uint32_t lane = threadIdx.x % 32;
  const std::uint32_t below = peers & ((1u << lane) - 1);
  auto rank = static_cast<std::uint32_t>(__popc(below));
  std::uint32_t above = peers & ~below & ~(1u << lane);
  while (__any_sync(~0u, static_cast<int>(above)) != 0) {
    const int next = __ffs(static_cast<int>(above)) - 1;
    const Count other = __shfl_sync(~0u, value, next >= 0 ? next : static_cast<int>(lane));
    value += next >= 0 ? other : 0;
    above &= __ballot_sync(~0u, rank % 2 == 0 ? 1 : 0);
    rank /= 2;
  }
  return value;
}

// Counts one request of each lane; one pair of atomics for each size class in the warp.
__device__ __forceinline__ void count_warp(const ArenaView& arena, bool is_served, Count bytes) {
  const std::uint32_t size_class = bytes != 0 ? class_of(bytes) : kSizeClasses;
  const std::uint32_t peers = __match_any_sync(~0u, size_class);
  const Count sum = sum_of_peers(peers, bytes);
  const std::uint32_t lane = threadIdx.x % 32;
  if (bytes != 0 && lane == static_cast<std::uint32_t>(__ffs(static_cast<int>(peers)) - 1)) {
    count(counts_of(arena, size_class), is_served, static_cast<Count>(__popc(peers)), sum);
  }
}

// Where the next `bytes` begin, or kRefused. One atomic, or none where it is plain that there is no
// room: then `top` stays, and smaller requests are served.
inline constexpr Count kRefused = ~Count{0};
__device__ __forceinline__ Count take(const ArenaView& arena, Count bytes) {
  if (__ldcg(&arena.state->top) + bytes > arena.capacity) {
    return kRefused;
  }
  const Count base = atomicAdd(&arena.state->top, bytes);
  return base + bytes > arena.capacity ? kRefused : base;
}

// What a request takes. More than the arena holds is one byte too many: nothing wraps.
__device__ __forceinline__ Count rounded(const ArenaView& arena, Count bytes) {
  return bytes > arena.capacity ? arena.capacity + 1
                                : (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

}  // namespace detail

/// Memory for each lane of a warp, aligned to kArenaAlignment. All 32 lanes call it; one that needs
/// nothing asks for 0 bytes and gets null. A warp is served whole or refused whole: then all get null.
///
/// cost  one atomic a warp, and a pair for each size class asked for
[[nodiscard]] __device__ __forceinline__ std::byte* allocate_warp(const ArenaView& arena,
                                                                  Count bytes) {
  const std::uint32_t lane = threadIdx.x % 32;
  const Count own = detail::rounded(arena, bytes);
  Count end = own;
  for (std::uint32_t distance = 1; distance < 32; distance *= 2) {
    const Count other = __shfl_up_sync(~0u, end, distance);
    end += lane >= distance ? other : 0;
  }
  const Count total = __shfl_sync(~0u, end, 31);
  if (total == 0) {
    return nullptr;
  }
  Count base = 0;
  if (lane == 0) {
    base = detail::take(arena, total);
  }
  base = __shfl_sync(~0u, base, 0);
  const bool is_served = base != detail::kRefused;
  detail::count_warp(arena, is_served, bytes);
  return is_served && bytes != 0 ? arena.memory + base + end - own : nullptr;
}

/// Memory for one lane, on any path; null where it is refused, or asks for 0 bytes.
///
/// cost  three atomics a lane
[[nodiscard]] __device__ __forceinline__ std::byte* allocate(const ArenaView& arena, Count bytes) {
  if (bytes == 0) {
    return nullptr;
  }
  const Count base = detail::take(arena, detail::rounded(arena, bytes));
  const bool is_served = base != detail::kRefused;
  detail::count(detail::counts_of(arena, detail::class_of(bytes)), is_served, 1, bytes);
  return is_served ? arena.memory + base : nullptr;
}

}  // namespace tenure::device
