// The lines of a text that may be gzip, from a file or from memory, in little room.
//
// Invariant: what is held at a time is two buffers of fixed size, whatever the input. A line longer
// than any row can be ends the reading, so that neither a long line nor a gzip that unpacks to
// terabytes fills the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tenure/result.hpp"

namespace tenure {

/// A row with the longest word and six numbers of 20 digits has 141 characters.
inline constexpr std::size_t kLongestTraceLine = 255;

/// Gives lines one by one. Whether the input is gzip is told by its first two bytes, not its name;
/// several gzip members on end are one text, as gzip has it.
///
/// threads  one at a time
class TraceLines {
 public:
  /// errors   kFile: the file cannot be opened
  [[nodiscard]] static Result<TraceLines> open(const std::string& path);

  /// bytes    stay where they are while lines are read
  /// name     for messages: the file that the bytes would be
  static TraceLines over(std::string name, std::span<const std::byte> bytes);

  TraceLines(TraceLines&&) noexcept;
  TraceLines& operator=(TraceLines&&) noexcept;
  ~TraceLines();

  /// The next line without its end, good until the next call; a last line may lack its end. Empty
  /// where the text is over, and where it cannot be read on: `fault` tells the two apart.
  [[nodiscard]] std::optional<std::string_view> try_next();

  /// Why reading stopped before the end. kFile: the file cannot be read; kBadTrace: a line is too
  /// long, or the gzip data is damaged, ends early or has something else behind it.
  [[nodiscard]] const std::optional<Error>& fault() const;

  /// The number of the line last given, counted from 1.
  [[nodiscard]] std::uint64_t line() const;

  /// The file's name as it was given.
  [[nodiscard]] const std::string& name() const;

 private:
  class Text;  // bytes in, text out, by way of zlib where it is gzip
  explicit TraceLines(std::unique_ptr<Text> text);

  std::unique_ptr<Text> text_;
  std::uint64_t line_ = 0;
};

}  // namespace tenure
