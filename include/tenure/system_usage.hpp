// What the machine has, and what this process uses of it.
#pragma once

#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

/// One reading.
struct SystemUsage {
  Bytes memory_total{};      // of the machine, or of the process's control group where that is less
  Bytes memory_available{};  // likewise
  Bytes resident{};          // memory behind this process's pages
  Bytes mapped{};            // its addresses, with or without memory
  std::uint64_t cpu_ns = 0;  // that its threads ran so far, all together
  std::uint64_t time_ns = 0;    // by the platform's clock, when it was read
  std::uint32_t cpu_count = 0;  // that it may run on
};

/// cost     some 100 us: a dozen small files
/// threads  anyone
[[nodiscard]] SystemUsage read_system_usage();

}  // namespace tenure
