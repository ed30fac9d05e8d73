// What a kernel may say, as the emulator means it. Chosen by the include path; kernels/nvcc has the
// file of that name that nvcc reads.
//
// Blocks and grids have one dimension. Atomics are relaxed; __ldcg reads what atomics wrote.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#include "kernels/launch.hpp"
#include "tests/simt/engine.hpp"
#include "tests/simt/launch_hook.hpp"

#define __global__ inline
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

/// A variable that a block's threads share. What it holds at first is undefined: poison, here.
#define TENURE_SHARED(Type, name)                                                              \
  Type& name = *[]() -> Type* {                                                                \
    static const char variable = 0;                                                            \
    return static_cast<Type*>(::tenure::simt::shared(&variable, sizeof(Type), alignof(Type))); \
  }()

struct EmulatedIndex {
  unsigned x;
};
#define threadIdx (EmulatedIndex{::tenure::simt::thread_index()})
#define blockIdx (EmulatedIndex{::tenure::simt::block_index()})
#define blockDim (EmulatedIndex{::tenure::simt::block_threads()})
#define gridDim (EmulatedIndex{::tenure::simt::grid_blocks()})

namespace tenure::simt {

template <class To, class From>
To bits_as(const From& from) {
  static_assert(sizeof(From) <= sizeof(std::uint64_t) && sizeof(To) <= sizeof(std::uint64_t));
  To to{};
  std::memcpy(&to, &from, sizeof(From) < sizeof(To) ? sizeof(From) : sizeof(To));
  return to;
}

template <class Value>
Value shuffle(unsigned mask, Value value, unsigned source) {
  return bits_as<Value>(
      collective(Collective::kShuffle, mask, bits_as<std::uint64_t>(value), source));
}
inline unsigned own_lane() { return thread_index() % kWarpLanes; }

}  // namespace tenure::simt

inline void __syncthreads() { tenure::simt::block_barrier(false); }
inline int __syncthreads_or(int predicate) {
  return tenure::simt::block_barrier(predicate != 0).count != 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate) {
  return tenure::simt::block_barrier(predicate != 0).all ? 1 : 0;
}
inline int __syncthreads_count(int predicate) {
  return tenure::simt::block_barrier(predicate != 0).count;
}

inline void __syncwarp(unsigned mask = ~0u) {
  static_cast<void>(tenure::simt::collective(tenure::simt::Collective::kSync, mask, 0, 0));
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return static_cast<unsigned>(
      tenure::simt::collective(tenure::simt::Collective::kBallot, mask, predicate != 0 ? 1 : 0, 0));
}
inline int __all_sync(unsigned mask, int predicate) {
  return static_cast<int>(
      tenure::simt::collective(tenure::simt::Collective::kAll, mask, predicate != 0 ? 1 : 0, 0));
}
inline int __any_sync(unsigned mask, int predicate) {
  return static_cast<int>(
      tenure::simt::collective(tenure::simt::Collective::kAny, mask, predicate != 0 ? 1 : 0, 0));
}
template <class Value>
unsigned __match_any_sync(unsigned mask, Value value) {
  return static_cast<unsigned>(tenure::simt::collective(
      tenure::simt::Collective::kMatchAny, mask, tenure::simt::bits_as<std::uint64_t>(value), 0));
}
template <class Value>
Value __shfl_sync(unsigned mask, Value value, int source) {
  return tenure::simt::shuffle(mask, value,
                               static_cast<unsigned>(source) % tenure::simt::kWarpLanes);
}
template <class Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned distance) {
  const unsigned lane = tenure::simt::own_lane();
  return tenure::simt::shuffle(mask, value, lane >= distance ? lane - distance : lane);
}
template <class Value>
Value __shfl_xor_sync(unsigned mask, Value value, int bits) {
  return tenure::simt::shuffle(mask, value, tenure::simt::own_lane() ^ static_cast<unsigned>(bits));
}

inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __clz(int bits) { return std::countl_zero(static_cast<unsigned>(bits)); }
inline int __clzll(long long bits) {
  return std::countl_zero(static_cast<unsigned long long>(bits));
}
// Why no fence: lanes of one block run on one thread, and of weak memory nothing is shown.
inline void __threadfence() { tenure::simt::preempt_point(); }
inline void __threadfence_system() { tenure::simt::preempt_point(); }

template <class Value>
Value __ldg(const Value* place) {
  return *place;
}
template <class Value>
Value __ldcg(const Value* place) {
  tenure::simt::preempt_point();
  return __atomic_load_n(place, __ATOMIC_RELAXED);
}

template <class Value>
void __stcg(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  __atomic_store_n(place, value, __ATOMIC_RELAXED);
}

// A type that is named, and not deduced, as CUDA's overloads do: atomicAdd(&word, 1u).
template <std::integral Value>
Value atomicAdd(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  return __atomic_fetch_add(place, value, __ATOMIC_RELAXED);
}
template <std::integral Value>
Value atomicSub(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  return __atomic_fetch_sub(place, value, __ATOMIC_RELAXED);
}
template <std::integral Value>
Value atomicOr(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  return __atomic_fetch_or(place, value, __ATOMIC_RELAXED);
}
template <std::integral Value>
Value atomicAnd(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  return __atomic_fetch_and(place, value, __ATOMIC_RELAXED);
}
template <std::integral Value>
Value atomicExch(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  return __atomic_exchange_n(place, value, __ATOMIC_RELAXED);
}
template <std::integral Value>
Value atomicCAS(Value* place, std::type_identity_t<Value> expected,
                std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  __atomic_compare_exchange_n(place, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <std::integral Value>
Value atomicMax(Value* place, std::type_identity_t<Value> value) {
  tenure::simt::preempt_point();
  Value found = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (found < value && !__atomic_compare_exchange_n(place, &found, value, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return found;
}

namespace tenure::kernels::device {

/// All threads of the grid wait for each other; a cooperative launch's alone.
inline void grid_barrier() { simt::grid_barrier(); }

/// The sum over a warp, whose lanes all call it.
inline unsigned warp_sum(unsigned value) {
  return static_cast<unsigned>(simt::collective(simt::Collective::kSum, ~0u, value, 0));
}

/// Sixteen bytes that travel at once.
struct alignas(16) Quad {
  unsigned x, y, z, w;
};

template <simt::Cooperation cooperation, class... Parameters>
LaunchStatus enqueue(StreamHandle stream, unsigned blocks, unsigned threads,
                     void (*kernel)(Parameters...), std::type_identity_t<Parameters>... arguments) {
  const std::function<void()> body = [kernel, arguments...] { kernel(arguments...); };
  return static_cast<LaunchStatus>(simt::enqueue_launch(
      stream, [blocks, threads, body] { simt::run(blocks, threads, cooperation, body); }));
}

template <class... Parameters>
LaunchStatus launch(StreamHandle stream, unsigned blocks, unsigned threads,
                    void (*kernel)(Parameters...), std::type_identity_t<Parameters>... arguments) {
  return enqueue<simt::Cooperation::kNone>(stream, blocks, threads, kernel, arguments...);
}
template <class... Parameters>
LaunchStatus launch_cooperative(StreamHandle stream, unsigned blocks, unsigned threads,
                                void (*kernel)(Parameters...),
                                std::type_identity_t<Parameters>... arguments) {
  return enqueue<simt::Cooperation::kWholeGrid>(stream, blocks, threads, kernel, arguments...);
}

template <class... Parameters>
MarkGrid query_grid(unsigned /*threads*/, void (* /*kernel*/)(Parameters...)) {
  return simt::emulated_grid();
}

}  // namespace tenure::kernels::device
