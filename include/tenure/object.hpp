// What an object is made of: granules, the header's two words, and the units the heap is cut into.
//
//   word 0                                     word 1                        word 2, 3, ...
//    31        24 23  20 19               0     31                       0
//   +------------+------+------------------+   +--------------------------+   +-----------+----------
//   | flags      | age  | type             |   | size in granules; once   |   | reference | ...
//   |            |      |                  |   | forwarded, the new place |   | (4 B)     | plain
//   +------------+------+------------------+   +--------------------------+   +-----------+----------
//
// Invariant: references come first and code never describes an object; so a kernel, a verifier and
// a dump can read any object from its header and one row of the type table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenure {

/// The unit of the heap. A reference is a granule's number, so the cage is 2^32 of them.
inline constexpr std::uint32_t kGranuleBytes = 8;
inline constexpr std::uint32_t kGranulesPerCard = 64;  // one card byte for one word of mark bits
inline constexpr std::uint32_t kCardBytes = kGranulesPerCard * kGranuleBytes;
inline constexpr std::uint32_t kGranulesPerBlock = 2048;    // 16 KiB: one cell size each
inline constexpr std::uint32_t kGranulesPerRegion = 32768;  // 256 KiB: its mark bits are 2 KiB
inline constexpr std::uint64_t kCageGranules = std::uint64_t{1} << 32;
inline constexpr std::uint32_t kRegions =
    static_cast<std::uint32_t>(kCageGranules / kGranulesPerRegion);
inline constexpr std::uint32_t kBlocksPerRegion = kGranulesPerRegion / kGranulesPerBlock;
inline constexpr std::uint32_t kCardsPerRegion = kGranulesPerRegion / kGranulesPerCard;

/// An object has its header and at least one granule more, so that one mark bit for two granules
/// is exact.
inline constexpr std::uint32_t kSmallestObject = 2;  // granules
inline constexpr std::uint32_t kGranulesPerMark = 2;

/// Where an object starts, in granules from the cage's start. No fix-up is needed in a copy.
enum class ObjectIndex : std::uint32_t { kNull = 0 };

/// A row of the type table. The first two are the heap's own.
enum class TypeId : std::uint32_t {
  kFreeCell = 0,  // word 1 is the next free cell's index
  kFiller = 1,    // a dead stretch, so that a region can be walked from its start
};
inline constexpr std::uint32_t kTypeLimit = 1u << 20;

/// Ages are 4 bits: collections survived in the present generation.
inline constexpr std::uint32_t kAgeLimit = 15;

enum class ObjectFlag : std::uint32_t {
  kForwarded = 1u << 24,    // moved; word 1 is the new place
  kPinned = 1u << 25,       // does not move
  kFinalizable = 1u << 26,  // a finalizer is set and has not run
  kOwner = 1u << 27,        // owns a payload; has a row among the owners
  kWeaklyHeld = 1u << 28,   // a weak cell names it
  kSampled = 1u << 29,      // the profiler follows it
  kSealed = 1u << 30,       // stores are refused
  kStays = 1u << 31,        // the evacuation under way leaves it where it is; clear outside of one
};

/// The first granule of every object. Each word is read and written by itself.
struct ObjectHeader {
  std::uint32_t meta = 0;  // flags, age and type
  std::uint32_t size = 0;  // granules, this one included; once forwarded, the new place

  static constexpr std::uint32_t kTypeMask = kTypeLimit - 1;
  static constexpr std::uint32_t kAgeShift = 20;

  [[nodiscard]] static constexpr TypeId type_of(std::uint32_t meta) {
    return static_cast<TypeId>(meta & kTypeMask);
  }
  [[nodiscard]] static constexpr std::uint32_t age_of(std::uint32_t meta) {
    return (meta >> kAgeShift) & kAgeLimit;
  }
  [[nodiscard]] static constexpr std::uint32_t with_age(std::uint32_t meta, std::uint32_t age) {
    return (meta & ~(kAgeLimit << kAgeShift)) | (age << kAgeShift);
  }
  [[nodiscard]] static constexpr bool has(std::uint32_t meta, ObjectFlag flag) {
    return (meta & static_cast<std::uint32_t>(flag)) != 0;
  }

  [[nodiscard]] constexpr TypeId type() const { return type_of(meta); }
  [[nodiscard]] constexpr std::uint32_t age() const { return age_of(meta); }
  [[nodiscard]] constexpr bool has(ObjectFlag flag) const { return has(meta, flag); }
};
static_assert(sizeof(ObjectHeader) == kGranuleBytes);

/// The granules that `bytes` take.
[[nodiscard]] constexpr std::uint64_t granules_for(std::uint64_t bytes) {
  return (bytes + kGranuleBytes - 1) / kGranuleBytes;
}

}  // namespace tenure
