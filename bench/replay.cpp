// Allocation traces of real programs, through a runtime's pools and heap.
//
// Models: the programs that were recorded, without their work: every tensor they asked for and gave
// back, in their order, on their streams, on a simulated device. With explicit lifetimes the trace
// frees; with collected ones it drops the last root and the collector has to find out.
//
// The rival of the explicit replay takes the same sizes from mimalloc and frees them when the trace
// does; it has no streams, no device and no statistics, and touches nothing. The rival of the
// collected replay is the explicit one: what does finding out cost, in time and in memory? Memory is
// what the pools had mapped at the most.
//
// Utilisation, peak live by peak reserved, stands beside models of other allocators (core/policy), the
// first time through a trace and at later times.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "core/base/check.hpp"
#include "core/observe/trace.hpp"
#include "tenure/replay.hpp"

namespace tenure::bench {

namespace {

constexpr double kMemoryTarget = 1.25;  // times the explicit replay's peak
constexpr double kPercent = 100;
constexpr double kLaterUtilisation = 98;  // %, from the second time on
constexpr std::uint32_t kRepetitions = 4;
constexpr double kMillion = 1e6;
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

// Replays a trace `times` over, and remembers what the last one had mapped.
class Replays {
 public:
  Replays(const Trace& trace, const std::string& device, Lifetimes lifetimes) : trace_(trace) {
    options_.lifetimes = lifetimes;
    options_.config.device = device;
  }

  // Million events a second, each replay in a runtime of its own, whose opening is not timed.
  double run(std::uint64_t times) {
    double seconds = 0;
    double events = 0;
    for (std::uint64_t k = 0; k < times; ++k) {
      const ReplayReport report = value_or_throw(replay(trace_, options_));
      check(report.leaked_blocks == 0, "a replay leaked a block");
      seconds += report.seconds;
      events += static_cast<double>(report.events);
      peaks_.push_back(static_cast<double>(report.peak_reserved.count()) / kGibibyte);
    }
    return events / seconds / kMillion;
  }

  [[nodiscard]] const Samples& peaks() const { return peaks_; }

 private:
  const Trace& trace_;
  ReplayOptions options_;
  Samples peaks_;  // GiB, of each replay
};

// The same events as calls of mimalloc.
class Mallocs {
 public:
  Mallocs(const Trace& trace, const Mimalloc& mimalloc)
      : trace_(trace.data()), mimalloc_(mimalloc), blocks_(trace.allocations()) {}

  double run(std::uint64_t times) {
    double ns = 0;
    for (std::uint64_t k = 0; k < times; ++k) {
      play(trace_.prologue());
      const Stopwatch watch;
      play(trace_.window());
      ns += watch.ns();
      for (void*& block : blocks_) {
        mimalloc_.free(std::exchange(block, nullptr));
      }
    }
    constexpr double kNsPerSecond = 1e9;
    const auto events = static_cast<double>(times * trace_.window().size());
    return events / (ns / kNsPerSecond) / kMillion;
  }

 private:
  [[gnu::noinline]] void play(std::span<const TraceEvent> events) {
    for (const TraceEvent& event : events) {
      if (event.op == TraceOp::kFree) {
        mimalloc_.free(std::exchange(blocks_[event.block], nullptr));
        continue;
      }
      void* const block = mimalloc_.allocate(event.bytes);
      check(block != nullptr, "mimalloc refused a block of the trace");
      blocks_[event.block] = block;
    }
  }

  const TraceData& trace_;
  const Mimalloc& mimalloc_;
  std::vector<void*> blocks_;  // [allocations of the trace]
};

void measure_trace(Session& session, const Trace& trace) {
  // A device of the common size, or one that holds what the recorded program held.
  const std::string device = trace.peak_live() <= 22_GiB ? "sim:24GiB" : "sim:80GiB";
  Replays explicitly(trace, device, Lifetimes::kExplicit);
  Replays collected(trace, device, Lifetimes::kCollected);
  Mallocs mallocs(trace, session.mimalloc());
  const std::string world = std::string(trace.name()) + ", " + device;
  const auto rate = [&world](const std::string& lifetimes, std::vector<Rival> rivals) {
    return Case{.name = world + ", " + lifetimes,
                .unit = "M events/s",
                .better = Better::kHigher,
                .rivals = std::move(rivals)};
  };
  Case gc =
      rate("gc", {{"explicit", {}, [&](std::uint64_t times) { return explicitly.run(times); }},
                  {"mimalloc", {}, [&](std::uint64_t times) { return mallocs.run(times); }}});
  gc.ours = [&](std::uint64_t times) { return collected.run(times); };
  const Measured measured = session.measure(gc);
  // Why these have no rounds of their own: the replays above were theirs.
  session.add(rate("explicit", {{"mimalloc"}}),
              {.ours = measured.rivals[0], .rivals = {measured.rivals[1]}});
  session.add({.name = world + ", gc, peak reserved",
               .unit = "GiB",
               .rivals = {{"explicit", kMemoryTarget}}},
              {.ours = collected.peaks(), .rivals = {explicitly.peaks()}});
}

// How much of what is reserved is live at the peak: the first time through, and later ones. It is no
// time, so that once is enough.
void measure_memory(Session& session, const Trace& trace) {
  const auto utilisations = [&trace](Policy policy, std::uint32_t repetitions) {
    ReplayOptions options;
    options.policy = policy;
    options.repetitions = repetitions;
    options.config.device = "sim:80GiB";
    Samples samples;
    for (const RepetitionReport& one : value_or_throw(replay(trace, options)).repetitions) {
      samples.push_back(kPercent * one.utilisation);
    }
    return samples;
  };
  const Samples native = utilisations(Policy::kNative, kRepetitions);
  Case first{.name = std::string(trace.name()) + ", utilisation, first time",
             .unit = "% of reserved",
             .better = Better::kHigher};
  Measured measured{.ours = {native.front()}, .rivals = {}};
  for (const Policy policy : kAllPolicies) {
    if (policy != Policy::kNative) {
      const bool to_beat = policy == Policy::kPyTorch || policy == Policy::kPyTorchExpandable;
      Rival rival{.name = std::string(to_string(policy))};
      if (to_beat) rival.target = 1.0;
      first.rivals.push_back(std::move(rival));
      measured.rivals.push_back(utilisations(policy, 1));
    }
  }
  session.add(first, measured);
  session.add({.name = std::string(trace.name()) + ", utilisation, worst of later times",
               .unit = "% of reserved",
               .better = Better::kHigher,
               .limit = kLaterUtilisation},
              {.ours = {*std::min_element(native.begin() + 1, native.end())}, .rivals = {}});
}

// The traces of a folder by their names; none where there is no such folder.
std::vector<std::string> traces_in(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder, absent)) {
    if (entry.path().string().ends_with(".csv.gz")) {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void bench_replay(Session& session) {
  std::vector<std::string> paths = traces_in(TENURE_BENCH_TRACES);
  check(!paths.empty(), "the trace that ships with the repository is not there");
  const std::vector<std::string> more = traces_in(TENURE_BENCH_MORE_TRACES);
  if (more.empty()) {
    session.note(std::string("replay: no more traces in ") + TENURE_BENCH_MORE_TRACES +
                 "; only those that ship with the repository were replayed.");
  }
  paths.insert(paths.end(), more.begin(), more.end());
  for (const std::string& path : paths) {
    const Trace trace = value_or_throw(Trace::read(path));
    measure_trace(session, trace);
    measure_memory(session, trace);
  }
}

}  // namespace tenure::bench
