// A large text file in the making: appended to by pieces, whole or not there at all.
//
// Invariant: under the path given there is the whole file or what was there before. Pieces go to a file
// beside it, which takes the name when it is finished.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "tenure/result.hpp"

namespace tenure {

/// threads  one at a time
class TextFile {
 public:
  /// errors   kFile: the folder is not there or may not be written
  [[nodiscard]] static Result<TextFile> create(const std::string& path);
  TextFile(TextFile&& from) noexcept;
  TextFile& operator=(TextFile&&) = delete;
  TextFile(const TextFile&) = delete;
  ~TextFile();

  /// What cannot be written is reported by `finish`.
  TextFile& operator<<(std::string_view piece) {
    text_ += piece;
    if (text_.size() >= kBuffer) {
      flush();
    }
    return *this;
  }
  TextFile& operator<<(std::integral auto number) { return *this << std::to_string(number); }
  /// A string as JSON has it, its quotes included.
  TextFile& quote(std::string_view string);

  /// Completes the file and gives it its name.
  ///
  /// errors   kFile: something could not be written; nothing is left behind
  [[nodiscard]] Result<void> finish();

 private:
  static constexpr std::size_t kBuffer = 256u << 10;

  TextFile(std::string path, std::string part, std::FILE* file)
      : path_(std::move(path)), part_(std::move(part)), file_(file) {}
  void flush();
  [[nodiscard]] Error failed(int reason) const;

  std::string path_;
  std::string part_;  // the file's name until it is finished; empty afterwards
  std::FILE* file_;   // null once closed
  std::string text_;  // not written yet
  int reason_ = 0;    // of the first failure
};

}  // namespace tenure
