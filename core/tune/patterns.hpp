// From figures of a type to the hints that follow from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tune/access_log.hpp"
#include "core/tune/batch_log.hpp"
#include "tenure/allocation_pattern.hpp"
#include "tenure/profile.hpp"

namespace tenure {

/// One type, as its samples and its uses tell.
struct TypeFigures {
  std::string type;
  double allocations = 0;
  double bytes = 0;
  double live_allocations = 0;
  double per_second = 0;
  std::uint64_t samples = 0;
  AccessFigures accesses;
};

/// Whether the program works in batches: it says so by marks, or bursts come at equal distances.
[[nodiscard]] bool works_in_batches(const BatchLog& marked,
                                    const std::vector<AllocationBurst>& bursts);

[[nodiscard]] AllocationPattern describe_pattern(const TypeFigures& of, bool in_batches);

}  // namespace tenure
