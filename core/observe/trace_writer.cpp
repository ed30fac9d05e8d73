#include "core/observe/trace_writer.hpp"

#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {
namespace {

constexpr unsigned kBufferBytes = 64u << 10;
constexpr int kAttempts = 16;  // names tried for the file in the making

std::string why(int error_number) { return std::generic_category().message(error_number); }

/// A name in the same folder, so that the renaming stays within one file system.
std::string part_path_for(const std::string& path) {
  std::random_device device;
  return path + ".part" + std::to_string(device());
}

}  // namespace

class TraceWriter::Output {
 public:
  Output(std::string path, std::string part_path, gzFile file)
      : path_(std::move(path)), part_path_(std::move(part_path)), file_(file) {
    gzbuffer(file_, kBufferBytes);
    write(std::string(kTraceHeader) + "\n");
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (file_ != nullptr) {
      gzclose_w(file_);
    }
    if (!part_path_.empty()) {
      std::remove(part_path_.c_str());
    }
  }

  void write(const std::string& line) {
    if (error_number_) {
      return;  // the first fault is the one to tell
    }
    errno = 0;
    if (gzwrite(file_, line.data(), static_cast<unsigned>(line.size())) == 0) {
      error_number_ = errno;
    }
  }

  Result<void> finish() {
    errno = 0;
    const int code = gzclose_w(std::exchange(file_, nullptr));
    if (code != Z_OK && !error_number_) {
      error_number_ = errno;
    }
    if (error_number_) {
      return failed("cannot be written", *error_number_);
    }
    if (std::rename(part_path_.c_str(), path_.c_str()) != 0) {
      return failed("cannot be put in place", errno);
    }
    part_path_.clear();
    return {};
  }

 private:
  Error failed(const std::string& what, int error_number) const {
    return {ErrorCode::kFile, path_ + ": the trace " + what + ": " + why(error_number)};
  }

  std::string path_;
  std::string part_path_;  // empty once the file has its name
  gzFile file_;            // null once closed
  std::optional<int> error_number_;
};

Result<TraceWriter> TraceWriter::create(const std::string& path) {
  // Source: zlib.h, gzopen: x refuses a file that is there, e keeps it from child processes, T writes
  // text as it is.
  const char* const mode = path.ends_with(".gz") ? "wbxe" : "wbxeT";
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string part_path = part_path_for(path);
    errno = 0;
    if (gzFile const file = gzopen(part_path.c_str(), mode); file != nullptr) {
      return TraceWriter(std::make_unique<Output>(path, std::move(part_path), file));
    }
    if (errno != EEXIST) {
      break;
    }
  }
  return Error{ErrorCode::kFile, path + ": no trace can be written there: " + why(errno)};
}

TraceWriter::TraceWriter(std::unique_ptr<Output> output) : output_(std::move(output)) {}
TraceWriter::TraceWriter(TraceWriter&&) noexcept = default;
TraceWriter& TraceWriter::operator=(TraceWriter&&) noexcept = default;
TraceWriter::~TraceWriter() = default;

void TraceWriter::write(const TraceRow& row) {
  check(output_ != nullptr, "a row was given to a trace that is finished");
  output_->write(to_line(row));
}

Result<void> TraceWriter::finish() {
  check(output_ != nullptr, "a trace was finished twice");
  return std::exchange(output_, nullptr)->finish();
}

}  // namespace tenure
