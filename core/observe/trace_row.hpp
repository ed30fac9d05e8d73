// One row of an allocation trace: what it says, as text and as a value.
//
// A row is seven fields with commas between, all but the first whole numbers. This file knows the
// form of a row alone; whether rows add up is known by trace.hpp. docs/trace_format.md describes
// both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tenure/result.hpp"

namespace tenure {

/// The first line of every trace.
inline constexpr std::string_view kTraceHeader = "op,id,bytes,stream,t_us,device,site";

/// What a row says happened.
enum class TraceOp : std::uint8_t {
  kAlloc,          // a block was handed out
  kFree,           // the block may be used again
  kFreeRequested,  // the block was given up; its free follows, since a stream still used it
  kSegmentAlloc,   // the recorded allocator took memory from the driver
  kSegmentFree,    // ... and gave it back
  kSegmentMap,     // the same by pages
  kSegmentUnmap,
  kOutOfMemory,  // "oom": a request for `bytes` failed
  kDeviceFree,   // what the driver had free right after it
  kMark,         // the recording was dumped here too
  kBegin,        // the end of the prologue of one device
  kSnapshot,     // `bytes` are live on the device, by the recorded allocator's own count
};
inline constexpr std::uint8_t kTraceOps = 12;

/// The word as it stands in a trace: "free_requested".
[[nodiscard]] std::string_view to_string(TraceOp op);

/// The most that a row may name. Source: 47 bits are what a process of x86-64 addresses; the others
/// are far above any program's streams, devices and call stacks.
inline constexpr std::uint64_t kMaxTraceBytes = std::uint64_t{1} << 47;
inline constexpr std::uint64_t kMaxTraceStream = (std::uint64_t{1} << 16) - 1;
inline constexpr std::uint64_t kMaxTraceDevice = (std::uint64_t{1} << 8) - 1;
inline constexpr std::uint64_t kMaxTraceSite = (std::uint64_t{1} << 32) - 1;

struct TraceRow {
  TraceOp op = TraceOp::kAlloc;
  std::uint64_t id = 0;  // which block; 0 where the row speaks of none
  std::uint64_t bytes = 0;
  std::uint16_t stream = 0;
  std::uint64_t t_us = 0;  // since the window began
  std::uint8_t device = 0;
  std::uint32_t site = 0;  // the call stack; 0: none was recorded

  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

/// Reads one row.
///
/// line     without its end
/// errors   kBadTrace: says which field, what stands there and what may; knows neither file nor line
[[nodiscard]] Result<TraceRow> parse_trace_row(std::string_view line);

/// The row as a line, its end included.
[[nodiscard]] std::string to_line(const TraceRow& row);

/// What a file says, fit to stand in a sentence: in quotes, cut after some 40 characters, and with
/// "?" for what is not printable ASCII.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace tenure
