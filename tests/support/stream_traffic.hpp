// A made trace (stream_trace.hpp) on a pool of a checked runtime, with work behind each of its events.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/checked_fixture.hpp"
#include "tests/support/stream_trace.hpp"

namespace tenure::testing {

/// The host puts an event's work on its stream every so often.
inline constexpr std::uint64_t kEventNs = 20'000;

struct Load {
  std::uint64_t work_ns = 0;  // that each use takes
  Bytes budget = kUnlimited;
  Bytes capacity{std::uint64_t{24} << 30};
  Bytes granularity{2u << 20};
  bool can_map = true;
};

/// One run. Where the backend refuses, the run goes on without that block or use, as a program might.
class StreamTraffic {
 public:
  StreamTraffic(const StreamTrace& trace, const Load& load)
      : trace_(trace),
        load_(load),
        device_(options(load)),
        pool_(checked_, MemoryKind::kDevice,
              PoolOptions{.budget = load.budget,
                          .checked = &checked_,
                          .guard = {.quarantine = Bytes{}, .contents = false}}),
        leases_(trace.blocks()),
        homes_(trace.blocks()) {
    for (std::uint32_t i = 1; i < trace.streams(); ++i) streams_.push_back(*checked_.make_stream());
  }

  void run() {
    for (const StreamTraceEvent& event : trace_.events()) {
      switch (event.kind) {
        case StreamTraceEvent::Kind::kAlloc:
          alloc(event);
          break;
        case StreamTraceEvent::Kind::kUse:
          use(event);
          break;
        case StreamTraceEvent::Kind::kFree:
          leases_[event.block].release();
          break;
      }
      device_.advance(kEventNs);
    }
    statistics_ = pool_.statistics();
    EXPECT_TRUE(is_sound(pool_));
    device_.advance_until_idle();
    EXPECT_EQ(pool_.close(), 0u);
  }

  [[nodiscard]] SimulatedDevice& device() { return device_; }
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_.all(); }
  [[nodiscard]] const std::vector<Error>& refusals() const { return refusals_; }
  /// At the end of the trace.
  [[nodiscard]] const PoolStatistics& statistics() const { return statistics_; }
  [[nodiscard]] std::uint64_t waits_of_host() const { return waits_of_host_; }
  [[nodiscard]] double utilisation() const {
    return static_cast<double>(trace_.peak_live()) /
           static_cast<double>(statistics_.peak_reserved.count());
  }

 private:
  void alloc(const StreamTraceEvent& event) {
    const StreamId stream = streams_[event.stream];
    Result<PayloadLease> lease = pool_.lease(Bytes{event.bytes}, stream, SiteId{event.site});
    if (!lease) {  // as a runtime does where it has nothing to collect
      ++waits_of_host_;
      lease = pool_.lease(Bytes{event.bytes}, stream, SiteId{event.site}, Effort::kWait);
    }
    if (!lease) {
      refusals_.push_back(lease.failure());
      EXPECT_TRUE(is_sound(pool_));
      return;
    }
    leases_[event.block] = std::move(*lease);
    homes_[event.block] = stream;
    work(event.block, stream);
  }
  void use(const StreamTraceEvent& event) {
    const StreamId stream = streams_[event.stream];
    if (!leases_[event.block].owns()) {
      return;
    }
    if (stream != homes_[event.block]) {  // as a program must: behind what was done at home
      const Result<StreamEvent> first = checked_.record(homes_[event.block]);
      if (!first || !checked_.wait(stream, *first)) {
        return;
      }
    }
    work(event.block, stream);
    leases_[event.block].used_on(stream);
  }
  void work(std::uint32_t block, StreamId stream) {
    (void)device_.submit(stream, load_.work_ns, {}, {leases_[block].view()});
  }

  static SimulatedOptions options(const Load& load) {
    SimulatedOptions options = device_of(load.capacity, load.can_map);
    options.granularity = load.granularity;
    options.checks_order = true;
    return options;
  }

  const StreamTrace& trace_;
  const Load load_;
  SimulatedDevice device_;
  FaultLog faults_;
  CheckedBackend checked_{device_, faults_.sink()};
  PayloadPool pool_;
  std::vector<StreamId> streams_{StreamId::kDefault};
  std::vector<PayloadLease> leases_;  // by block
  std::vector<StreamId> homes_;       // likewise
  std::vector<Error> refusals_;
  PoolStatistics statistics_;
  std::uint64_t waits_of_host_ = 0;
};

}  // namespace tenure::testing
