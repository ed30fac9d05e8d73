#include "bench/gpu/edge_snapshot.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/model/mark_law.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kWordsPerRegion = 2 * kGranulesPerRegion;

/// The row that says what a region's objects are: of a tail, its head's.
const RegionRow& head_of(const HeapView& heap, std::uint32_t region) {
  const RegionRow& row = heap.regions[region];
  return row.kind == RegionKind::kLargeTail ? heap.regions[region - row.link] : row;
}

// The k-th of some pieces of work, when all before it are done.
class Turns {
 public:
  void wait_for(std::uint32_t turn) {
    for (std::uint32_t now = turn_.load(); now != turn; now = turn_.load()) {
      turn_.wait(now);
    }
  }
  void pass() {
    turn_.fetch_add(1);
    turn_.notify_all();
  }

 private:
  std::atomic<std::uint32_t> turn_{0};
};

}  // namespace

EdgeSnapshot::Piece::Piece()
    : rows(kGranulesPerRegion / kSmallestObject), columns(kWordsPerRegion) {}

EdgeSnapshot::EdgeSnapshot(Team& team)
    : team_(team),
      pieces_(team.size()),
      rows_((kCageGranules / kSmallestObject + 1) * sizeof(std::uint32_t)),
      columns_(2 * kCageGranules * sizeof(std::uint32_t)) {}

std::span<const std::uint32_t> EdgeSnapshot::rows() const {
  return {rows_.words(), std::size_t{row_count_} + 1};
}

std::span<const std::uint32_t> EdgeSnapshot::columns() const {
  return {columns_.words(), column_count_};
}

std::uint32_t EdgeSnapshot::column_of(ObjectIndex object) const {
  if (block_of(object) >= table_.size()) {
    return 0;
  }
  const BlockNumbers block = table_[block_of(object)];
  const std::uint64_t granule = static_cast<std::uint32_t>(object) % kGranulesPerBlock;
  // Why exact: an object starts at a multiple of its cell, and the rounding adds less than one to it.
  const auto cell = static_cast<std::uint32_t>(granule * block.inverse >> 32);
  return block.first + cell;  // where nothing is covered, inverse is 0 too
}

void EdgeSnapshot::number(const MarkJob& job) {
  table_.assign(std::size_t{job.regions} * kBlocksPerRegion, {});
  regions_.clear();
  numbers_ = 1;
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& head = head_of(job.heap, region);
    if (marking_covers(job.heap, head) && head.leaf == 0) {
      number_region(job.heap, region);
      regions_.push_back(region);
    }
  }
  row_count_ = numbers_;
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& head = head_of(job.heap, region);
    if (marking_covers(job.heap, head) && head.leaf != 0) {
      number_region(job.heap, region);
    }
  }
}

void EdgeSnapshot::number_region(const HeapView& heap, std::uint32_t region) {
  const std::uint32_t leaf = head_of(heap, region).leaf != 0 ? kLeafColumn : 0;
  const auto give = [&](std::uint32_t block, std::uint32_t count, std::uint32_t inverse) {
    table_[block] = {numbers_ | leaf, inverse};
    numbers_ += count;
    if (numbers_ >= kLeafColumn) {
      throw std::runtime_error("a heap of more than 2^31 objects has no snapshot of its edges");
    }
  };
  const std::uint32_t first = region * kBlocksPerRegion;
  if (heap.regions[region].kind == RegionKind::kLargeHead) {
    give(first, 1, 0);
    return;
  }
  if (heap.regions[region].kind != RegionKind::kBlocks) {
    return;
  }
  for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
    const BlockRow& row = heap.blocks[block];
    if (row.kind == BlockKind::kCells) {
      constexpr std::uint64_t kAll = std::uint64_t{1} << 32;
      give(block, kGranulesPerBlock / row.cell,
           static_cast<std::uint32_t>((kAll + row.cell - 1) / row.cell));
    } else if (row.kind == BlockKind::kRunHead) {
      give(block, 1, 0);
    }
  }
}

void EdgeSnapshot::walk(const MarkJob& job, const Filled& filled) {
  number(job);
  std::uint32_t* const rows = rows_.words();
  std::uint32_t* const columns = columns_.words();
  std::uint32_t next_row = 1;     // guarded by the turn to take room
  std::uint64_t next_column = 0;  // the same
  Turns to_take_room;
  Turns to_be_done;
  std::atomic<std::uint32_t> next{0};
  team_.run([&](std::uint32_t member) {
    Piece& piece = pieces_[member];
    for (std::uint32_t k = next.fetch_add(1); k < regions_.size(); k = next.fetch_add(1)) {
      walk_region(job.heap, regions_[k], piece);
      to_take_room.wait_for(k);
      const std::uint32_t row = next_row;
      const std::uint64_t column = next_column;
      next_row += piece.row_count;
      next_column += piece.column_count;
      to_take_room.pass();
      std::copy_n(piece.columns.data(), piece.column_count, columns + column);
      std::transform(
          piece.rows.data(), piece.rows.data() + piece.row_count, rows + row,
          [&](std::uint32_t begin) { return begin + static_cast<std::uint32_t>(column); });
      to_be_done.wait_for(k);
      if (filled) {
        filled(row + piece.row_count, column + piece.column_count);
      }
      to_be_done.pass();
    }
  });
  if (next_column > std::numeric_limits<std::uint32_t>::max()) {
    throw std::runtime_error("a heap of " + std::to_string(next_column) +
                             " references has no snapshot of its edges");
  }
  column_count_ = next_column;
  rows[0] = 0;
  rows[row_count_] = static_cast<std::uint32_t>(next_column);
}

void EdgeSnapshot::walk_region(const HeapView& heap, std::uint32_t region, Piece& piece) const {
  piece.row_count = 0;
  piece.column_count = 0;
  if (heap.regions[region].kind != RegionKind::kBlocks) {
    walk_large(heap, region, piece);
    return;
  }
  const std::uint32_t first = region * kBlocksPerRegion;
  for (std::uint32_t block = first; block < first + kBlocksPerRegion; ++block) {
    walk_block(heap, block, piece);
  }
}

// Of a large object, what lies in one region, so that the team shares it.
void EdgeSnapshot::walk_large(const HeapView& heap, std::uint32_t region, Piece& piece) const {
  const RegionRow& row = heap.regions[region];
  const bool is_head = row.kind == RegionKind::kLargeHead;
  const std::uint32_t head = is_head ? region : region - row.link;
  const auto object = static_cast<ObjectIndex>(first_granule_of_region(head));
  constexpr std::uint64_t kHeaderWords = 2;
  const std::uint64_t words = std::uint64_t{region - head} * kWordsPerRegion;
  if (is_head) {
    piece.rows[piece.row_count++] = 0;
  }
  const std::uint64_t count = reference_count(heap, object);
  const std::uint64_t first = is_head ? 0 : words - kHeaderWords;
  std::uint32_t* const end =
      columns_of(heap, object, std::min(first, count),
                 std::min(words + kWordsPerRegion - kHeaderWords, count), piece.columns.data());
  piece.column_count = static_cast<std::uint32_t>(end - piece.columns.data());
}

void EdgeSnapshot::walk_block(const HeapView& heap, std::uint32_t block, Piece& piece) const {
  const BlockRow& row = heap.blocks[block];
  const std::uint32_t first = first_granule_of_block(block);
  if (row.kind == BlockKind::kRunHead) {
    const auto object = static_cast<ObjectIndex>(first);
    std::uint32_t* const out = piece.columns.data() + piece.column_count;
    piece.rows[piece.row_count++] = piece.column_count;
    piece.column_count += static_cast<std::uint32_t>(
        columns_of(heap, object, 0, reference_count(heap, object), out) - out);
    return;
  }
  if (row.kind != BlockKind::kCells) {
    return;
  }
  const bool unswept = awaits_sweep(heap.regions[block / kBlocksPerRegion], row);
  const std::uint32_t end = first + kGranulesPerBlock / row.cell * row.cell;
  std::uint32_t* begins = piece.rows.data() + piece.row_count;
  std::uint32_t* out = piece.columns.data() + piece.column_count;
  for (std::uint32_t place = first; place < end; place += row.cell) {
    const auto object = static_cast<ObjectIndex>(place);
    *begins++ = static_cast<std::uint32_t>(out - piece.columns.data());
    if (!unswept || is_marked(heap.marks, object)) {  // a free cell is of a type without references
      out = columns_of(heap, object, 0, reference_count(heap, object), out);
    }
  }
  piece.row_count = static_cast<std::uint32_t>(begins - piece.rows.data());
  piece.column_count = static_cast<std::uint32_t>(out - piece.columns.data());
}

// Writes the columns of some slots to `out`, and gives their end.
inline std::uint32_t* EdgeSnapshot::columns_of(const HeapView& heap, ObjectIndex object,
                                               std::uint64_t first, std::uint64_t end,
                                               std::uint32_t* out) const {
  const std::uint32_t* const slots = &heap.words[first_word_of(object) + 2];
  for (std::uint64_t k = first; k < end; ++k) {
    // Null is not covered, as nothing of region 0 is. Why no branch: which references are null no
    // processor foresees, and a piece, for its headers, has room for a column more than it has slots.
    *out = column_of(static_cast<ObjectIndex>(slots[k]));
    out += *out != 0 ? 1 : 0;
  }
  return out;
}

void EdgeSnapshot::translate(std::span<const std::uint32_t> bits, const HeapView& heap) const {
  constexpr std::size_t kPiece = 256;  // blocks
  std::atomic<std::size_t> next{0};
  team_.run([&](std::uint32_t /*member*/) {
    for (std::size_t first = next.fetch_add(kPiece); first < table_.size();
         first = next.fetch_add(kPiece)) {
      const std::size_t end = std::min(first + kPiece, table_.size());
      for (std::size_t block = first; block < end; ++block) {
        translate_block(bits, heap, static_cast<std::uint32_t>(block));
      }
    }
  });
}

void EdgeSnapshot::translate_block(std::span<const std::uint32_t> bits, const HeapView& heap,
                                   std::uint32_t block) const {
  if (table_[block].first == 0) {
    return;
  }
  constexpr std::uint32_t kMarkWords = kGranulesPerBlock / kGranulesPerMark / 32;
  std::uint32_t* const words = heap.marks + std::size_t{block} * kMarkWords;
  const std::uint32_t first = table_[block].first & ~kLeafColumn;
  std::fill_n(words, kMarkWords, 0u);
  if (table_[block].inverse == 0) {
    words[0] = bits[first / 32] >> (first % 32) & 1;
    return;
  }
  const std::uint32_t cell = heap.blocks[block].cell;
  const std::uint32_t end = first + kGranulesPerBlock / cell;
  for (std::uint32_t word = first / 32; word <= (end - 1) / 32; ++word) {
    std::uint32_t left = bits[word];
    left &= word == first / 32 ? ~0u << (first % 32) : ~0u;
    left &= end - word * 32 < 32 ? ~(~0u << (end - word * 32)) : ~0u;
    for (; left != 0; left &= left - 1) {
      const std::uint32_t number = word * 32 + static_cast<std::uint32_t>(std::countr_zero(left));
      const std::uint32_t mark = (number - first) * cell / kGranulesPerMark;
      words[mark / 32] |= 1u << (mark % 32);
    }
  }
}

}  // namespace tenure::bench
