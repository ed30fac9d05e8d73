// Threads that lease from one pool and hand back, each a tensor program of its own in its stride: 64
// buffers of its own live, and each step replaces the oldest one. In one row all ask for one size, as
// workers that serve a model do; in the other each of eight sizes comes by chance.
//
// A figure is the time of all threads together by the pairs they made, so that threads which do not
// disturb each other show as a half on two cores. What one pair took is measured from clock to clock,
// some 40 ns for looking at the clock included, on all sides.
//
// "one big lock" is the same pool as a program would guard one that is not made for threads: a lease
// and a return each take a std::mutex around it.
#include "bench/pool_threads.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/support/random.hpp"
#include "core/base/check.hpp"
#include "core/payload/pool.hpp"
#include "host/host_backend.hpp"
#include "tenure/statistics.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kLive = 64;
constexpr std::uint32_t kSizes = 8;
constexpr double kTapeLimit = 15;  // ns a pair more than without

enum class Sizes : std::uint8_t { kOne, kMixed };

// Where a thread's buffers come from.
class PoolSide {
 public:
  using Buffer = PayloadLease;
  explicit PoolSide(PayloadPool& pool) : pool_(pool) {}
  void take(Buffer& buffer, Bytes size) {
    Result<PayloadLease> lease = pool_.lease(size, StreamId::kDefault);
    check(lease.ok(), "the pool refused a lease");
    buffer = std::move(*lease);
  }
  void give_back(Buffer& buffer) { buffer.release(); }

 private:
  PayloadPool& pool_;
};

class LockedSide {
 public:
  using Buffer = PayloadLease;
  explicit LockedSide(PayloadPool& pool) : pool_(pool) {}
  void take(Buffer& buffer, Bytes size) {
    const std::scoped_lock lock(mutex_);
    pool_.take(buffer, size);
  }
  void give_back(Buffer& buffer) {
    const std::scoped_lock lock(mutex_);
    pool_.give_back(buffer);
  }

 private:
  std::mutex mutex_;
  PoolSide pool_;
};

class MimallocSide {
 public:
  using Buffer = void*;
  explicit MimallocSide(const Mimalloc& mimalloc) : mimalloc_(mimalloc) {}
  void take(Buffer& buffer, Bytes size) {
    buffer = mimalloc_.allocate(size.count());
    check(buffer != nullptr, "mimalloc refused a block");
  }
  void give_back(Buffer& buffer) {
    if (buffer != nullptr) mimalloc_.free(std::exchange(buffer, nullptr));
  }

 private:
  const Mimalloc& mimalloc_;
};

// What pairs took, round by round.
struct Latencies {
  Samples p50;
  Samples p99;
  Samples longest;

  void add(const PauseHistogram& round) {
    p50.push_back(static_cast<double>(round.percentile_ns(50)));
    p99.push_back(static_cast<double>(round.percentile_ns(99)));
    longest.push_back(static_cast<double>(round.max_ns()));
  }
  // The last `rounds`: those before only found out how much work fills a round.
  void keep(std::size_t rounds) {
    for (Samples* const samples : {&p50, &p99, &longest}) {
      samples->erase(samples->begin(), samples->end() - static_cast<std::ptrdiff_t>(rounds));
    }
  }
};

template <class Side>
void work(Side& side, Sizes sizes, std::uint64_t pairs, std::uint64_t seed, PauseHistogram& taken,
          std::atomic<std::uint32_t>& waiting) {
  std::array<typename Side::Buffer, kLive> buffers{};
  Random random(seed);
  const auto size = [&] {
    return sizes == Sizes::kOne ? 64_KiB : Bytes{(1 + random.below(kSizes)) * 16'384};
  };
  for (auto& buffer : buffers) side.take(buffer, size());
  --waiting;
  while (waiting != 0) std::this_thread::yield();
  std::uint64_t before = steady_ns();
  for (std::uint64_t k = 0; k < pairs; ++k) {
    side.give_back(buffers[k % kLive]);
    side.take(buffers[k % kLive], size());
    benchmark::ClobberMemory();
    const std::uint64_t now = steady_ns();
    taken.add(now - before);
    before = now;
  }
  for (auto& buffer : buffers) side.give_back(buffer);
}

// Nanoseconds of the whole by pairs of all threads.
template <class Side>
Run on_threads(std::uint32_t threads, Sizes sizes, Side& side, Latencies& latencies) {
  return [=, &side, &latencies](std::uint64_t pairs) {
    const std::uint64_t each = std::max<std::uint64_t>(pairs / threads, 1);
    std::vector<PauseHistogram> taken(threads);
    std::vector<std::thread> running;
    std::atomic<std::uint32_t> waiting{threads + 1};
    for (std::uint32_t number = 0; number < threads; ++number) {
      running.emplace_back(
          [&, number] { work(side, sizes, each, 1 + number, taken[number], waiting); });
    }
    while (waiting != 1) std::this_thread::yield();
    const Stopwatch watch;
    --waiting;
    for (std::thread& thread : running) thread.join();
    const double took = watch.ns();
    PauseHistogram all;
    for (const PauseHistogram& one : taken) all.add_all(one);
    latencies.add(all);
    return took / static_cast<double>(each * threads);
  };
}

void measure_threads(Session& session, std::uint32_t threads, Sizes sizes) {
  HostBackend backend;
  PayloadPool pool(backend, MemoryKind::kHost);
  PayloadPool guarded(backend, MemoryKind::kHost);
  PoolSide ours(pool);
  LockedSide locked(guarded);
  MimallocSide mimalloc(session.mimalloc());
  std::array<Latencies, 3> latencies;
  const std::string name =
      std::to_string(threads) + " threads, 64 live each of " +
      (sizes == Sizes::kOne ? to_string(64_KiB) : std::string("16 to 128 KiB")) + ", one by one";
  Case asked{.name = name,
             .unit = "ns per pair",
             .ours = on_threads(threads, sizes, ours, latencies[0]),
             .rivals = {{"mimalloc", {}, on_threads(threads, sizes, mimalloc, latencies[1])},
                        {"one big lock", {}, on_threads(threads, sizes, locked, latencies[2])}}};
  const std::size_t rounds = session.measure(asked).ours.size();
  for (Latencies& side : latencies) side.keep(rounds);
  for (const auto& [what, samples] :
       {std::pair("p50", &Latencies::p50), std::pair("p99", &Latencies::p99),
        std::pair("longest", &Latencies::longest)}) {
    asked.name = name + ", " + what;
    asked.unit = "ns";
    session.add(asked, {.ours = latencies[0].*samples,
                        .rivals = {latencies[1].*samples, latencies[2].*samples}});
  }
  const PoolStatistics statistics = pool.statistics();
  check(statistics.live_blocks == 0 && statistics.leases == statistics.returns,
        "the pool lost count of what threads leased");
}

// Pairs on a pool, with 64 live.
class Stride {
 public:
  Stride(PayloadPool& pool, Bytes size) : side_(pool), size_(size) {
    for (PayloadLease& buffer : buffers_) side_.take(buffer, size_);
  }
  double pairs(std::uint64_t pairs) {
    const Stopwatch watch;
    for (std::uint64_t k = 0; k < pairs; ++k) {
      side_.give_back(buffers_[k % kLive]);
      side_.take(buffers_[k % kLive], size_);
      benchmark::ClobberMemory();
    }
    return watch.ns();
  }

 private:
  PoolSide side_;
  Bytes size_;
  std::array<PayloadLease, kLive> buffers_;
};

}  // namespace

void measure_pool_on_threads(Session& session) {
  for (const std::uint32_t threads : {1u, 2u, 4u, 8u}) {
    measure_threads(session, threads, Sizes::kOne);
  }
  measure_threads(session, 4, Sizes::kMixed);
}

// Why by turns within a run: the difference of two figures of 60 ns drowns in what the machine does
// between them. Why long ones: a program that has a tape does not fetch it into its caches anew each time.
void measure_pool_tape(Session& session) {
  HostBackend backend;
  for (const Bytes size : {4_KiB, 1_MiB}) {
    PayloadPool plain(backend, MemoryKind::kHost);
    PayloadPool taping(backend, MemoryKind::kHost, PoolOptions{.plans = true});
    Stride without(plain, size);
    Stride with(taping, size);
    session.measure({.name = "64 live of " + to_string(size) + ", one by one, more for the tape",
                     .unit = "ns per pair",
                     .limit = kTapeLimit,
                     .ours = [&](std::uint64_t work) {
                       constexpr std::uint64_t kTurn = 20'000;
                       double more = 0;
                       for (std::uint64_t done = 0; done < work; done += kTurn) {
                         more += with.pairs(kTurn) - without.pairs(kTurn);
                       }
                       const std::uint64_t turns = (work + kTurn - 1) / kTurn;
                       return more / static_cast<double>(turns * kTurn);
                     }});
  }
}

}  // namespace tenure::bench
