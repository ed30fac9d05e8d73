#include "core/observe/trace_lines.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/check.hpp"

namespace tenure {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;  // bytes read, and text unpacked, at a time
constexpr int kGzipWindow = 15 + 16;                   // Source: zlib.h, inflateInit2: gzip alone
constexpr std::array kGzipMagic{std::byte{0x1f}, std::byte{0x8b}};

std::string why(int error_number) { return std::generic_category().message(error_number); }

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// The raw bytes, chunk by chunk, of a file or of a piece of memory.
class Source {
 public:
  explicit Source(File file) : file_(std::move(file)), buffer_(kChunk) {}
  explicit Source(std::span<const std::byte> memory) : memory_(memory) {}

  /// The next bytes, good until the next call; none where they are over or cannot be read.
  std::span<const std::byte> next() {
    if (file_ == nullptr) {
      const std::span<const std::byte> chunk = memory_.first(std::min(kChunk, memory_.size()));
      memory_ = memory_.subspan(chunk.size());
      return chunk;
    }
    errno = 0;
    const std::size_t count = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
    if (std::ferror(file_.get()) != 0) {
      error_number_ = errno != 0 ? errno : EIO;  // a fault seen before says nothing new
      return {};
    }
    return std::span<const std::byte>{buffer_}.first(count);
  }

  /// Why the last read failed, as errno has it; 0 if none did.
  [[nodiscard]] int error_number() const { return error_number_; }

 private:
  File file_;                          // null: the bytes are in memory
  std::span<const std::byte> memory_;  // what of it is still to be given
  std::vector<std::byte> buffer_;      // [kChunk] where there is a file
  int error_number_ = 0;
};

}  // namespace

/// Text in a window that moves over the input: [begin_, end_) of the buffer is not yet given.
class TraceLines::Text {
 public:
  Text(std::string name, Source source) : name_(std::move(name)), source_(std::move(source)) {
    input_ = source_.next();
    note_read_error();
    gzip_ = input_.size() >= kGzipMagic.size() &&
            std::memcmp(input_.data(), kGzipMagic.data(), kGzipMagic.size()) == 0;
    if (gzip_ && inflateInit2(&zlib_, kGzipWindow) != Z_OK) {
      gzip_ = false;  // there is nothing to end
      fault_ = Error{ErrorCode::kOutOfMemory, name_ + ": no memory to unpack gzip data with"};
    }
  }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() {
    if (gzip_) {
      inflateEnd(&zlib_);
    }
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }

  /// line     how many lines were given before
  std::optional<std::string_view> try_line(std::uint64_t line) {
    std::size_t searched = 0;
    for (;;) {
      const std::string_view waiting(buffer_.data() + begin_, end_ - begin_);
      const std::size_t length = waiting.find('\n', searched);
      const bool found = length != std::string_view::npos;
      if (std::min(length, waiting.size()) > kLongestTraceLine) {
        fault_ =
            Error{ErrorCode::kBadTrace,
                  name_ + ":" + std::to_string(line + 1) + ": the line is longer than " +
                      std::to_string(kLongestTraceLine) + " characters, and no line of a trace is"};
        return std::nullopt;
      }
      if (found) {
        begin_ += length + 1;
        return waiting.substr(0, length);
      }
      searched = waiting.size();
      if (!refill(line)) {
        return last_line();
      }
    }
  }

 private:
  /// Reads on. False where nothing came: the text is over, or `fault_` says why not.
  bool refill(std::uint64_t line) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    const std::size_t room = buffer_.size() - end_;
    const std::size_t count = gzip_ ? unpack(room, line) : copy(room);
    end_ += count;
    return count != 0 && !fault_;
  }

  /// What is left at the end of the text, if it ended well.
  std::optional<std::string_view> last_line() {
    if (fault_ || begin_ == end_) {
      return std::nullopt;
    }
    const std::string_view line(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    return line;
  }

  std::size_t copy(std::size_t room) {
    if (input_.empty()) {
      feed();
    }
    const std::size_t count = std::min(room, input_.size());
    if (count != 0) {  // Why: memcpy may not be given a null pointer, even for no bytes
      std::memcpy(buffer_.data() + end_, input_.data(), count);
    }
    input_ = input_.subspan(count);
    return count;
  }

  /// Unpacks until there is some text, and gives how much; 0 at the end and at a fault.
  std::size_t unpack(std::size_t room, std::uint64_t line) {
    zlib_.next_out = reinterpret_cast<Bytef*>(buffer_.data() + end_);
    zlib_.avail_out = static_cast<uInt>(room);
    while (zlib_.avail_out == room) {
      if (input_.empty()) {
        feed();
      }
      if (fault_ || (member_ended_ && input_.empty())) {
        return 0;
      }
      if (member_ended_ && !begin_member(line)) {
        return 0;
      }
      // Why even without input: zlib may hold text for which there was no room before.
      zlib_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input_.data()));
      zlib_.avail_in = static_cast<uInt>(input_.size());
      const int code = inflate(&zlib_, Z_NO_FLUSH);
      const bool input_is_over = input_.empty();
      input_ = input_.last(zlib_.avail_in);
      if (code == Z_STREAM_END) {
        member_ended_ = true;
      } else if (code == Z_BUF_ERROR && input_is_over) {
        refuse(line, "the gzip data ends early");
        return 0;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        if (zlib_.avail_out != room) {
          break;  // what came before the fault goes first; zlib says the same again when asked
        }
        const char* detail = zlib_.msg != nullptr ? zlib_.msg : "damaged";
        refuse(line, std::string("the gzip data cannot be unpacked (") + detail + ")");
        return 0;
      }
    }
    return room - zlib_.avail_out;
  }

  /// Bytes behind the end of a member begin another, or do not belong there.
  bool begin_member(std::uint64_t line) {
    if (input_.front() != kGzipMagic.front()) {
      refuse(line, "something that is not gzip follows the end of the gzip data");
      return false;
    }
    check(inflateReset(&zlib_) == Z_OK, "zlib lost its state");
    member_ended_ = false;
    return true;
  }

  void feed() {
    input_ = source_.next();
    note_read_error();
  }

  void note_read_error() {
    if (source_.error_number() != 0) {
      fault_ = Error{ErrorCode::kFile, name_ + ": cannot be read: " + why(source_.error_number())};
    }
  }

  void refuse(std::uint64_t line, const std::string& what) {
    fault_ = Error{ErrorCode::kBadTrace, name_ + ": " + what + ", behind line " +
                                             std::to_string(line) + "; fetch or record it again"};
  }

  std::string name_;
  Source source_;
  std::span<const std::byte> input_;  // read and not yet used
  z_stream zlib_{};
  bool gzip_ = false;
  bool member_ended_ = false;
  std::optional<Error> fault_;
  std::array<char, kChunk> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

Result<TraceLines> TraceLines::open(const std::string& path) {
  File file{std::fopen(path.c_str(), "rb")};
  if (file == nullptr) {
    return Error{ErrorCode::kFile, path + ": cannot be opened: " + why(errno)};
  }
  return TraceLines(std::make_unique<Text>(path, Source(std::move(file))));
}

TraceLines TraceLines::over(std::string name, std::span<const std::byte> bytes) {
  return TraceLines(std::make_unique<Text>(std::move(name), Source(bytes)));
}

TraceLines::TraceLines(std::unique_ptr<Text> text) : text_(std::move(text)) {}
TraceLines::TraceLines(TraceLines&&) noexcept = default;
TraceLines& TraceLines::operator=(TraceLines&&) noexcept = default;
TraceLines::~TraceLines() = default;

std::optional<std::string_view> TraceLines::try_next() {
  if (text_->fault()) {
    return std::nullopt;
  }
  std::optional<std::string_view> line = text_->try_line(line_);
  if (line) {
    ++line_;
    if (line->ends_with('\r')) {  // written on a machine that ends lines so
      line->remove_suffix(1);
    }
  }
  return line;
}

const std::optional<Error>& TraceLines::fault() const { return text_->fault(); }
std::uint64_t TraceLines::line() const { return line_; }
const std::string& TraceLines::name() const { return text_->name(); }

}  // namespace tenure
