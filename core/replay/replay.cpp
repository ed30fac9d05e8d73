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
#include "core/replay/spread_blocks.hpp"
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

// Whether the events after the prologue are for several threads.
template <class Blocks>
concept Spreads = requires(Blocks blocks, std::span<const TraceEvent> events) {
  blocks.spread(events, {});
};

template <class Blocks>
class Replay {
 public:
  Replay(const TraceData& trace, const ReplayOptions& options, Runtime& runtime)
      : trace_(trace), options_(options), runtime_(runtime) {}

  // On one thread, with a mutator of its own.
  Result<ReplayReport> run() {
    Result<std::vector<StreamId>> streams =
        make_streams(runtime_, trace_.figures().streams, options_.streams);
    if (!streams) {
      return streams.failure();
    }
    streams_ = std::move(*streams);
    Mutator mutator(runtime_);
    Blocks blocks(runtime_, mutator, trace_.figures().allocations);
    return run(blocks);
  }

  Result<ReplayReport> run(Blocks& blocks) {
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
      } else if (Result<void> done = allocate(blocks, event); !done) {
        return at_line(event, done.failure());
      }
      if (++done_ % kProgressEvery == 0) {
        show_progress(done_);
      }
    }
    return {};
  }
  Result<void> play_window(Blocks& blocks) {
    const std::span<const TraceEvent> window = trace_.window();
    if constexpr (Spreads<Blocks>) {
      const Result<void> done =
          blocks.spread(window, [&](std::size_t ahead) { show_progress(done_ + ahead); });
      done_ += window.size();
      return done ? done : at_line(blocks.failed(), done.failure());
    } else {
      return play(blocks, window);
    }
  }
  Result<void> allocate(Blocks& blocks, const TraceEvent& event) {
    if constexpr (Spreads<Blocks>) {
      return blocks.allocate(event);
    } else {
      return blocks.allocate(event, streams_[event.stream]);
    }
  }
  [[nodiscard]] Error at_line(const TraceEvent& event, const Error& error) const {
    return {error.code, trace_.path() + ":" + std::to_string(event.line) + ": " + error.message};
  }
  void show_progress(std::uint64_t done) const {
    if (options_.progress) {
      options_.progress(done, trace_.events().size() * options_.repetitions);
    }
  }

  // Once through the trace, from nothing live to nothing live.
  Result<void> repeat(Blocks& blocks, ReplayReport& report) {
    runtime_.await_plans();  // a trace has no work of its own in which they would become ready
    runtime_.reset_peaks();
    const Leases before_all = leases_so_far();
    if (Result<void> done = play(blocks, trace_.prologue()); !done) {
      return done;
    }
    const Statistics before = runtime_.statistics();
    const auto begun = Clock::now();
    if (Result<void> done = play_window(blocks); !done) {
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
    const Leases after_all = leases_so_far();
    repetition.leases = after_all.all - before_all.all;
    repetition.planned_leases = after_all.planned - before_all.planned;
    report.peak_leased = std::max(report.peak_leased, leased);
    report.peak_reserved = std::max(report.peak_reserved, repetition.peak_reserved);
    report.repetitions.push_back(repetition);

    report.collections = after.collections;
    report.full_collections = after.full_collections;
    report.pauses = after.pauses;
    if (options_.at_end && report.repetitions.size() == options_.repetitions) {
      if (Result<void> looked = options_.at_end(runtime_); !looked) {
        return looked;
      }
    }
    blocks.drop_all();
    (void)runtime_.collect(Collect::kFull);  // it is open: nothing to fail
    return {};
  }

  struct Leases {
    std::uint64_t all = 0;
    std::uint64_t planned = 0;
  };
  [[nodiscard]] Leases leases_so_far() const {
    Leases leases;
    for (const PoolStatistics& pool : runtime_.statistics().pools) {
      leases.all += pool.leases;
      leases.planned += pool.planned_leases;
    }
    return leases;
  }

  [[nodiscard]] ReplayReport begin_report() const {
    ReplayReport report;
    report.trace = trace_.name();
    report.device = runtime_.config().device;  // which the environment may have set
    report.lifetimes = options_.lifetimes;
    report.threads = options_.threads;
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
  std::vector<StreamId> streams_;  // by the trace's numbers, where there is one thread
  std::uint64_t done_ = 0;         // events
};

Result<ReplayReport> replay_on_threads(const TraceData& trace, const ReplayOptions& options,
                                       Runtime& runtime) {
  SpreadBlocks blocks(runtime, trace.figures().allocations, options.threads);
  if (Result<void> made = blocks.make_streams(trace.figures(), options.streams); !made) {
    return made.failure();
  }
  Result<ReplayReport> report = Replay<SpreadBlocks>(trace, options, runtime).run(blocks);
  if (report) {
    report->leases_ns = blocks.leases_ns();
    report->returns_ns = blocks.returns_ns();
  }
  return report;
}

}  // namespace

std::string_view to_string(Lifetimes lifetimes) {
  return lifetimes == Lifetimes::kExplicit ? "explicit" : "gc";
}

Result<ReplayReport> replay(const Trace& trace, const ReplayOptions& options) {
  if (options.repetitions == 0) {
    return Error{ErrorCode::kBadArgument, "a replay of no repetitions was asked for; ask for 1"};
  }
  if (options.threads == 0 || options.threads > kMostReplayThreads) {
    return Error{ErrorCode::kBadArgument, "a replay runs on 1 to " +
                                              std::to_string(kMostReplayThreads) +
                                              " threads, not " + std::to_string(options.threads)};
  }
  if (options.threads > 1 &&
      (options.lifetimes == Lifetimes::kCollected || options.policy != Policy::kNative)) {
    return Error{ErrorCode::kBadArgument,
                 "threads replay with explicit lifetimes and the native policy; models have no "
                 "threads, and roots of one thread are not another's to drop"};
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
  if (config.plan_payloads == PayloadPlans::kOn) {
    config.plan_payloads = PayloadPlans::kAwaited;  // so that two replays are the same
  }
  Result<Runtime> runtime = Runtime::open(config);
  if (!runtime) {
    return runtime.failure();
  }
  if (options.threads > 1) {
    return replay_on_threads(trace.data(), options, *runtime);
  }
  return options.lifetimes == Lifetimes::kExplicit
             ? Replay<ExplicitBlocks>(trace.data(), options, *runtime).run()
             : Replay<CollectedBlocks>(trace.data(), options, *runtime).run();
}

}  // namespace tenure
