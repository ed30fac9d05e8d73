// Regions cut into blocks of 16 KiB, given out alone or in runs. Leaf regions hold no references at
// all: what lies in them is marked, and never read.
//
// Invariant: in a kBlocks region's row, `top` has a bit for each free block, and `link` is 0 or one
// more than its place in the list of regions with a free block.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "core/heap/region_source.hpp"
#include "core/heap/written_cards.hpp"
#include "core/model/region.hpp"

namespace tenure {

/// Whether the objects of a place hold references; or that they are there for good, and may.
enum class Content : std::uint8_t { kReferences = 0, kLeaves = 1, kPermanent = 2 };

/// The flags of a block's row that say so.
[[nodiscard]] constexpr std::uint8_t flags_of(Content content) {
  return content == Content::kLeaves      ? BlockRow::kLeaf
         : content == Content::kPermanent ? BlockRow::kPermanent
                                          : std::uint8_t{0};
}

/// threads  stopped world, or under the heap's lock
class BlockSpace {
 public:
  /// generation   the oldest, for the regions' rows
  /// written      hears of what is handed out
  BlockSpace(RegionSource& source, std::uint8_t generation, WrittenCards& written)
      : source_(source), generation_(generation), written_(written) {}
  BlockSpace(const BlockSpace&) = delete;
  BlockSpace& operator=(const BlockSpace&) = delete;
  ~BlockSpace();

  /// The first of `count` blocks side by side, 1 to kBlocksPerRegion, or none. Their rows are free.
  [[nodiscard]] std::optional<std::uint32_t> take(std::uint32_t count, Content content);

  /// Takes no block of the region any more: all of it is about to be given back.
  void withdraw(std::uint32_t region);

  /// Gives blocks back, with their rows, and the region with them once all of it is free.
  void give_back(std::uint32_t first, std::uint32_t count);

  /// Calls `visit(block)` for each block that starts something: cells or a run.
  template <class Visit>
  void for_each_block(Visit visit) {
    // Why by place: visiting may give blocks back, and regions with them.
    for (std::size_t k = regions_.size(); k-- > 0;) {
      const std::uint32_t first = regions_[k] * kBlocksPerRegion;
      for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
        const BlockKind kind = source_.cage().blocks()[block].kind;
        if (kind == BlockKind::kCells || kind == BlockKind::kRunHead) {
          visit(block);
        }
      }
    }
  }

  /// Says that objects are about to be made in blocks [first, first + count).
  void note_handed_out(std::uint32_t first, std::uint32_t count) {
    written_.add_blocks(first, count);
  }

  [[nodiscard]] const std::vector<std::uint32_t>& regions() const { return regions_; }

  /// Whether all objects of the region are there for good.
  [[nodiscard]] bool is_permanent(std::uint32_t region) const {
    return permanent_.count(region) != 0;
  }

  /// Whether regions taken from now on are covered by the marking under way. Stopped world.
  void cover_fresh_regions(bool cover) {
    fresh_flags_ = cover ? RegionRow::kMarking : std::uint8_t{0};
  }

 private:
  static constexpr std::uint32_t kAllFree = (1u << kBlocksPerRegion) - 1;

  [[nodiscard]] RegionRow& row(std::uint32_t region) const {
    return source_.cage().regions()[region];
  }
  [[nodiscard]] std::vector<std::uint32_t>& open_list(std::uint32_t region) {
    return open_[is_permanent(region) ? static_cast<std::size_t>(Content::kPermanent)
                                      : row(region).leaf];
  }
  void list(std::uint32_t region);
  void unlist(std::uint32_t region);
  [[nodiscard]] bool add_region(Content content);

  RegionSource& source_;
  std::uint8_t generation_;
  WrittenCards& written_;
  std::uint8_t fresh_flags_ = 0;
  std::vector<std::uint32_t> regions_;
  std::array<std::vector<std::uint32_t>, 3> open_;  // with a free block, by content
  std::unordered_set<std::uint32_t> permanent_;     // of these regions
};

}  // namespace tenure
