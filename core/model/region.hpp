// How the cage's units are told apart: a row for each region, and one for each block of the regions
// that are cut into blocks.
//
// Invariant: rows are plain data, 16 bytes each. Where an object starts, and what generation it is
// in, is answered from its region's row alone, so that a device can ask too.
#pragma once

#include <cstdint>

#include "tenure/object.hpp"

namespace tenure {

/// One heap of the process; they share the cage.
enum class HeapId : std::uint16_t { kNone = 0 };

enum class RegionKind : std::uint8_t {
  kFree,
  kNursery,    // of the one run that mutators' buffers are cut from
  kBump,       // survivors of a young generation, one behind the other
  kBlocks,     // of the oldest generation: 16 blocks
  kLargeHead,  // a large object starts here
  kLargeTail,  // and goes on here; `link` is the distance to its head
};

/// One row a region, indexed by its number in the cage.
struct RegionRow {
  static constexpr std::uint8_t kCondemned = 1;  // being evacuated: its objects move or die
  static constexpr std::uint8_t kHeld = 2;     // holds an object that stayed; dead ones are filler
  static constexpr std::uint8_t kMarking = 4;  // the marking under way covers its objects
  static constexpr std::uint8_t kClear = 8;    // its mark bits were cleared for the next marking
  static constexpr std::uint8_t kUnsettled =
      16;  // of what is in its cells only marked objects count

  HeapId heap = HeapId::kNone;
  RegionKind kind = RegionKind::kFree;
  std::uint8_t generation = 0;
  std::uint8_t flags = 0;
  std::uint8_t leaf = 0;   // 1: no object in it holds a reference
  std::uint16_t pins = 0;  // objects that may not move
  std::uint32_t top = 0;   // bump regions: granules in use from the start
  std::uint32_t link = 0;  // kLargeHead: regions of the run; kLargeTail: distance to the head
};
static_assert(sizeof(RegionRow) == 16);

enum class BlockKind : std::uint8_t {
  kFree,
  kCells,    // cut into cells of one size
  kRunHead,  // an object of more than a cell starts here
  kRunTail,  // and goes on here; `link` is the distance to its head
};

/// One row a block of kBlocks regions, indexed by its number in the cage.
struct BlockRow {
  static constexpr std::uint8_t kLeaf = 1;       // its objects hold no references
  static constexpr std::uint8_t kUnswept = 2;    // only marked objects count; the rest is garbage
  static constexpr std::uint8_t kMoving = 4;     // its objects move to other blocks, in this stop
  static constexpr std::uint8_t kPermanent = 8;  // its objects are there for good

  BlockKind kind = BlockKind::kFree;
  std::uint8_t flags = 0;
  std::uint16_t cell = 0;  // granules of a cell
  std::uint16_t used = 0;  // cells in use; those marked, while unswept
  std::uint16_t size_class = 0;
  std::uint32_t free_head = 0;  // first free cell, a granule; 0: none
  std::uint32_t link = 0;       // kRunHead: blocks of the run; kRunTail: distance to the head
};
static_assert(sizeof(BlockRow) == 16);

/// Whether of a block's cells only those count whose object is marked: nobody has swept it yet.
[[nodiscard]] constexpr bool awaits_sweep(const RegionRow& region, const BlockRow& block) {
  return (block.flags & BlockRow::kUnswept) != 0 || (region.flags & RegionRow::kUnsettled) != 0;
}

inline constexpr std::uint32_t kBlocks = kRegions * kBlocksPerRegion;

[[nodiscard]] constexpr std::uint32_t region_of(ObjectIndex object) {
  return static_cast<std::uint32_t>(object) / kGranulesPerRegion;
}
[[nodiscard]] constexpr std::uint32_t block_of(ObjectIndex object) {
  return static_cast<std::uint32_t>(object) / kGranulesPerBlock;
}
[[nodiscard]] constexpr std::uint32_t card_of(std::uint32_t granule) {
  return granule / kGranulesPerCard;
}
[[nodiscard]] constexpr std::uint32_t first_granule_of_region(std::uint32_t region) {
  return region * kGranulesPerRegion;
}
[[nodiscard]] constexpr std::uint32_t first_granule_of_block(std::uint32_t block) {
  return block * kGranulesPerBlock;
}

}  // namespace tenure
