// The moments at which nobody works, and the heap has to be exactly what the oracles say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/cli/stress_graph.hpp"

namespace tenure::cli {

using StressGraphs = std::vector<std::unique_ptr<StressGraph>>;

/// Collects everything and compares what is left with all graphs: vertices, weak references, entries
/// and finalizers; lets finalizers run, and compares again. Verifies the heap.
///
/// mutator  the only one there is
/// returns  what is wrong, in a sentence; empty where nothing is
[[nodiscard]] std::string settle(Runtime& runtime, Mutator& mutator, const StressGraphs& graphs);

/// Closes the runtime, graphs and all: finalizers that are left run then, and each of them once.
///
/// mutator  the only one there is
/// returns  likewise
[[nodiscard]] std::string close_all(Runtime& runtime, Mutator& mutator, const StressGraphs& graphs);

}  // namespace tenure::cli
