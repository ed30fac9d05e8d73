// Hints about unified memory, whose pages move between host and device as they are touched: where they
// had better lie, and when they had better move. They change how fast a program is, and nothing else.
#pragma once

#include <cstdint>

namespace tenure {

enum class MemorySide : std::uint8_t { kHost, kDevice };

/// What to expect of bytes from now on. The first three replace each other, and the last two do.
enum class MemoryAdvice : std::uint8_t {
  kPreferHost,
  kPreferDevice,
  kPreferNeither,   // pages stay where they were touched last
  kMostlyRead,      // both sides may have copies, until one of them writes
  kReadAndWritten,  // no copies
};

/// What came of a hint.
enum class HintOutcome : std::uint8_t {
  kTaken,
  kIgnored,  // these bytes do not move, or the device would not have it
};

}  // namespace tenure
