// Several policies on the same traces, side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tenure/replay.hpp"

namespace tenure::cli {

/// What one policy made of one trace; where it found no room, only names and why.
struct PolicyRun {
  ReplayReport report;
  std::optional<std::string> failure;
};

/// A row a trace and device: the utilisation of each policy, then that of the native one as a multiple
/// of the best rival's. A cell says "none" where the capacity did not do.
///
/// runs   grouped by trace and device, the policies of each group in one and the same order
[[nodiscard]] std::string policy_table(const std::vector<PolicyRun>& runs);

}  // namespace tenure::cli
