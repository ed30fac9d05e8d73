// One run of random operations on one runtime: who works, for how long, and what is asked when.
#pragma once

#include <cstdint>
#include <string>

#include "tenure/runtime.hpp"

namespace tenure::cli {

struct StressLoad {
  std::uint64_t seed = 1;
  std::uint64_t operations = 0;  // of all threads together
  std::uint32_t threads = 1;
};

/// What a run came to.
struct StressOutcome {
  std::string fault;  // in a sentence; empty where nothing is wrong
  Statistics statistics;
};

/// Works, stops now and then to compare everything, drops everything, works a little and closes the
/// runtime with what is there.
[[nodiscard]] StressOutcome run_stress(const StressLoad& load, Runtime& runtime);

}  // namespace tenure::cli
