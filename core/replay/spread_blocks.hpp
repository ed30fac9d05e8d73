// A trace's events spread over threads, with explicit lifetimes.
//
// Block b is leased by thread b mod N and handed back by the next one, b + 1 mod N: programs with
// threads pass payloads on, and a pool whose threads kept to themselves would be spared what is hard.
// By stream they would not be spread at all, as most traces have one. Each thread has streams of its
// own, one for each of the trace's, as a program's threads do; so what one stream is given is in the
// trace's order, all by one thread.
//
// Nobody comes further ahead of the slowest than a window of events, so that what lives at once stays
// near what the trace has live. Who waits never waits for ever: whoever has the earliest event that is
// not done finds the block of its free there, and all others behind it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/observe/trace.hpp"
#include "tenure/payload.hpp"
#include "tenure/replay.hpp"
#include "tenure/result.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

/// threads  one, which `spread` has others help
class SpreadBlocks {
 public:
  using Progress = std::function<void(std::size_t done)>;

  /// runtime  outlives it
  SpreadBlocks(Runtime& runtime, std::uint64_t blocks, std::uint32_t threads);

  /// errors   those of Runtime::make_stream
  [[nodiscard]] Result<void> make_streams(const TraceFigures& figures, ReplayStreams asked);

  /// Plays events on all threads, and returns when all is done.
  ///
  /// errors   what `allocate` said of the earliest event that failed
  [[nodiscard]] Result<void> spread(std::span<const TraceEvent> events, const Progress& progress);
  /// The event at which `spread` failed.
  [[nodiscard]] const TraceEvent& failed() const { return *failed_; }

  /// The same as a thread alone would do it, which is not counted.
  Result<void> allocate(const TraceEvent& event);
  void free(const TraceEvent& event);
  void drop_all();

  [[nodiscard]] const PauseHistogram& leases_ns() const { return leases_ns_; }
  [[nodiscard]] const PauseHistogram& returns_ns() const { return returns_ns_; }

 private:
  struct Block {
    PayloadLease lease;
    std::atomic<bool> there{false};  // set by who leased, for who hands back
  };
  // What a thread says of itself; on a line of its own.
  struct alignas(64) Worker {
    std::atomic<std::size_t> at{0};  // its next event
    PauseHistogram leases_ns;
    PauseHistogram returns_ns;
  };

  [[nodiscard]] std::uint32_t leases(const TraceEvent& event) const {
    return event.block % threads_;
  }
  [[nodiscard]] std::uint32_t plays(const TraceEvent& event) const {
    return (event.block + (event.op == TraceOp::kFree ? 1 : 0)) % threads_;
  }
  void work(std::uint32_t number, std::span<const TraceEvent> events, const Progress& progress);
  void await_others(std::size_t at, std::size_t of);
  void fail(const TraceEvent& event, const Error& error);

  Runtime& runtime_;
  const std::uint32_t threads_;
  std::vector<std::vector<StreamId>> streams_;  // [threads][numbers of the trace]
  const std::unique_ptr<Block[]> blocks_;
  const std::uint64_t count_;
  std::unique_ptr<Worker[]> workers_;  // [threads]
  std::atomic<bool> stops_{false};     // somebody failed
  std::mutex mutex_;
  const TraceEvent* failed_ = nullptr;  // guarded by mutex_ while threads run
  std::optional<Error> error_;          // likewise
  PauseHistogram leases_ns_;
  PauseHistogram returns_ns_;
};

}  // namespace tenure
