// Sizes that the parts of a mirror share, in bytes.
#pragma once

#include <cstdint>

#include "core/model/region.hpp"
#include "kernels/mark_job.hpp"

namespace tenure {

inline constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
inline constexpr std::uint64_t kMarkBytesPerRegion = kGranulesPerRegion / kGranulesPerMark / 8;
inline constexpr std::uint64_t kBlockRowsPerRegion = kBlocksPerRegion * sizeof(BlockRow);
/// A card on its way: its words, and its number.
inline constexpr std::uint64_t kStagedCard = kCardBytes + sizeof(std::uint32_t);

}  // namespace tenure
