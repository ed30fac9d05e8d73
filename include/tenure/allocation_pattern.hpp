// What each type of a program looks like: how big, how often, how long it lives, how it is used; and the
// hints that follow. From samples, as profile.hpp takes them; uses are known only where the program notes
// them, since nothing watches plain loads and stores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenure/object.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// How uses of a type's objects follow each other.
enum class AccessPattern : std::uint8_t {
  kUnknown,     // fewer than 64 were noted
  kSequential,  // most steps are under 1 KiB
  kRandom,      // few are
  kClustered,   // neither: stretches of near ones, and jumps
};
[[nodiscard]] std::string_view to_string(AccessPattern pattern);

enum class AccessKind : std::uint8_t { kRead, kWrite };

/// One type, or one kind of payload.
struct AllocationPattern {
  std::string type;            // "Node", "device payload"
  double average_size = 0;     // bytes
  double allocation_rate = 0;  // a second, over the last minute
  double survival_rate = 0;    // of what was allocated, the part not found dead so far
  std::uint64_t samples = 0;   // that these were worked out from
  AccessPattern access_pattern = AccessPattern::kUnknown;
  std::uint64_t accesses = 0;      // noted, the older ones counting half and less
  double sequential_steps = 0;     // of steps from use to use, the part under 1 KiB
  double temporal_clustering = 0;  // of uses, the part that is of one of the 32 last used
  double spatial_clustering = 0;   // that is within 4 KiB of one of them, and not of it
  double written = 0;              // of uses, the part that wrote
  std::vector<OptimizationHint> optimization_hints;
};

/// Types by how many bytes they allocated, the most first. Those of fewer than 16 samples have no hints of
/// size, rate and survival.
///
/// cost     O(sites)
/// errors   kBadArgument: below ProfileLevel::kDetailed types are not watched; kClosed
[[nodiscard]] Result<std::vector<AllocationPattern>> analyze_patterns(Runtime& runtime);

/// Notes that an object, or what it stands for, was used.
///
/// type     its own
/// address  of the bytes that were used
/// cost     a lock and a look at the last 32 addresses: not for each load
/// threads  anyone
void record_access(Runtime& runtime, TypeId type, const void* address, AccessKind kind);

}  // namespace tenure
