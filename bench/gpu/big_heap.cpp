#include "bench/gpu/big_heap.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "bench/gpu/shuffle.hpp"
#include "core/model/mark_law.hpp"

namespace tenure::bench {

namespace {

constexpr HeapId kOwn{1};
constexpr std::uint32_t kInnerType = 2;
constexpr std::uint32_t kLeafType = 3;
constexpr std::uint32_t kArrayType = 4;
constexpr std::uint32_t kNear = 4096;  // numbers that "near by" spans

// A header, the references, and as much data as GPU objects of 24, 40 and 56 bytes have.
std::uint32_t granules_of(const BigHeapOptions& options) {
  if (options.shape != BigShape::kGraph) {
    return kSmallestObject;
  }
  return 1 + options.references / 2 + (options.references <= 2 ? 1 : 2);
}

// Runs `work(first, end)` over [0, count), by pieces, on so many threads.
template <class Work>
void in_parallel(std::uint32_t threads, std::uint32_t count, std::uint32_t piece, Work work) {
  std::atomic<std::uint64_t> next{0};
  const auto go = [&] {
    for (;;) {
      const std::uint64_t first = next.fetch_add(piece);
      if (first >= count) {
        return;
      }
      work(static_cast<std::uint32_t>(first),
           static_cast<std::uint32_t>(std::min<std::uint64_t>(first + piece, count)));
    }
  };
  std::vector<std::thread> team;
  for (std::uint32_t k = 1; k < threads; ++k) {
    team.emplace_back(go);
  }
  go();
  for (std::thread& member : team) {
    member.join();
  }
}

std::uint32_t below(std::uint64_t drawn, std::uint32_t limit) {
  return static_cast<std::uint32_t>((drawn >> 32) * limit >> 32);
}

}  // namespace

std::string in_words(const BigHeapOptions& options) {
  const std::string order =
      options.order == Order::kAllocation ? ", allocation order" : ", shuffled";
  const std::string count = std::to_string(options.objects);
  switch (options.shape) {
    case BigShape::kList:
      return "list of " + count + order;
    case BigShape::kWideArray:
      return "array of " + count + " references" + order;
    case BigShape::kGraph:
      break;
  }
  return count + " objects, d=" + std::to_string(options.references) + order +
         (options.leaves == Leaves::kHalf ? ", 50 % leaves" : "");
}

std::uint32_t BigHeap::Cells::per_block() const { return kGranulesPerBlock / granules; }
std::uint32_t BigHeap::Cells::regions() const {
  const std::uint32_t per_region = per_block() * kBlocksPerRegion;
  return (count + per_region - 1) / per_region;
}
std::uint32_t BigHeap::Cells::place(std::uint32_t number) const {
  return first_granule_of_region(first_region) + number / per_block() * kGranulesPerBlock +
         number % per_block() * granules;
}

BigHeap::BigHeap(const BigHeapOptions& options, std::uint32_t threads)
    : options_(options),
      words_(std::size_t{kCageGranules} * kGranuleBytes),
      marks_(std::size_t{kCageGranules} / kGranulesPerMark / 8) {
  options_.objects = std::max(options.objects, 3u) | 1u;
  types_ = {{}, {}, {options.references, 0}, {0, 0}, {TypeRow::kFill, 0}};
  lay_out(options_);
  switch (options.shape) {
    case BigShape::kGraph:
      make_graph(threads);
      break;
    case BigShape::kList:
      make_list(threads);
      break;
    case BigShape::kWideArray:
      make_array(threads);
      break;
  }
}

void BigHeap::lay_out(const BigHeapOptions& options) {
  objects_ = options.objects;
  if (options.shape != BigShape::kGraph) {
    types_[kInnerType].references = options.shape == BigShape::kList ? 1 : 0;
  }
  if (options.shape == BigShape::kWideArray) {
    ++objects_;
    array_ = kGranulesPerRegion;
    regions_ += (1 + (options.objects + 1) / 2) / kGranulesPerRegion + 1;
  }
  const bool half = options.shape == BigShape::kGraph && options.leaves == Leaves::kHalf;
  inner_ = {regions_, granules_of(options), half ? options.objects / 2 : options.objects};
  regions_ += inner_.regions();
  leaves_ = {regions_, granules_of(options), options.objects - inner_.count};
  regions_ += leaves_.regions();
  if (regions_ >= kRegions) {
    throw std::runtime_error("a heap of " + in_words(options) + " is larger than a cage");
  }
  region_rows_.resize(regions_);
  block_rows_.resize(std::size_t{regions_} * kBlocksPerRegion);
  for (std::uint32_t region = 1; array_ != 0 && region < inner_.first_region; ++region) {
    region_rows_[region] = {.heap = kOwn,
                            .kind = region == 1 ? RegionKind::kLargeHead : RegionKind::kLargeTail,
                            .flags = RegionRow::kMarking,
                            .link = region == 1 ? inner_.first_region - 1 : region - 1};
  }
  add_rows(inner_, options.shape == BigShape::kWideArray);
  add_rows(leaves_, true);
}

void BigHeap::add_rows(const Cells& cells, bool leaf) {
  for (std::uint32_t region = cells.first_region; region < cells.first_region + cells.regions();
       ++region) {
    region_rows_[region] = {.heap = kOwn,
                            .kind = RegionKind::kBlocks,
                            .flags = RegionRow::kMarking,
                            .leaf = static_cast<std::uint8_t>(leaf)};
    for (std::uint32_t block = 0; block < kBlocksPerRegion; ++block) {
      block_rows_[region * kBlocksPerRegion + block] = {
          .kind = BlockKind::kCells, .cell = static_cast<std::uint16_t>(cells.granules)};
    }
  }
}

void BigHeap::write_header(std::uint32_t place, std::uint32_t type, std::uint32_t granules) {
  words_.words()[std::size_t{2} * place] = type;
  words_.words()[std::size_t{2} * place + 1] = granules;
}

void BigHeap::make_graph(std::uint32_t threads) {
  // The tree's top by one thread, until there are subtrees enough for all.
  constexpr std::size_t kSubtreesPerThread = 64;
  std::vector<Subtree> open{{0, 0, options_.objects}};
  for (std::size_t at = 0; open.size() - at < kSubtreesPerThread * threads; ++at) {
    const Subtree tree = open[at];
    if (tree.size == 1) {
      break;
    }
    // Both odd, and in sum one less than the tree.
    const std::uint32_t left_size = (tree.size - 1) / 2 | 1u;
    const bool half = leaves_.count != 0;
    const Subtree left{tree.inner + 1, tree.leaf, left_size};
    const Subtree right{tree.inner + 1 + (half ? left_size / 2 : left_size),
                        tree.leaf + (left_size + 1) / 2, tree.size - 1 - left_size};
    make_node(tree, left, right);
    open[at].size = 0;
    open.push_back(left);
    open.push_back(right);
  }
  std::erase_if(open, [](const Subtree& tree) { return tree.size == 0; });
  in_parallel(threads, static_cast<std::uint32_t>(open.size()), 1,
              [&](std::uint32_t first, std::uint32_t) { make_subtree(open[first]); });
  roots_ = {ObjectIndex{object_of({0, 0, options_.objects})}};
}

void BigHeap::make_subtree(const Subtree& tree) {
  if (tree.size == 1) {
    make_node(tree, tree, tree);
    return;
  }
  const std::uint32_t left_size = (tree.size - 1) / 2 | 1u;
  const bool half = leaves_.count != 0;
  const Subtree left{tree.inner + 1, tree.leaf, left_size};
  const Subtree right{tree.inner + 1 + (half ? left_size / 2 : left_size),
                      tree.leaf + (left_size + 1) / 2, tree.size - 1 - left_size};
  make_node(tree, left, right);
  make_subtree(left);
  make_subtree(right);
}

std::uint32_t BigHeap::object_of(const Subtree& tree) const {
  const bool is_leaf = leaves_.count != 0 && tree.size == 1;
  const Cells& cells = is_leaf ? leaves_ : inner_;
  const std::uint32_t number = is_leaf ? tree.leaf : tree.inner;
  return cells.place(options_.order == Order::kShuffled ? Shuffle(cells.count)(number) : number);
}

std::uint32_t BigHeap::other_target(std::uint32_t inner, std::uint32_t slot) const {
  const std::uint64_t drawn = mix(std::uint64_t{inner} * options_.references + slot + 1);
  const Cells& cells = leaves_.count != 0 && (drawn & 1) != 0 ? leaves_ : inner_;
  if (options_.order == Order::kShuffled) {
    return cells.place(below(drawn, cells.count));
  }
  const std::uint32_t near = std::min(kNear, cells.count);
  const std::uint32_t first = std::min(inner, cells.count - near);
  return cells.place(first + below(drawn, near));
}

void BigHeap::make_node(const Subtree& tree, const Subtree& left, const Subtree& right) {
  const std::uint32_t place = object_of(tree);
  if (leaves_.count != 0 && tree.size == 1) {
    write_header(place, kLeafType, leaves_.granules);
    return;
  }
  write_header(place, kInnerType, inner_.granules);
  std::uint32_t* const slots = words_.words() + std::size_t{2} * place + 2;
  for (std::uint32_t slot = 0; slot < options_.references; ++slot) {
    const bool is_child = slot < 2 && tree.size > 1;
    slots[slot] = is_child ? object_of(slot == 0 ? left : right) : other_target(tree.inner, slot);
  }
}

void BigHeap::make_list(std::uint32_t threads) {
  const Shuffle shuffle(inner_.count);
  const auto place = [&](std::uint32_t k) {
    return inner_.place(options_.order == Order::kShuffled ? shuffle(k) : k);
  };
  constexpr std::uint32_t kPiece = 1u << 16;
  in_parallel(threads, inner_.count, kPiece, [&](std::uint32_t first, std::uint32_t end) {
    for (std::uint32_t k = first; k < end; ++k) {
      write_header(place(k), kInnerType, inner_.granules);
      words_.words()[std::size_t{2} * place(k) + 2] = k + 1 < inner_.count ? place(k + 1) : 0;
    }
  });
  roots_ = {ObjectIndex{place(0)}};
}

void BigHeap::make_array(std::uint32_t threads) {
  const Shuffle shuffle(inner_.count);
  write_header(array_, kArrayType, 1 + (inner_.count + 1) / 2);
  constexpr std::uint32_t kPiece = 1u << 16;
  in_parallel(threads, inner_.count, kPiece, [&](std::uint32_t first, std::uint32_t end) {
    for (std::uint32_t k = first; k < end; ++k) {
      write_header(inner_.place(k), kInnerType, inner_.granules);
      words_.words()[std::size_t{2} * array_ + 2 + k] =
          inner_.place(options_.order == Order::kShuffled ? shuffle(k) : k);
    }
  });
  roots_ = {ObjectIndex{array_}};
}

MarkJob BigHeap::job() {
  return {.heap = {.words = words_.words(),
                   .types = types_.data(),
                   .regions = region_rows_.data(),
                   .blocks = block_rows_.data(),
                   .marks = marks_.words(),
                   .heap = kOwn},
          .roots = roots_,
          .regions = regions_,
          .types = static_cast<std::uint32_t>(types_.size())};
}

void BigHeap::clear_marks() { std::fill_n(marks_.words(), marks().size(), 0u); }

std::span<const std::uint32_t> BigHeap::marks() const {
  return {marks_.words(), std::size_t{regions_} * kGranulesPerRegion / kGranulesPerMark / 32};
}

std::uint64_t BigHeap::bytes() const {
  std::uint64_t regions = 0;
  for (const RegionRow& row : region_rows_) {
    regions += row.heap == kOwn && row.leaf == 0 ? 1 : 0;
  }
  return regions * kGranulesPerRegion * kGranuleBytes;
}

}  // namespace tenure::bench
