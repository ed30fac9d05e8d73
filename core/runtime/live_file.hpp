// A runtime's figures in a file that others read while it writes: a header, then text.
//
// Invariant: the header's sequence is odd while a text is being written and even when it is whole, so that
// a reader that saw the same even one before and after has one text.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/backend/platform.hpp"
#include "tenure/live.hpp"

namespace tenure {

class LiveFile {
 public:
  /// errors   kFile
  [[nodiscard]] static Result<LiveFile> open(Platform& platform, std::uint64_t every_ms);
  LiveFile(LiveFile&& other) noexcept;
  LiveFile& operator=(LiveFile&& other) = delete;
  ~LiveFile();

  /// errors   kFile: there is no memory for it; what was there is gone then
  [[nodiscard]] Result<void> write(std::string_view text);

  /// What another process wrote into such a file.
  ///
  /// errors   kFile: nothing was written yet, or not by this version
  [[nodiscard]] static Result<LiveFigures> read(Platform& platform, ScratchFile file);

 private:
  LiveFile(Platform& platform, ScratchFile file, std::uint64_t every_ms)
      : platform_(&platform), file_(file), every_ms_(every_ms) {}

  Platform* platform_;  // null where it was moved from
  ScratchFile file_;
  std::uint64_t every_ms_;
  std::uint64_t sequence_ = 0;
};

}  // namespace tenure
