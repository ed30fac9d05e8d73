// Sleep: the memory of one kind's pool is given away for a while, and its addresses are kept.
//
//   value_or_throw(runtime.sleep(MemoryKind::kDevice));   // another process has the device
//   value_or_throw(runtime.wake(MemoryKind::kDevice));    // every payload is where it was
#pragma once

#include <cstdint>
#include <string>

#include "tenure/bytes.hpp"

namespace tenure {

/// What becomes of the bytes of payloads that are leased.
enum class SleepContents : std::uint8_t {
  kDropped,  // nothing is kept: they are undefined once the pool is awake
  kOnHost,   // they are kept in plain memory of the host
  kInFile,   // they are kept in a temporary file without a name
};

struct SleepOptions {
  SleepContents contents = SleepContents::kOnHost;
  /// Of the file; "" for $TMPDIR, or /var/tmp. A file system that is memory gives none back.
  std::string directory{};
};

struct SleepReport {
  Bytes given_back{};  // that were mapped: all of the pool
  Bytes kept{};        // of payloads, elsewhere
  std::uint64_t took_ns = 0;
};

struct WakeReport {
  Bytes mapped{};  // again; less than was given back, where payloads were handed back meanwhile
  Bytes brought_back{};  // of payloads
  std::uint64_t took_ns = 0;
};

}  // namespace tenure
