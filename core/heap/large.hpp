// Objects above a cell: in runs of blocks up to half a region, in runs of regions beyond. They never
// move, and go back one by one as soon as a marking finds them dead.
//
// Invariant: each large object has one row in `objects_`, and its run holds nothing else.
#pragma once

#include <cstdint>
#include <vector>

#include "core/heap/block_space.hpp"
#include "core/heap/region_source.hpp"
#include "tenure/bytes.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// threads  stopped world, or under the heap's lock
class Large {
 public:
  Large(RegionSource& source, BlockSpace& blocks, std::uint8_t generation)
      : source_(source), blocks_(blocks), generation_(generation) {}
  Large(const Large&) = delete;
  Large& operator=(const Large&) = delete;
  ~Large();

  /// Room for an object of `granules`, more than a cell, or none. Its contents are stale.
  [[nodiscard]] ObjectIndex take(std::uint64_t granules, Content content);

  /// Gives room just taken back, unused.
  void untake(ObjectIndex object);

  /// After a marking: gives the runs of the dead back.
  ///
  /// returns  the bytes of their runs
  Bytes settle_marks();

  /// Bytes of all runs.
  [[nodiscard]] Bytes used() const { return used_; }

  template <class Visit>
  void for_each_object(Visit visit) const {
    for (const ObjectIndex object : objects_) {
      visit(object);
    }
  }

  /// Whether regions taken from now on are covered by the marking under way. Stopped world.
  void cover_fresh_regions(bool cover) {
    fresh_flags_ = cover ? RegionRow::kMarking : std::uint8_t{0};
  }

 private:
  static constexpr std::uint32_t kLargestBlockRun = kGranulesPerRegion / 2;

  [[nodiscard]] ObjectIndex take_blocks(std::uint32_t granules, Content content);
  [[nodiscard]] ObjectIndex take_regions(std::uint64_t granules, Content content);
  [[nodiscard]] Bytes run_of(ObjectIndex object) const;
  void give_back(ObjectIndex object);

  RegionSource& source_;
  BlockSpace& blocks_;
  std::uint8_t generation_;
  std::uint8_t fresh_flags_ = 0;
  std::vector<ObjectIndex> objects_;
  Bytes used_;
};

}  // namespace tenure
