// What running programs say of themselves while they run, for whoever looks on from outside: `tenure top`,
// an exporter of metrics, a script.
//
// A runtime with `Config::publish_ms` writes its figures every so often into a file without a name, which
// only it holds open. It is found through the process, by the same user alone, and gone with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenure/result.hpp"

namespace tenure {

/// One runtime of a process, as it was when it last wrote.
struct LiveFigures {
  std::uint32_t process = 0;
  std::uint64_t every_ms = 0;    // between two writings
  std::uint64_t written_ns = 0;  // by the machine's monotonic clock
  std::uint64_t age_ns = 0;      // from then until it was read
  std::string metrics;           // OpenMetrics, as `to_open_metrics` has it
};

/// The runtimes of a process that publish, in the order in which they were opened; none where none does.
///
/// errors   kFile: there is no such process, or it is another user's
/// cost     a look at each file that the process has open, and three readings of a small one a runtime
/// threads  anyone
[[nodiscard]] Result<std::vector<LiveFigures>> live_figures(std::uint32_t process);

/// The processes of this machine that publish and may be read, by number.
///
/// cost     a look at each open file of each process of the user's
/// threads  anyone
[[nodiscard]] std::vector<std::uint32_t> live_processes();

}  // namespace tenure
