// Heaps without a heap: objects laid into plain arrays, as a marker sees them, of many shapes. What
// is reachable is known from a list of edges kept beside them, by a walk of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "core/model/heap_view.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/marker.hpp"

namespace tenure::testing {

enum class Shape : std::uint8_t { kRandom, kList, kTree, kRings, kStar, kBigArrays, kAllLeaves };
inline constexpr std::array kShapes{Shape::kRandom,   Shape::kList, Shape::kTree,
                                    Shape::kRings,    Shape::kStar, Shape::kBigArrays,
                                    Shape::kAllLeaves};

/// All arrays of such a heap, to be copied elsewhere.
struct HeapArrays {
  std::span<const std::uint32_t> words;
  std::span<const TypeRow> types;
  std::span<const RegionRow> regions;
  std::span<const BlockRow> blocks;
  std::span<const std::uint32_t> marks;
};

/// A heap of one shape, drawn from a seed.
class RandomHeap {
 public:
  static constexpr std::uint32_t kHeapRegions = 6;

  RandomHeap(Shape shape, std::uint64_t seed, std::uint32_t objects = 300)
      : random_(seed),
        words_(std::size_t{2} * kHeapRegions * kGranulesPerRegion),
        marks_(kHeapRegions * kGranulesPerRegion / kGranulesPerMark / 32),
        regions_(kHeapRegions),
        blocks_(kHeapRegions * kBlocksPerRegion) {
    types_ = {TypeRow{}, TypeRow{}};
    for (std::uint32_t region = 1; region < kHeapRegions; ++region) {
      regions_[region] = {.heap = kOwn,
                          .kind = RegionKind::kBlocks,
                          .flags = RegionRow::kMarking,
                          .leaf = static_cast<std::uint8_t>(region == kLeafRegion)};
    }
    // Objects of another heap, and of regions that the marking does not cover, must stay unmarked.
    regions_[kForeignRegion].heap = HeapId{2};
    regions_[kYoungRegion].flags = 0;
    lay_objects(shape, objects);
    link_objects(shape);
    draw_roots();
  }

  [[nodiscard]] MarkJob job() {
    return {.heap = {.words = words_.data(),
                     .types = types_.data(),
                     .regions = regions_.data(),
                     .blocks = blocks_.data(),
                     .marks = marks_.data(),
                     .heap = kOwn},
            .roots = roots_,
            .regions = kHeapRegions,
            .types = static_cast<std::uint32_t>(types_.size())};
  }

  /// The bits that a marking has to leave.
  [[nodiscard]] std::vector<std::uint32_t> expected_marks() const {
    std::vector<std::uint32_t> expected(marks_.size());
    std::vector<std::size_t> queue;
    const auto reach = [&](std::size_t place) {
      const std::uint32_t region = region_of(objects_[place]);
      const std::uint32_t bit = mark_bit(objects_[place]);
      if (region == kForeignRegion || region == kYoungRegion ||
          (expected[bit / 32] >> (bit % 32) & 1) != 0) {
        return;
      }
      expected[bit / 32] |= 1u << (bit % 32);
      queue.push_back(place);
    };
    for (const std::size_t root : root_places_) {
      reach(root);
    }
    while (!queue.empty()) {
      const std::size_t place = queue.back();
      queue.pop_back();
      for (const std::size_t child : edges_[place]) {
        reach(child);
      }
    }
    return expected;
  }

  [[nodiscard]] HeapArrays arrays() const { return {words_, types_, regions_, blocks_, marks_}; }
  [[nodiscard]] const std::vector<std::uint32_t>& marks() const { return marks_; }
  void clear_marks() { std::fill(marks_.begin(), marks_.end(), 0u); }
  [[nodiscard]] std::size_t size() const { return objects_.size(); }
  [[nodiscard]] ObjectIndex object(std::size_t place) const { return objects_[place]; }
  /// Places of what it refers to, in slot order.
  [[nodiscard]] const std::vector<std::size_t>& children(std::size_t place) const {
    return edges_[place];
  }

 private:
  static constexpr HeapId kOwn{1};
  static constexpr std::uint32_t kLeafRegion = 2;
  static constexpr std::uint32_t kForeignRegion = 3;
  static constexpr std::uint32_t kYoungRegion = 4;

  std::uint32_t draw(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }

  std::uint32_t slots_for(Shape shape, std::size_t place) {
    switch (shape) {
      case Shape::kList:
        return 1;
      case Shape::kTree:
      case Shape::kRings:
        return 2;
      case Shape::kStar:
        return place == 0 ? 400 : 1;
      case Shape::kBigArrays:
        return place % 37 == 0 ? 3000 : draw(4);
      case Shape::kAllLeaves:
        return 0;
      case Shape::kRandom:
        return draw(9);
    }
    return 0;
  }

  void lay_objects(Shape shape, std::uint32_t count) {
    for (std::uint32_t k = 0; k < count; ++k) {
      std::uint32_t region = 1 + draw(kHeapRegions - 1);
      std::uint32_t slots = slots_for(shape, k);
      if (k == 0) {
        region = 1;
      }
      if (region == kLeafRegion) {
        slots = 0;
      }
      const std::uint32_t granules = std::max(kSmallestObject, 1 + (slots + 1) / 2 + draw(3));
      const std::uint32_t at = take_cell(region, granules);
      if (at == 0) {
        continue;
      }
      words_[std::size_t{2} * at] = type_with(slots);
      words_[std::size_t{2} * at + 1] = granules;
      objects_.push_back(static_cast<ObjectIndex>(at));
      slots_.push_back(slots);
    }
    edges_.resize(objects_.size());
  }

  // A cell in a block of its size, or a block that has none yet; 0 when the region is full. What is
  // larger than the largest cell gets a block for itself.
  std::uint32_t take_cell(std::uint32_t region, std::uint32_t granules) {
    const bool is_run = granules > kGranulesPerBlock / 2;
    const std::uint32_t first = region * kBlocksPerRegion;
    for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
      BlockRow& row = blocks_[block];
      const bool is_fresh = row.kind == BlockKind::kFree;
      if (is_fresh) {
        row.kind = is_run ? BlockKind::kRunHead : BlockKind::kCells;
        row.cell = static_cast<std::uint16_t>(is_run ? 0 : granules);
      }
      const bool fits =
          is_run ? is_fresh : row.cell == granules && row.used < kGranulesPerBlock / granules;
      if (fits) {
        return first_granule_of_block(block) + row.used++ * granules;
      }
    }
    return 0;
  }

  std::uint32_t type_with(std::uint32_t slots) {
    for (std::uint32_t type = 2; type < types_.size(); ++type) {
      if (types_[type].references == slots) {
        return type;
      }
    }
    types_.push_back({slots, 0});
    return static_cast<std::uint32_t>(types_.size() - 1);
  }

  void set_slot(std::size_t place, std::uint32_t slot, std::size_t child) {
    words_[std::size_t{2} * static_cast<std::uint32_t>(objects_[place]) + 2 + slot] =
        static_cast<std::uint32_t>(objects_[child]);
    edges_[place].push_back(child);
  }

  void link_objects(Shape shape) {
    const auto count = static_cast<std::uint32_t>(objects_.size());
    for (std::uint32_t place = 0; place < count; ++place) {
      for (std::uint32_t slot = 0; slot < slots_[place]; ++slot) {
        const bool fixed = shape == Shape::kList || shape == Shape::kTree || shape == Shape::kRings;
        if (!fixed) {
          if (draw(4) != 0) {
            set_slot(place, slot, draw(count));
          }
          continue;
        }
        const std::uint32_t child = shape == Shape::kList   ? place + 1
                                    : shape == Shape::kTree ? 2 * place + 1 + slot
                                    : slot == 0             ? place - place % 7 + (place + 1) % 7
                                                            : place + 7;
        if (child < count) {
          set_slot(place, slot, child);
        }
      }
    }
  }

  void draw_roots() {
    roots_.push_back(ObjectIndex::kNull);
    const auto count = static_cast<std::uint32_t>(objects_.size());
    for (std::uint32_t k = 0; k < 1 + draw(4); ++k) {
      const std::uint32_t place = k == 0 ? 0 : draw(count);
      root_places_.push_back(place);
      roots_.push_back(objects_[place]);
      roots_.push_back(objects_[place]);  // twins are allowed
    }
  }

  std::mt19937_64 random_;
  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> marks_;
  std::vector<RegionRow> regions_;
  std::vector<BlockRow> blocks_;
  std::vector<TypeRow> types_;
  std::vector<ObjectIndex> objects_;
  std::vector<std::uint32_t> slots_;
  std::vector<std::vector<std::size_t>> edges_;
  std::vector<ObjectIndex> roots_;
  std::vector<std::size_t> root_places_;
};

}  // namespace tenure::testing
