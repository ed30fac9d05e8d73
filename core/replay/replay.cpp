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
  void drop_all() { leases_.clear(); }

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
  void drop_all() { roots_.clear(); }

 private:
  Mutator& mutator_;
  std::vector<Handle<Tensor>> roots_;
};

// The trace's streams, as streams of the runtime, by number. The trace's 0 is the default stream.
Result<std::vector<StreamId>> make_streams(Runtime& runtime,
                                           const std::vector<std::uint16_t>& numbers) {
  std::vector<StreamId> streams(numbers.empty() ? 1u : numbers.back() + 1u);
  for (const std::uint16_t number : numbers) {
    if (number == 0) {
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
    Result<std::vector<StreamId>> streams = make_streams(runtime_, trace_.figures().streams);
    if (!streams) {
      return streams.failure();
    }
    streams_ = std::move(*streams);
    Blocks blocks(runtime_, mutator_, trace_.figures().allocations);
    if (Result<void> done = play(blocks, trace_.prologue()); !done) {
      return done.failure();
    }
    const Statistics before = runtime_.statistics();
    const auto begun = Clock::now();
    if (Result<void> done = play(blocks, trace_.window()); !done) {
      return done.failure();
    }
    const std::chrono::duration<double> took = Clock::now() - begun;
    ReplayReport report = summarize(took.count(), before);

    blocks.drop_all();
    (void)runtime_.collect(Collect::kFull);  // it is open: nothing to fail
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
        options_.progress(done_, trace_.events().size());
      }
    }
    return {};
  }

  ReplayReport summarize(double seconds, const Statistics& before) const {
    const Statistics after = runtime_.statistics();
    ReplayReport report;
    report.trace = trace_.name();
    report.device = runtime_.config().device;  // which the environment may have set
    report.lifetimes = options_.lifetimes;
    report.events = trace_.window().size();
    report.seconds = seconds;
    constexpr double kMicrosecondsPerSecond = 1e6;
    report.recorded_seconds =
        trace_.window().empty()
            ? 0.0
            : static_cast<double>(trace_.window().back().t_us) / kMicrosecondsPerSecond;
    report.events_per_second = seconds > 0.0 ? static_cast<double>(report.events) / seconds : 0.0;
    report.peak_live = trace_.figures().peak_live;
    for (const PoolStatistics& pool : after.pools) {
      report.peak_leased += pool.peak_live;
      report.peak_reserved += pool.peak_reserved;
      report.fragmentation = std::max(report.fragmentation, pool.fragmentation());
      report.device_waits += pool.device_waits;
    }
    report.utilisation = report.peak_reserved.is_zero()
                             ? 1.0
                             : static_cast<double>(report.peak_live.count()) /
                                   static_cast<double>(report.peak_reserved.count());
    report.collections = after.collections;
    report.full_collections = after.full_collections;
    report.pauses = after.pauses;
    constexpr double kNanosecondsPerSecond = 1e9;
    const auto stopped = static_cast<double>(after.pauses.total_ns() - before.pauses.total_ns());
    report.collection_seconds = stopped / kNanosecondsPerSecond;
    return report;
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
  Result<Runtime> runtime = Runtime::open(options.config);
  if (!runtime) {
    return runtime.failure();
  }
  return options.lifetimes == Lifetimes::kExplicit
             ? Replay<ExplicitBlocks>(trace.data(), options, *runtime).run()
             : Replay<CollectedBlocks>(trace.data(), options, *runtime).run();
}

}  // namespace tenure
