// How the program speaks: errors in one sentence and exit code 2, files whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "tenure/result.hpp"

namespace tenure::cli {

inline constexpr int kOk = 0;
inline constexpr int kFound = 1;    // what was looked for is wrong: a lost object, a leak
inline constexpr int kRefused = 2;  // the call, its files or this machine do not allow it

/// Prints "tenure: <sentence>" to the error stream.
///
/// returns  kRefused
int refuse(const Error& error);

/// Writes a file under another name and renames it, so that nothing half-written is ever seen. A link
/// stays one, and the file it names is replaced; a pipe or a device is written to as it stands.
///
/// path     "-" is the standard output
/// errors   kFile
[[nodiscard]] Result<void> write_whole(const std::string& path, const std::string& text);

/// Whether `write_whole` could write there now; for those who work long before they do. Empty says
/// that nothing is to be written.
///
/// errors   kFile
[[nodiscard]] Result<void> may_write(const std::string& path);

/// Sends what was printed on its way.
///
/// returns  `code`; kRefused, with a sentence, where the standard output does not take it
[[nodiscard]] int end_output(int code);

/// "1.2 ms", "340 us", "17 ns".
[[nodiscard]] std::string duration(std::uint64_t nanoseconds);

/// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);

/// A bar on the error stream that is redrawn as work goes on; nothing where that is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  void show(std::uint64_t done, std::uint64_t of);

 private:
  std::string title_;
  bool is_terminal_;
  int last_percent_ = -1;
};

}  // namespace tenure::cli
