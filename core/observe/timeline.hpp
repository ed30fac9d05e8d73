// A program by the second, bounded, and what can be read from it: bursts, and growth.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tenure/profile.hpp"

namespace tenure {

/// threads  whoever has the profiler's lock
class Timeline {
 public:
  static constexpr std::size_t kMostSeconds = 3600;

  void add_allocation(std::uint64_t now_ns, double count, double bytes);
  void add_deaths(std::uint64_t now_ns, double count, double bytes);
  void add_collection(std::uint64_t now_ns, bool collected, std::uint64_t pause_ns);
  void clear() { rows_.clear(); }

  [[nodiscard]] std::vector<TimelineSecond> seconds() const;

 private:
  // As `TimelineSecond`, unrounded: what is rounded second by second has another sum.
  struct Row {
    std::uint64_t second = 0;
    double allocations = 0;
    double allocated = 0;
    double deaths = 0;
    double freed = 0;
    std::uint64_t collections = 0;
    std::uint64_t pause_ns = 0;
  };
  [[nodiscard]] Row& row_at(std::uint64_t now_ns);

  std::deque<Row> rows_;  // by second; those without news are not there
};

/// The last ten seconds that stand out.
[[nodiscard]] std::vector<AllocationBurst> find_bursts(const std::vector<TimelineSecond>& seconds);

/// Bytes a second by which live bytes grew: the slope of the straight line that fits best; 0 for less
/// than three seconds.
[[nodiscard]] double growth_of(const std::vector<TimelineSecond>& seconds);

}  // namespace tenure
