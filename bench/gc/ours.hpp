// The programs over Tenure's front door.
#pragma once

#include <cstdint>

#include "bench/gc/sizes.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

/// Runs a program once; gives the sum that every side gives.
[[nodiscard]] std::uint64_t run_ours(Runtime& runtime, Mutator& mutator, GcProgram program,
                                     const GcSizes& sizes);

}  // namespace tenure::bench
