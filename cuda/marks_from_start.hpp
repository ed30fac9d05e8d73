// Clears what a marking that failed has set, so that a host's marker can do it from the start.
#pragma once

#include "core/base/bitmap.hpp"
#include "core/model/marker.hpp"
#include "core/model/region.hpp"

namespace tenure {

/// The mark bits of the regions that the job covers.
///
/// threads  whoever advances the marking
inline void clear_marks(const MarkJob& job) {
  constexpr std::uint64_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& row = job.heap.regions[region];
    if (row.heap == job.heap.heap && (row.flags & RegionRow::kMarking) != 0) {
      clear_words(job.heap.marks, region * kMarksPerRegion, (region + 1) * kMarksPerRegion);
    }
  }
}

}  // namespace tenure
