#include "tools/cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace tenure::cli {

int refuse(const Error& error) {
  fmt::print(stderr, "tenure: {}\n", error.message);
  return kRefused;
}

Result<void> write_whole(const std::string& path, const std::string& text) {
  if (path == "-") {
    fmt::print("{}", text);
    return {};
  }
  const std::string draft = path + ".part";
  std::FILE* const file = std::fopen(draft.c_str(), "wb");
  bool written = file != nullptr;
  if (file != nullptr) {
    written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    written = std::fclose(file) == 0 && written;
  }
  if (!written || std::rename(draft.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(draft.c_str());
    return Error{ErrorCode::kFile, path + " cannot be written: " + reason};
  }
  return {};
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
