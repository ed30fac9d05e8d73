#include "bench/support/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace tenure::bench {

namespace {

// What is under way. On a terminal it is gone when it is done; elsewhere it is a line a case, for some
// take minutes.
class StatusLine {
 public:
  explicit StatusLine(const std::string& text)
      : width_(isatty(STDERR_FILENO) == 1 ? text.size() : 0) {
    fmt::print(stderr, "{}{}", text, width_ > 0 ? "" : "\n");
  }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine() {
    if (width_ > 0) {
      fmt::print(stderr, "\r{:{}}\r", "", width_);
    }
  }

 private:
  std::size_t width_;
};

}  // namespace

Measured Session::measure(const Case& asked) {
  const StatusLine status(bench_ + ": " + asked.name);
  Measured measured = bench::measure(asked, effort_);
  add(asked, measured);
  return measured;
}

void Session::add(const Case& of, const Measured& measured) {
  for (Row& row : rows_of(bench_, of, measured)) {
    rows_.push_back(std::move(row));
  }
}

}  // namespace tenure::bench
