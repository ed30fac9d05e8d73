// What a checked runtime (`check=payload`) found leased when it was closed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenure/payload.hpp"

namespace tenure {

/// Who holds a payload that was never handed back.
enum class LeakHolder : std::uint8_t {
  kLease,   // a PayloadLease of the program, or an arena
  kTensor,  // a tensor that was still reachable: from a handle, a pin, a local or a root callback
};

/// Payloads of one site, one memory kind and one holder. Of tensors, of one generation too.
struct PayloadLeak {
  SiteId site = SiteId::kUnknown;
  MemoryKind kind = MemoryKind::kDevice;
  LeakHolder holder = LeakHolder::kLease;
  std::uint32_t generation = 0;  // of the tensors
  std::uint32_t oldest_age = 0;  // of the tensors: collections survived in that generation
  std::uint64_t payloads = 0;
  Bytes bytes;                  // as asked for
  std::uint64_t oldest_ns = 0;  // since the first of them was leased
};

/// "12 MiB in 3 device payloads of site 7, held by tensors of generation 2 (age 4); the oldest was
/// leased 1.5 s ago"
[[nodiscard]] std::string to_string(const PayloadLeak& leak);

}  // namespace tenure
