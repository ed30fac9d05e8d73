#include "core/replay/spread_blocks.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace tenure {

namespace {

// So many events may lie between the slowest thread and the fastest. Few enough that it is a small part
// of what a training has live; enough that a thread whose turn on the processor is over holds up the
// others for a part of theirs only.
constexpr std::size_t kWindow = 4096;

constexpr std::size_t kProgressEvery = 1024;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

SpreadBlocks::SpreadBlocks(Runtime& runtime, std::uint64_t blocks, std::uint32_t threads)
    : runtime_(runtime),
      threads_(threads),
      streams_(threads),
      blocks_(std::make_unique<Block[]>(blocks)),
      count_(blocks) {}

Result<void> SpreadBlocks::make_streams(const TraceFigures& figures, ReplayStreams asked) {
  const std::size_t numbers = figures.streams.empty() ? 1u : figures.streams.back() + 1u;
  for (std::uint32_t thread = 0; thread < threads_; ++thread) {
    streams_[thread].resize(numbers);
    for (const std::uint16_t number : figures.streams) {
      if (asked == ReplayStreams::kOne || (thread == 0 && number == 0)) {
        continue;
      }
      const Result<StreamId> stream = runtime_.make_stream();
      if (!stream) {
        return stream.failure();
      }
      streams_[thread][number] = *stream;
    }
  }
  return {};
}

Result<void> SpreadBlocks::spread(std::span<const TraceEvent> events, const Progress& progress) {
  workers_ = std::make_unique<Worker[]>(threads_);
  std::vector<std::thread> others;
  for (std::uint32_t number = 1; number < threads_; ++number) {
    others.emplace_back([&, number] { work(number, events, {}); });
  }
  work(0, events, progress);
  for (std::thread& other : others) {
    other.join();
  }
  for (std::uint32_t number = 0; number < threads_; ++number) {
    leases_ns_.add_all(workers_[number].leases_ns);
    returns_ns_.add_all(workers_[number].returns_ns);
  }
  return error_ ? Result<void>(*error_) : Result<void>();
}

void SpreadBlocks::work(std::uint32_t number, std::span<const TraceEvent> events,
                        const Progress& progress) {
  Worker& self = workers_[number];
  for (std::size_t at = 0; at < events.size(); ++at) {
    const TraceEvent& event = events[at];
    if (at % kProgressEvery == 0 && progress) {
      progress(at);
    }
    if (plays(event) != number) {
      continue;
    }
    // Why release: whoever sees it sees what was leased before.
    self.at.store(at, std::memory_order_release);
    await_others(at, events.size());
    Block& block = blocks_[event.block];
    const bool frees = event.op == TraceOp::kFree;
    while (frees && !block.there.load(std::memory_order_acquire) &&
           !stops_.load(std::memory_order_relaxed)) {
      std::this_thread::yield();
    }
    if (stops_.load(std::memory_order_relaxed)) {
      break;
    }
    const std::uint64_t begun = now_ns();
    if (frees) {
      block.lease.release();
      self.returns_ns.add(now_ns() - begun);
      block.there.store(false, std::memory_order_relaxed);
      continue;
    }
    const Result<void> done = allocate(event);
    self.leases_ns.add(now_ns() - begun);
    if (!done) {
      fail(event, done.failure());
    }
  }
  self.at.store(events.size(), std::memory_order_release);
}

// Waits until nobody is further behind than the window.
void SpreadBlocks::await_others(std::size_t at, std::size_t of) {
  if (at < kWindow || of <= kWindow) {
    return;
  }
  for (std::uint32_t other = 0; other < threads_; ++other) {
    while (workers_[other].at.load(std::memory_order_acquire) < at - kWindow &&
           !stops_.load(std::memory_order_relaxed)) {
      std::this_thread::yield();
    }
  }
}

void SpreadBlocks::fail(const TraceEvent& event, const Error& error) {
  const std::scoped_lock lock(mutex_);
  if (failed_ == nullptr || event.line < failed_->line) {
    failed_ = &event;
    error_ = error;
  }
  stops_.store(true, std::memory_order_relaxed);
}

Result<void> SpreadBlocks::allocate(const TraceEvent& event) {
  Result<PayloadLease> lease =
      runtime_.lease(Bytes{event.bytes},
                     {.stream = streams_[leases(event)][event.stream], .site = SiteId{event.site}});
  if (!lease) {
    return lease.failure();
  }
  Block& block = blocks_[event.block];
  block.lease = std::move(*lease);
  block.there.store(true, std::memory_order_release);
  return {};
}

void SpreadBlocks::free(const TraceEvent& event) {
  blocks_[event.block].lease.release();
  blocks_[event.block].there.store(false, std::memory_order_relaxed);
}

void SpreadBlocks::drop_all() {
  for (std::uint64_t k = 0; k < count_; ++k) {
    blocks_[k].lease.release();
    blocks_[k].there.store(false, std::memory_order_relaxed);
  }
}

}  // namespace tenure
