// How fast a sum that only grows has grown of late: points of it, as often as somebody looks.
#pragma once

#include <cstdint>
#include <deque>

namespace tenure {

/// threads  one at a time
class RateWindow {
 public:
  static constexpr std::uint64_t kWindowNs = 5'000'000'000;

  /// The sum is 0 at `now_ns`.
  explicit RateWindow(std::uint64_t now_ns) : points_{{now_ns, 0}} {}

  /// The sum is `sum` now.
  ///
  /// returns  its growth a second, since the newest point that is as old as the window; since the oldest
  ///          of all where none is
  double note(std::uint64_t now_ns, std::uint64_t sum) {
    while (points_.size() > 1 && now_ns - points_[1].time_ns >= kWindowNs) {
      points_.pop_front();
    }
    const Point& from = points_.front();
    constexpr double kNsPerSecond = 1e9;
    const double rate = now_ns <= from.time_ns || sum < from.sum
                            ? 0.0
                            : static_cast<double>(sum - from.sum) * kNsPerSecond /
                                  static_cast<double>(now_ns - from.time_ns);
    if (now_ns - points_.back().time_ns >= kApartNs) {
      points_.push_back({now_ns, sum});
    }
    return rate;
  }

 private:
  static constexpr std::uint64_t kApartNs = kWindowNs / 64;  // so that there are 66 at the most

  struct Point {
    std::uint64_t time_ns;
    std::uint64_t sum;
  };
  std::deque<Point> points_;  // by time; one at least
};

}  // namespace tenure
