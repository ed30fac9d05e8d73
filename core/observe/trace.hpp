// An allocation trace in memory: what a real program asked for and gave back, in order.
//
// Invariant: what stands here adds up. Every free names a live block with the bytes and the device
// it was allocated with, time never falls, and where the trace states live bytes they are so. A file
// that does not is refused with its first fault; nothing of it is kept.
//
// It must not know who replays it, nor on what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/observe/trace_row.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// An allocation or a free. The other rows of a trace end in the figures, or are passed over.
struct TraceEvent {
  std::uint64_t bytes = 0;   // as the program asked, unrounded; 1 to 2^47
  std::uint64_t t_us = 0;    // since the window began; never falls
  std::uint32_t block = 0;   // blocks count from 0 in the order of their allocation
  std::uint32_t line = 0;    // of the file, for messages
  std::uint32_t site = 0;    // the call stack of this event; 0: none was recorded
  std::uint16_t stream = 0;  // as the trace numbers them; 0 is the default stream
  std::uint8_t device = 0;
  TraceOp op = TraceOp::kAlloc;  // kAlloc or kFree
};
static_assert(sizeof(TraceEvent) == 32, "a trace of millions of events should stay small");

/// What a trace comes to, the prologue included and all devices together.
struct TraceFigures {
  std::uint64_t allocations = 0;  // and so many blocks
  std::uint64_t frees = 0;
  std::size_t prologue_events = 0;     // the first so many events were before the recorded window
  std::vector<std::uint16_t> streams;  // those that events name, rising
  std::vector<std::uint8_t> devices;   // likewise
  Bytes peak_live;
  Bytes final_live;
  Bytes recorded_peak_reserved;  // by the segment rows; 0 where there are none
};

/// How much of a file is read before it is refused.
struct TraceLimits {
  /// Why: a small gzip can unpack to any number of rows. An event takes 32 B, 48 B while the array
  /// grows, and the id of its block up to 60 B, so that this many take 4 GiB at the most.
  std::uint64_t rows = std::uint64_t{1} << 25;
};

class TraceData {
 public:
  /// Reads a trace, gzip or plain.
  ///
  /// errors   kFile: cannot be opened or read; kBadTrace: the first fault, as "FILE:LINE: ..." where
  ///          a line is at fault
  /// cost     O(bytes); 25 MB of text, 700,000 rows, take 0.2 s, as gzip 0.3 s (2-core x86-64)
  [[nodiscard]] static Result<TraceData> read(const std::string& path, TraceLimits limits = {});

  /// The same for bytes in memory.
  ///
  /// path     what messages call it
  [[nodiscard]] static Result<TraceData> read(const std::string& path,
                                              std::span<const std::byte> bytes,
                                              TraceLimits limits = {});

  /// The file as it was named to `read`.
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The file's name without folder and endings: "gpt_train_cpu".
  [[nodiscard]] std::string_view name() const;

  [[nodiscard]] std::span<const TraceEvent> events() const { return events_; }
  [[nodiscard]] std::span<const TraceEvent> prologue() const {
    return events().first(figures_.prologue_events);
  }
  [[nodiscard]] std::span<const TraceEvent> window() const {
    return events().subspan(figures_.prologue_events);
  }
  [[nodiscard]] const TraceFigures& figures() const { return figures_; }

 private:
  TraceData(std::string path, std::vector<TraceEvent> events, TraceFigures figures);
  friend class TraceReader;

  std::string path_;
  std::vector<TraceEvent> events_;
  TraceFigures figures_;
};

}  // namespace tenure
