// Leasing payload memory and handing it back, where a block of the size is at hand.
//
// Models: a tensor program in its stride: 64 buffers of a size live, on one stream, and each step
// replaces the oldest one ("one by one"), or hands all back and leases as many again, as a training
// step does ("by 64"). Nobody touches the bytes, on no side: it is the allocators that are compared.
// The biggest worlds are 4 GiB of addresses.
//
// The pool lies on the host backend, called by its own door. What a runtime puts before it, the
// choice of the pool and of when to collect, is not part of this figure.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "bench/benches.hpp"
#include "bench/pool_threads.hpp"
#include "core/base/check.hpp"
#include "core/payload/pool.hpp"
#include "host/host_backend.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kLive = 64;
constexpr double kLimit = 60;    // ns a pair, at every size
constexpr double kTarget = 0.5;  // of mimalloc's time, from kTargetFrom up
constexpr Bytes kTargetFrom = 1_MiB;

// Buffers of the pool.
class Leases {
 public:
  Leases(PayloadPool& pool, Bytes size) : pool_(pool), size_(size) {}

  void take(std::size_t place) {
    Result<PayloadLease> lease = pool_.lease(size_, StreamId::kDefault);
    check(lease.ok(), "the pool refused a lease");
    leases_[place] = std::move(*lease);
  }
  void give_back(std::size_t place) { leases_[place].release(); }

 private:
  PayloadPool& pool_;
  Bytes size_;
  std::array<PayloadLease, kLive> leases_;
};

// Buffers of malloc or of its like.
class Blocks {
 public:
  using Allocate = void* (*)(std::size_t size);
  using Free = void (*)(void* block);

  Blocks(Allocate allocate, Free free, Bytes size)
      : allocate_(allocate), free_(free), size_(size) {}
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() {
    for (void* const block : blocks_) {
      free_(block);
    }
  }

  void take(std::size_t place) {
    blocks_[place] = allocate_(size_.count());
    check(blocks_[place] != nullptr, "a rival refused a block");
  }
  void give_back(std::size_t place) { free_(std::exchange(blocks_[place], nullptr)); }

 private:
  Allocate allocate_;
  Free free_;
  Bytes size_;
  std::array<void*, kLive> blocks_{};
};

template <class Side>
void fill(Side& side) {
  for (std::size_t place = 0; place < kLive; ++place) {
    side.take(place);
  }
}

template <class Side>
Run one_by_one(Side& side) {
  return [&side](std::uint64_t pairs) {
    const Stopwatch watch;
    for (std::uint64_t k = 0; k < pairs; ++k) {
      side.give_back(k % kLive);
      side.take(k % kLive);
      benchmark::ClobberMemory();
    }
    return watch.ns() / static_cast<double>(pairs);
  };
}

template <class Side>
Run by_all(Side& side) {
  return [&side](std::uint64_t times) {
    const Stopwatch watch;
    for (std::uint64_t k = 0; k < times; ++k) {
      for (std::size_t place = 0; place < kLive; ++place) {
        side.give_back(place);
      }
      for (std::size_t place = 0; place < kLive; ++place) {
        side.take(place);
      }
      benchmark::ClobberMemory();
    }
    return watch.ns() / static_cast<double>(times * kLive);
  };
}

}  // namespace

void bench_pool(Session& session) {
  HostBackend backend;
  for (const Bytes size : {512_B, 4_KiB, 64_KiB, 1_MiB, 8_MiB, 64_MiB}) {
    PayloadPool pool(backend, MemoryKind::kHost);
    Leases ours(pool, size);
    Blocks mimalloc(session.mimalloc().allocate, session.mimalloc().free, size);
    Blocks plain(std::malloc, std::free, size);
    fill(ours);
    fill(mimalloc);
    fill(plain);
    const std::optional<double> target =
        size >= kTargetFrom ? std::optional(kTarget) : std::nullopt;
    session.measure({.name = "64 live of " + to_string(size) + ", one by one",
                     .unit = "ns per pair",
                     .limit = kLimit,
                     .ours = one_by_one(ours),
                     .rivals = {{"mimalloc", target, one_by_one(mimalloc)},
                                {"malloc", {}, one_by_one(plain)}}});
    session.measure(
        {.name = "64 live of " + to_string(size) + ", by 64",
         .unit = "ns per pair",
         .limit = kLimit,
         .ours = by_all(ours),
         .rivals = {{"mimalloc", target, by_all(mimalloc)}, {"malloc", {}, by_all(plain)}}});
    const PoolStatistics statistics = pool.statistics();
    check(statistics.live_blocks == kLive && statistics.reserved <= 2 * kLive * size + 64_MiB,
          "the pool mapped more than its working set");
  }
  measure_pool_tape(session);
  measure_pool_on_threads(session);
}

}  // namespace tenure::bench
