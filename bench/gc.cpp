// Whole programs that live on a collector, beside the same programs on other heaps.
//
// Models: programs known from the literature and from practice.
//   GCBench        (Ellis, Kovac, Boehm) trees of many depths come and go beside one that stays
//   binary-trees   (the Computer Language Benchmarks Game) bottom-up trees, each counted
//   cache          least recently used first out; 9 of 10 requests find their key and store in old
//                  objects: a fresh value and six links
//   list           nodes linked in shuffled order, all collected once while alive, then walked
//   graph          vertices with four random edges each, built, then all collected once while alive
//
// All in 64 MiB but the graph, and under a pause target of 200 ms, as is G1's; the first also under the
// 10 ms that are taken where nothing is said. malloc and mimalloc free by hand what they drop, in the order in which
// a C programmer would, and collect nothing. bdwgc has its whole limit from the start, and is told of
// objects without pointers. OpenJDK runs in a process of its own: what it loads and compiles is not
// counted, and the fastest of three runs after three others counts. Every side's sum is compared.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "bench/benches.hpp"
#include "bench/gc/ours.hpp"
#include "bench/gc/plain.hpp"
#include "bench/gc/rivals.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

// G1's own, in microseconds; the other rivals keep none.
constexpr std::uint64_t kPauseTarget = 200'000;

struct Program {
  GcProgram program;
  std::string name;
  Bytes limit;
  std::optional<double> over_mimalloc;
  std::optional<double> over_bdwgc;
  std::optional<double> over_java;
  std::uint64_t max_pause_us = kPauseTarget;
};

// Times a program; a side that computes something else is no rival.
template <class Work>
Run timed(std::uint64_t sum, Work work) {
  return [sum, work](std::uint64_t times) {
    const Stopwatch watch;
    for (std::uint64_t k = 0; k < times; ++k) {
      check(work() == sum, "two sides of a program differ in their sums");
    }
    return watch.ns() / static_cast<double>(times) / 1e6;
  };
}

Config config_for(const Program& program) {
  constexpr std::uint64_t kShare = 4;  // of the limit: the nursery, and room to copy its survivors
  Config config;
  config.heap_limit = program.limit;
  config.nursery = std::min(Bytes{program.limit.count() / kShare}, 32_MiB);
  config.old_start = Bytes{program.limit.count() / 2};
  config.max_pause_us = program.max_pause_us;
  return config;
}

class Programs {
 public:
  explicit Programs(Session& session) : session_(session) {
    if (session.pick(false, true)) {
      sizes_ = {.stretch = 8,
                .long_lived = 6,
                .deepest = 6,
                .binary_depth = 8,
                .entries = 64,
                .requests = 1000,
                .list = 1000,
                .graph = 1000};
    }
    if (Result<Bdwgc> found = Bdwgc::load(kLimit)) {
      bdwgc_ = *found;
    } else {
      session.note(found.failure().message);
    }
    if (Result<Java> found = Java::compile()) {
      java_ = std::make_unique<Java>(std::move(*found));
    } else {
      session.note(found.failure().message);
    }
  }

  void measure(const Program& program) {
    if (program.limit > kLimit && bdwgc_) {
      bdwgc_->lift_limit();
    }
    Runtime runtime = value_or_throw(Runtime::open(config_for(program)));
    Mutator mutator(runtime);
    const PlainHeap plain{std::malloc, std::malloc, std::free, nullptr};
    const PlainHeap mimalloc{session_.mimalloc().allocate, session_.mimalloc().allocate,
                             session_.mimalloc().free, nullptr};
    const std::uint64_t sum = run_plain(plain, program.program, sizes_);
    const auto of_heap = [&](const PlainHeap& heap) {
      return timed(sum, [&] { return run_plain(heap, program.program, sizes_); });
    };
    std::vector<Rival> rivals{{"mimalloc", program.over_mimalloc, of_heap(mimalloc)},
                              {"malloc", {}, of_heap(plain)}};
    add_bdwgc(program, rivals, of_heap);
    for (const char* collector : {"Serial", "Parallel", "G1"}) {
      add_java(program, sum, collector, rivals);
    }
    session_.measure(
        {.name = program.name,
         .unit = "ms",
         .ours = timed(sum, [&] { return run_ours(runtime, mutator, program.program, sizes_); }),
         .rivals = std::move(rivals)});
  }

  static constexpr Bytes kLimit{64u << 20};

 private:
  // Where it needs more than the limit it is no rival.
  template <class OfHeap>
  void add_bdwgc(const Program& program, std::vector<Rival>& rivals, OfHeap of_heap) {
    if (!bdwgc_) {
      return;
    }
    try {
      (void)run_plain(bdwgc_->heap, program.program, sizes_);
    } catch (const std::bad_alloc&) {
      session_.note(program.name + ": " + bdwgc_->described + " finds no room in " +
                    to_string(program.limit));
      return;
    }
    rivals.push_back({bdwgc_->described, program.over_bdwgc, of_heap(bdwgc_->heap)});
  }
  void add_java(const Program& program, std::uint64_t sum, const std::string& collector,
                std::vector<Rival>& rivals) {
    if (!java_) {
      return;
    }
    const Result<JavaRun> tried =
        java_->run(collector, program.limit, program.program, sizes_, 0, 1);
    if (!tried) {
      session_.note(program.name + ": " + tried.failure().message);
      return;
    }
    check(tried->sum == sum, "the Java program differs in its sum");
    constexpr std::uint32_t kWarm = 3;
    constexpr std::uint32_t kTimed = 3;
    rivals.push_back({"OpenJDK " + collector, program.over_java, [=, this](std::uint64_t) {
                        const std::uint32_t warm = session_.pick(kWarm, 0u);
                        const std::uint32_t runs = session_.pick(kTimed, 1u);
                        return value_or_throw(java_->run(collector, program.limit, program.program,
                                                         sizes_, warm, runs))
                                   .ns /
                               1e6;
                      }});
  }

  Session& session_;
  GcSizes sizes_;
  std::optional<Bdwgc> bdwgc_;
  std::unique_ptr<Java> java_;  // null where there is none
};

}  // namespace

void bench_gc(Session& session) {
  Programs programs(session);
  const Bytes limit = Programs::kLimit;
  programs.measure({GcProgram::kGcBench, "GCBench, stretch 18, stays 16", limit, 0.5, 0.4, 1.0});
  programs.measure(
      {GcProgram::kGcBench, "GCBench, stops of 10 ms", limit, {}, {}, {}, Config{}.max_pause_us});
  programs.measure({GcProgram::kBinaryTrees, "binary-trees, depth 18", limit, {}, {}, {}});
  programs.measure({GcProgram::kCache, "cache of 64 Ki entries, 9 of 10 found", limit, {}, {}, {}});
  programs.measure({GcProgram::kList, "shuffled list of 1 M nodes", limit, {}, {}, {}});
  programs.measure({GcProgram::kGraph, "random graph of 10 M vertices", 2_GiB, {}, {}, {}});
}

}  // namespace tenure::bench
