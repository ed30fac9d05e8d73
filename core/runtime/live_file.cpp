#include "core/runtime/live_file.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <utility>

namespace tenure {

namespace {

struct Header {
  std::array<char, 8> format;
  std::uint64_t sequence;
  std::uint64_t every_ms;
  std::uint64_t written_ns;
  std::uint64_t length;
};
constexpr std::array<char, 8> kFormat = {'T', 'E', 'N', 'L', 'I', 'V', 'E', '1'};

template <class Value>
std::byte* bytes_of(Value& value) {
  return reinterpret_cast<std::byte*>(&value);
}

}  // namespace

Result<LiveFile> LiveFile::open(Platform& platform, std::uint64_t every_ms) {
  const Result<ScratchFile> file = platform.open_live();
  if (!file) {
    return file.failure();
  }
  return LiveFile(platform, *file, every_ms);
}

LiveFile::LiveFile(LiveFile&& other) noexcept
    : platform_(std::exchange(other.platform_, nullptr)),
      file_(other.file_),
      every_ms_(other.every_ms_),
      sequence_(other.sequence_) {}

LiveFile::~LiveFile() {
  if (platform_ != nullptr) {
    platform_->close_scratch(file_);
  }
}

Result<void> LiveFile::write(std::string_view text) {
  Header header{kFormat, ++sequence_, every_ms_, platform_->now_ns(), text.size()};
  const auto put_header = [&] {
    return platform_->write_scratch(file_, 0, bytes_of(header), Bytes{sizeof(header)});
  };
  if (Result<void> begun = put_header(); !begun) {
    return begun;
  }
  if (Result<void> put = platform_->write_scratch(file_, sizeof(header),
                                                  reinterpret_cast<const std::byte*>(text.data()),
                                                  Bytes{text.size()});
      !put) {
    return put;
  }
  header.sequence = ++sequence_;
  return put_header();
}

Result<LiveFigures> LiveFile::read(Platform& platform, ScratchFile file) {
  constexpr int kTries = 100;
  for (int k = 0; k < kTries; ++k) {
    Header header{};
    if (Result<void> got = platform.read_scratch(file, 0, bytes_of(header), Bytes{sizeof(header)});
        !got) {
      return got.failure();
    }
    if (header.format != kFormat) {
      return Error{ErrorCode::kFile, "the figures are of another version of the library"};
    }
    LiveFigures figures;
    figures.every_ms = header.every_ms;
    figures.written_ns = header.written_ns;
    if (header.sequence % 2 != 0) {
      continue;
    }
    figures.metrics.resize(header.length);
    if (Result<void> got = platform.read_scratch(
            file, sizeof(header), reinterpret_cast<std::byte*>(figures.metrics.data()),
            Bytes{header.length});
        !got) {
      return got.failure();
    }
    Header after{};
    if (Result<void> got = platform.read_scratch(file, 0, bytes_of(after), Bytes{sizeof(after)});
        !got) {
      return got.failure();
    }
    if (after.sequence == header.sequence) {
      const std::uint64_t now = platform.now_ns();
      figures.age_ns = now > figures.written_ns ? now - figures.written_ns : 0;
      return figures;
    }
  }
  return Error{ErrorCode::kFile, "the figures were being written each of " +
                                     std::to_string(kTries) + " times that they were read"};
}

}  // namespace tenure
