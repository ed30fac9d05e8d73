// Writes allocation traces: rows in, a file out that `TraceData::read` takes.
//
// Invariant: under the path given there is the whole trace or what was there before, never a part.
// Rows go to a file beside it, which takes the name when it is finished. (A crash of the machine
// itself, moments later, may still lose it: nothing waits for the disk.)
#pragma once

#include <memory>
#include <string>

#include "core/observe/trace_row.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// One trace in the making. What is not finished leaves nothing behind.
///
/// threads  one at a time
class TraceWriter {
 public:
  /// Opens a file beside `path` and writes the first line to it.
  ///
  /// path     gzip if it ends in ".gz", else plain text; what is there is replaced by `finish`
  /// errors   kFile: the folder is not there or may not be written
  [[nodiscard]] static Result<TraceWriter> create(const std::string& path);

  TraceWriter(TraceWriter&&) noexcept;
  TraceWriter& operator=(TraceWriter&&) noexcept;
  ~TraceWriter();

  /// Appends a row. That rows add up is the caller's to see to. A row that cannot be written is
  /// reported by `finish`, so that a recorder need not look at each.
  void write(const TraceRow& row);

  /// Completes the file and gives it its name. The writer takes no more rows.
  ///
  /// errors   kFile: a row could not be written, or the name not be given; nothing is left behind
  [[nodiscard]] Result<void> finish();

 private:
  class Output;  // the file in the making, by way of zlib
  explicit TraceWriter(std::unique_ptr<Output> output);

  std::unique_ptr<Output> output_;  // null once finished
};

}  // namespace tenure
