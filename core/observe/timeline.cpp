#include "core/observe/timeline.hpp"

#include <algorithm>
#include <cmath>

namespace tenure {

namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

Bytes rounded(double bytes) { return Bytes{static_cast<std::uint64_t>(std::llround(bytes))}; }

}  // namespace

Timeline::Row& Timeline::row_at(std::uint64_t now_ns) {
  const std::uint64_t second = now_ns / kNsPerSecond;
  // Why also an older one: threads read the clock before they wait for their turn.
  if (rows_.empty() || rows_.back().second < second) {
    rows_.push_back({.second = second});
    while (rows_.front().second + kMostSeconds <= second) {
      rows_.pop_front();
    }
  }
  return rows_.back();
}

void Timeline::add_allocation(std::uint64_t now_ns, double count, double bytes) {
  Row& row = row_at(now_ns);
  row.allocations += count;
  row.allocated += bytes;
}

void Timeline::add_deaths(std::uint64_t now_ns, double count, double bytes) {
  Row& row = row_at(now_ns);
  row.deaths += count;
  row.freed += bytes;
}

void Timeline::add_collection(std::uint64_t now_ns, bool collected, std::uint64_t pause_ns) {
  Row& row = row_at(now_ns);
  row.collections += collected ? 1 : 0;
  row.pause_ns += pause_ns;
}

std::vector<TimelineSecond> Timeline::seconds() const {
  std::vector<TimelineSecond> seconds;
  seconds.reserve(rows_.size());
  for (const Row& row : rows_) {
    seconds.push_back({.second = row.second,
                       .allocations = row.allocations,
                       .allocated = rounded(row.allocated),
                       .deaths = row.deaths,
                       .freed = rounded(row.freed),
                       .collections = row.collections,
                       .pause_ns = row.pause_ns});
  }
  return seconds;
}

std::vector<AllocationBurst> find_bursts(const std::vector<TimelineSecond>& seconds) {
  constexpr std::uint64_t kWindow = 10;  // seconds
  constexpr std::uint64_t kTimes = 3;
  constexpr Bytes kLeast{1u << 20};
  constexpr std::size_t kMost = 10;
  std::vector<AllocationBurst> bursts;
  std::uint64_t window_bytes = 0;
  std::size_t first = 0;  // of the window
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    const TimelineSecond& at = seconds[k];
    for (; seconds[first].second + kWindow < at.second; ++first) {
      window_bytes -= seconds[first].allocated.count();
    }
    // Why not before there is a whole window: what a program begins with is no burst of it.
    const bool has_window = at.second - seconds.front().second >= kWindow;
    const Bytes before{window_bytes / kWindow};
    if (has_window && at.allocated > before * kTimes && at.allocated > kLeast) {
      bursts.push_back({.second = at.second, .allocated = at.allocated, .before = before});
    }
    window_bytes += at.allocated.count();
  }
  if (bursts.size() > kMost) {
    bursts.erase(bursts.begin(), bursts.end() - kMost);
  }
  return bursts;
}

double growth_of(const std::vector<TimelineSecond>& seconds) {
  constexpr std::size_t kLeast = 3;
  if (seconds.size() < kLeast) {
    return 0;
  }
  double live = 0;
  double sum_time = 0;
  double sum_live = 0;
  double sum_time_live = 0;
  double sum_time_time = 0;
  for (const TimelineSecond& at : seconds) {
    live += static_cast<double>(at.allocated.count()) - static_cast<double>(at.freed.count());
    const auto time = static_cast<double>(at.second - seconds.front().second);
    sum_time += time;
    sum_live += live;
    sum_time_live += time * live;
    sum_time_time += time * time;
  }
  const auto count = static_cast<double>(seconds.size());
  const double spread = count * sum_time_time - sum_time * sum_time;
  return spread == 0 ? 0 : (count * sum_time_live - sum_time * sum_live) / spread;
}

}  // namespace tenure
