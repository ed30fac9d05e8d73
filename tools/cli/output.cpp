#include "tools/cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace tenure::cli {

int refuse(const Error& error) {
  fmt::print(stderr, "tenure: {}\n", error.message);
  return kRefused;
}

namespace {

constexpr int kAttempts = 16;  // names tried for a draft

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// What a path names: the file behind a link, or the path itself where nothing is there yet.
std::string target_of(const std::string& path) {
  std::error_code none;
  const std::filesystem::path target = std::filesystem::canonical(path, none);
  return none ? path : target.string();
}

// A pipe, a terminal or a device: to be written to, and never to be replaced.
bool is_written_in_place(const std::string& target) {
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(target, none);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
         !std::filesystem::is_directory(status);
}

// A file in the making, beside its target, so that the renaming stays within one file system. It is
// new, and goes again unless it takes the target's place.
class Draft {
 public:
  explicit Draft(std::string target) : target_(std::move(target)) {
    std::error_code none;
    if (std::filesystem::is_directory(target_, none)) {
      error_number_ = EISDIR;
      return;
    }
    for (int attempt = 0; attempt < kAttempts && file_ == nullptr; ++attempt) {
      path_ = fmt::format("{}.part{}-{}", target_, getpid(), attempt);
      file_.reset(std::fopen(path_.c_str(), "wbx"));
      error_number_ = file_ == nullptr ? errno : 0;
      if (error_number_ != 0 && error_number_ != EEXIST) {
        break;
      }
    }
    path_ = file_ == nullptr ? std::string() : path_;
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    if (!path_.empty()) {
      std::remove(path_.c_str());
    }
  }

  void finish(const std::string& text) {
    if (error_number_ != 0) {
      return;
    }
    const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
    const bool closed = std::fclose(file_.release()) == 0;
    if (!written || !closed || std::rename(path_.c_str(), target_.c_str()) != 0) {
      error_number_ = errno;
      return;
    }
    path_.clear();
  }

  [[nodiscard]] int error_number() const { return error_number_; }

 private:
  std::string target_;
  std::string path_;  // empty once it has the target's name, and where it could not be opened
  File file_;
  int error_number_ = 0;
};

// Gives errno's number, or 0.
int write_in_place(const std::string& target, const std::string& text) {
  File file(std::fopen(target.c_str(), "wb"));
  if (file == nullptr) {
    return errno;
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  return std::fclose(file.release()) == 0 && written ? 0 : errno;
}

Result<void> outcome(const std::string& path, int error_number) {
  if (error_number == 0) {
    return {};
  }
  return Error{ErrorCode::kFile, path + " cannot be written: " + std::strerror(error_number)};
}

}  // namespace

Result<void> write_whole(const std::string& path, const std::string& text) {
  if (path == "-") {
    fmt::print("{}", text);
    return {};
  }
  const std::string target = target_of(path);
  if (is_written_in_place(target)) {
    return outcome(path, write_in_place(target, text));
  }
  Draft draft(target);
  draft.finish(text);
  return outcome(path, draft.error_number());
}

Result<void> may_write(const std::string& path) {
  if (path.empty() || path == "-" || is_written_in_place(target_of(path))) {
    return {};
  }
  return outcome(path, Draft(target_of(path)).error_number());
}

int end_output(int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return code;
  }
  const int number = errno != 0 ? errno : EIO;
  return refuse(Error{ErrorCode::kFile, std::string("the standard output cannot be written: ") +
                                            std::strerror(number)});
}

std::string duration(std::uint64_t nanoseconds) {
  const auto ns = static_cast<double>(nanoseconds);
  if (ns < 1e3) {
    return fmt::format("{} ns", nanoseconds);
  }
  if (ns < 1e6) {
    return fmt::format("{:.3g} us", ns / 1e3);
  }
  return ns < 1e9 ? fmt::format("{:.3g} ms", ns / 1e6) : fmt::format("{:.3g} s", ns / 1e9);
}

std::string grouped(std::uint64_t number) { return fmt::format("{}", fmt::group_digits(number)); }

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)), is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (is_terminal_ && last_percent_ >= 0) {
    fmt::print(stderr, "\r{:{}}\r", "", title_.size() + 60);
  }
}

void ProgressBar::show(std::uint64_t done, std::uint64_t of) {
  if (!is_terminal_ || of == 0) {
    return;
  }
  const int percent = static_cast<int>(100 * done / of);
  if (percent == last_percent_) {
    return;
  }
  last_percent_ = percent;
  constexpr int kWidth = 40;
  const int filled = percent * kWidth / 100;
  fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3} %", title_, "", filled, "", kWidth - filled,
             percent);
  std::fflush(stderr);
}

}  // namespace tenure::cli
