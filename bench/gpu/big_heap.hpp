// Heaps of up to 10^8 objects and more, laid into plain arrays as a marker sees them, made by all cores
// in seconds. All that is in them is reachable, so that what is marked is known.
//
// Models: kGraph is a binary tree of objects, laid out in the order in which a recursive program makes
// them, or shuffled; references past the first two lead anywhere, or near by. With leaves, the tree's
// leaves are objects without references, in regions of their own, as the oldest generation keeps them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/gpu/zero_pages.hpp"
#include "core/model/marker.hpp"

namespace tenure::bench {

enum class BigShape : std::uint8_t { kGraph, kList, kWideArray };
enum class Order : std::uint8_t { kAllocation, kShuffled };
enum class Leaves : std::uint8_t { kNone, kHalf };

struct BigHeapOptions {
  BigShape shape = BigShape::kGraph;
  Order order = Order::kAllocation;
  Leaves leaves = Leaves::kNone;  // kGraph only
  std::uint32_t objects = 1;      // about: a tree has an odd number; the array is one more
  std::uint32_t references = 2;   // of an object, 2 at least; kGraph only
};

[[nodiscard]] std::string in_words(const BigHeapOptions& options);

class BigHeap {
 public:
  /// threads  that make it
  BigHeap(const BigHeapOptions& options, std::uint32_t threads);

  [[nodiscard]] MarkJob job();
  void clear_marks();

  /// [regions * 2 KiB / 4] the bits that a marking left.
  [[nodiscard]] std::span<const std::uint32_t> marks() const;
  [[nodiscard]] std::uint32_t objects() const { return objects_; }  // all of them reachable
  [[nodiscard]] std::uint64_t bytes() const;                        // of regions with references

 private:
  // Where objects of one kind lie: cells of one size from one region on.
  struct Cells {
    std::uint32_t first_region = 0;
    std::uint32_t granules = 0;  // of a cell
    std::uint32_t count = 0;

    [[nodiscard]] std::uint32_t per_block() const;
    [[nodiscard]] std::uint32_t regions() const;
    [[nodiscard]] std::uint32_t place(std::uint32_t number) const;  // a granule
  };
  struct Subtree {
    std::uint32_t inner;  // number of its root among objects with references
    std::uint32_t leaf;   // number of its first leaf, with leaves
    std::uint32_t size;   // odd
  };

  void lay_out(const BigHeapOptions& options);
  void add_rows(const Cells& cells, bool leaf);
  void make_graph(std::uint32_t threads);
  void make_subtree(const Subtree& tree);
  void make_node(const Subtree& tree, const Subtree& left, const Subtree& right);
  [[nodiscard]] std::uint32_t object_of(const Subtree& tree) const;
  [[nodiscard]] std::uint32_t other_target(std::uint32_t inner, std::uint32_t slot) const;
  void make_list(std::uint32_t threads);
  void make_array(std::uint32_t threads);
  void write_header(std::uint32_t place, std::uint32_t type, std::uint32_t granules);

  BigHeapOptions options_;
  std::uint32_t objects_ = 0;
  Cells inner_;              // objects with references
  Cells leaves_;             // those without, if there are any
  std::uint32_t array_ = 0;  // where it starts, or 0
  std::uint32_t regions_ = 1;
  std::vector<TypeRow> types_;
  std::vector<RegionRow> region_rows_;
  std::vector<BlockRow> block_rows_;
  std::vector<ObjectIndex> roots_;
  ZeroPages words_;
  ZeroPages marks_;
};

}  // namespace tenure::bench
