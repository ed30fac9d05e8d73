// Layouts made ahead of time: where each block of a trace would lie if all lives were known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/replay.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// One block of a trace, and its place in the plan.
struct PlannedBlock {
  std::uint64_t begin = 0;  // events of the trace before it came
  std::uint64_t end = 0;    // before it went; all of them where it never does
  Bytes bytes{};            // as asked for
  Bytes offset{};
  SiteId site = SiteId::kUnknown;
};

struct TracePlan {
  std::string trace;
  Bytes peak_live{};   // as asked for
  Bytes bound{};       // as rounded to 512 B: no plan is lower
  Bytes height{};      // the plan's
  double seconds = 0;  // that solving took
  std::vector<PlannedBlock> blocks;
};

/// Plans a whole trace, all of its devices and streams in one and the same layout, and checks the
/// plan.
///
/// errors   kBadTrace: the trace has more than one device, or no block
/// cost     about 1 s for 10,000 blocks
[[nodiscard]] Result<TracePlan> plan_trace(const Trace& trace);

}  // namespace tenure
