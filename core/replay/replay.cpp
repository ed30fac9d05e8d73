// Drives a runtime from a trace, with either kind of lifetime. A client of the front door, like any
// program that allocates tensors.
#include "tenure/replay.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/observe/trace.hpp"
#include "core/replay/model_replay.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

namespace {

using Clock = std::chrono::steady_clock;

// The two ways to hold a block: owned until told, or rooted until dropped.
class ExplicitBlocks {
 public:
  ExplicitBlocks(Runtime& runtime, Mutator&, std::uint64_t blocks)
      : runtime_(runtime), leases_(blocks) {}

  Result<void> allocate(const TraceEvent& event, StreamId stream) {
    Result<PayloadLease> lease =
        runtime_.lease(Bytes{event.bytes}, {.stream = stream, .site = SiteId{event.site}});
    if (!lease) {
      return lease.failure();
    }
    leases_[event.block] = std::move(*lease);
    return {};
  }
  void free(const TraceEvent& event) { leases_[event.block].release(); }
  void drop_all() {
    for (PayloadLease& lease : leases_) {
      lease.release();
    }
  }

 private:
  Runtime& runtime_;
  std::vector<PayloadLease> leases_;
};

class CollectedBlocks {
 public:
  CollectedBlocks(Runtime&, Mutator& mutator, std::uint64_t blocks)
      : mutator_(mutator), roots_(blocks) {}

  Result<void> allocate(const TraceEvent& event, StreamId stream) {
    const Result<Local<Tensor>> tensor =
        make_tensor(mutator_, {static_cast<std::int64_t>(event.bytes)},
                    {.element = ElementType::kUint8, .stream = stream, .site = SiteId{event.site}});
    if (!tensor) {
      return tensor.failure();
    }
    roots_[event.block] = Handle<Tensor>(*tensor);
    return {};
  }
  // Nothing is handed back: the collector has to find it.
  void free(const TraceEvent& event) { roots_[event.block].reset(); }
  void drop_all() {
    for (Handle<Tensor>& root : roots_) {
      root.reset();
    }
  }

 private:
  Mutator& mutator_;
  std::vector<Handle<Tensor>> roots_;
};

// The trace's streams, as streams of the runtime, by number. The trace's 0 is the default stream.
Result<std::vector<StreamId>> make_streams(Runtime& runtime,
                                           const std::vector<std::uint16_t>& numbers,
                                           ReplayStreams asked) {
  std::vector<StreamId> streams(numbers.empty() ? 1u : numbers.back() + 1u);
  for (const std::uint16_t number : numbers) {
    if (number == 0 || asked == ReplayStreams::kOne) {
      continue;
    }
    const Result<StreamId> stream = runtime.make_stream();
    if (!stream) {
      return stream.failure();
    }
    streams[number] = *stream;
  }
  return streams;
}

template <class Blocks>
class Replay {
 public:
  Replay(const TraceData& trace, const ReplayOptions& options, Runtime& runtime)
      : trace_(trace), options_(options), runtime_(runtime), mutator_(runtime) {}

  Result<ReplayReport> run() {
    Result<std::vector<StreamId>> streams =
        make_streams(runtime_, trace_.figures().streams, options_.streams);
    if (!streams) {
      return streams.failure();
    }
    streams_ = std::move(*streams);
    Blocks blocks(runtime_, mutator_, trace_.figures().allocations);
    ReplayReport report = begin_report();
    for (std::uint32_t k = 0; k < options_.repetitions; ++k) {
      if (Result<void> done = repeat(blocks, report); !done) {
        return done.failure();
      }
    }
    finish(report);
    for (const PoolStatistics& pool : runtime_.statistics().pools) {
      report.leaked_blocks += pool.live_blocks;
    }
    return report;
  }

 private:
  Result<void> play(Blocks& blocks, std::span<const TraceEvent> events) {
    constexpr std::uint64_t kProgressEvery = 1024;
    for (const TraceEvent& event : events) {
      if (event.op == TraceOp::kFree) {
        blocks.free(event);
      } else if (Result<void> done = blocks.allocate(event, streams_[event.stream]); !done) {
        return Error{done.failure().code, trace_.path() + ":" + std::to_string(event.line) + ": " +
                                              done.failure().message};
      }
      if (++done_ % kProgressEvery == 0 && options_.progress) {
        options_.progress(done_, trace_.events().size() * options_.repetitions);
      }
    }
    return {};
  }

  // Once through the trace, from nothing live to nothing live.
  Result<void> repeat(Blocks& blocks, ReplayReport& report) {
    runtime_.reset_peaks();
    const std::uint64_t leases_before = leases_so_far();
    if (Result<void> done = play(blocks, trace_.prologue()); !done) {
      return done;
    }
    const Statistics before = runtime_.statistics();
    const auto begun = Clock::now();
    if (Result<void> done = play(blocks, trace_.window()); !done) {
      return done;
    }
    const std::chrono::duration<double> took = Clock::now() - begun;
    const Statistics after = runtime_.statistics();
    report.seconds += took.count();
    constexpr double kNanosecondsPerSecond = 1e9;
    const auto stopped = static_cast<double>(after.pauses.total_ns() - before.pauses.total_ns());
    report.collection_seconds += stopped / kNanosecondsPerSecond;
    RepetitionReport repetition{.seconds = took.count()};
    Bytes leased;
    for (const PoolStatistics& pool : after.pools) {
      leased += pool.peak_live;
      repetition.peak_reserved += pool.peak_reserved;
      report.fragmentation = std::max(report.fragmentation, pool.fragmentation());
    }
    repetition.utilisation = utilisation_of(trace_, repetition.peak_reserved);
    repetition.leases = leases_so_far() - leases_before;
    report.peak_leased = std::max(report.peak_leased, leased);
    report.peak_reserved = std::max(report.peak_reserved, repetition.peak_reserved);
    report.repetitions.push_back(repetition);

    report.collections = after.collections;
    report.full_collections = after.full_collections;
    report.pauses = after.pauses;
    blocks.drop_all();
    (void)runtime_.collect(Collect::kFull);  // it is open: nothing to fail
    return {};
  }

  [[nodiscard]] std::uint64_t leases_so_far() const {
    std::uint64_t leases = 0;
    for (const PoolStatistics& pool : runtime_.statistics().pools) {
      leases += pool.leases;
    }
    return leases;
  }

  [[nodiscard]] ReplayReport begin_report() const {
    ReplayReport report;
    report.trace = trace_.name();
    report.device = runtime_.config().device;  // which the environment may have set
    report.lifetimes = options_.lifetimes;
    report.events = trace_.window().size() * options_.repetitions;
    constexpr double kMicrosecondsPerSecond = 1e6;
    report.recorded_seconds =
        trace_.window().empty()
            ? 0.0
            : static_cast<double>(trace_.window().back().t_us) / kMicrosecondsPerSecond;
    report.peak_live = trace_.figures().peak_live;
    return report;
  }

  void finish(ReplayReport& report) const {
    report.events_per_second =
        report.seconds > 0.0 ? static_cast<double>(report.events) / report.seconds : 0.0;
    report.utilisation = utilisation_of(trace_, report.peak_reserved);
    for (const PoolStatistics& pool : runtime_.statistics().pools) {
      report.device_waits += pool.device_waits;
    }
  }

  const TraceData& trace_;
  const ReplayOptions& options_;
  Runtime& runtime_;
  Mutator mutator_;
  std::vector<StreamId> streams_;  // by the trace's numbers
  std::uint64_t done_ = 0;         // events
};

}  // namespace

std::string_view to_string(Lifetimes lifetimes) {
  return lifetimes == Lifetimes::kExplicit ? "explicit" : "gc";
}

Result<ReplayReport> replay(const Trace& trace, const ReplayOptions& options) {
  if (options.repetitions == 0) {
    return Error{ErrorCode::kBadArgument, "a replay of no repetitions was asked for; ask for 1"};
  }
  if (options.policy != Policy::kNative) {
    if (options.lifetimes == Lifetimes::kCollected) {
      return Error{ErrorCode::kBadArgument, "the policy " + std::string(to_string(options.policy)) +
                                                " is a model and has no collector; replay it with "
                                                "explicit lifetimes"};
    }
    return replay_model(trace.data(), options);
  }
  Config config = options.config;
  config.payload_budget = std::min(config.payload_budget, options.capacity);
  Result<Runtime> runtime = Runtime::open(config);
  if (!runtime) {
    return runtime.failure();
  }
  return options.lifetimes == Lifetimes::kExplicit
             ? Replay<ExplicitBlocks>(trace.data(), options, *runtime).run()
             : Replay<CollectedBlocks>(trace.data(), options, *runtime).run();
}

}  // namespace tenure
