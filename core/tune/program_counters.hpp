// What a program has done so far, in the figures that changes to it are judged by.
#pragma once

#include <cstdint>

namespace tenure {

/// A program's counters at one moment. They never fall.
struct ProgramCounters {
  std::uint64_t now_ns = 0;
  std::uint64_t processor_ns = 0;  // of all threads
  std::uint64_t paused_ns = 0;     // in stops
  std::uint64_t bytes_allocated = 0;
  std::uint64_t bytes_copied = 0;    // promoted ones included
  std::uint64_t bytes_promoted = 0;  // of those
  std::uint64_t collections = 0;
};

}  // namespace tenure
