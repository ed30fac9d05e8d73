// A trace through a model of another allocator: how much that one would have reserved.
#pragma once

#include "core/observe/trace.hpp"
#include "tenure/replay.hpp"

namespace tenure {

/// errors   kOutOfMemory, with the event's line, where the capacity does not allow it
[[nodiscard]] Result<ReplayReport> replay_model(const TraceData& trace,
                                                const ReplayOptions& options);

/// The trace's peak live by what was reserved; 1 where nothing was.
[[nodiscard]] double utilisation_of(const TraceData& trace, Bytes reserved);

}  // namespace tenure
