// The rival of the heap's copy: the edges alone, as rows and columns of dense numbers. A device that
// marks over them reads no header and no data; the host has walked the heap for it.
//
//   numbers   [ 0: none | cells of regions with references, in order | cells of leaf regions ]
//   rows      [ where a number's columns begin, for all numbers before the leaves, and the end ]
//   columns   [ a number each, with kLeafColumn where it has no row; null references are left out ]
//
// Numbers go to cells, free ones too (they have no columns, and are in none), so that a reference is
// translated by a row of 8 bytes a block and a product. Why not to objects alone: each edge would ask a
// table 16 times as large.
//
// Invariant: rows and columns are the same whatever the number of threads that walked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bench/gpu/snapshot_job.hpp"
#include "bench/gpu/zero_pages.hpp"
#include "core/base/team.hpp"
#include "core/model/marker.hpp"

namespace tenure::bench {

/// threads  one at a time
class EdgeSnapshot {
 public:
  /// Rows before the one, and columns before the other, are written.
  using Filled = std::function<void(std::uint32_t rows, std::uint64_t columns)>;

  /// team  shares the walks; outlives this, and nobody else runs it meanwhile
  explicit EdgeSnapshot(Team& team);

  /// Walks the heap, which nobody writes meanwhile. What was here is replaced. Of cells that await their
  /// sweep those count whose object is marked, of others those that are not free.
  ///
  /// filled  called in order, by whichever thread has written the next piece
  /// cost    one pass over the words of regions with references, shared by the team
  /// errors  throws where there are 2^31 numbers or 2^32 columns, or more
  void walk(const MarkJob& job, const Filled& filled = {});

  [[nodiscard]] std::span<const std::uint32_t> rows() const;     // [row_count() + 1]
  [[nodiscard]] std::span<const std::uint32_t> columns() const;  // [rows()[row_count()]]
  [[nodiscard]] std::uint32_t row_count() const { return row_count_; }
  [[nodiscard]] std::uint32_t numbers() const { return numbers_; }  // given, 0 among them

  /// As a column has it; 0 for what the marking does not cover.
  [[nodiscard]] std::uint32_t column_of(ObjectIndex object) const;

  /// Has the mark bits of the heap that was walked be those of its objects' numbers.
  ///
  /// bits  [numbers() / 32, rounded up] a bit a number
  void translate(std::span<const std::uint32_t> bits, const HeapView& heap) const;

  /// Of the table that translates references, which stays on the host.
  [[nodiscard]] std::uint64_t table_bytes() const { return table_.size() * sizeof(BlockNumbers); }

 private:
  struct BlockNumbers {
    std::uint32_t first =
        0;  // column of its first cell; 0: nothing here is covered, or starts here
    std::uint32_t inverse = 0;  // 2^32 over a cell's granules, rounded up; 0: there is one object
  };
  // What one thread found in one region.
  struct Piece {
    Piece();

    std::vector<std::uint32_t>
        rows;  // [cells of a region] where each begins, from the first column here
    std::vector<std::uint32_t> columns;  // [words of a region]
    std::uint32_t row_count = 0;
    std::uint32_t column_count = 0;
  };

  void number(const MarkJob& job);
  void number_region(const HeapView& heap, std::uint32_t region);
  void walk_region(const HeapView& heap, std::uint32_t region, Piece& piece) const;
  void walk_large(const HeapView& heap, std::uint32_t region, Piece& piece) const;
  void walk_block(const HeapView& heap, std::uint32_t block, Piece& piece) const;
  [[nodiscard]] std::uint32_t* columns_of(const HeapView& heap, ObjectIndex object,
                                          std::uint64_t first, std::uint64_t end,
                                          std::uint32_t* out) const;
  void translate_block(std::span<const std::uint32_t> bits, const HeapView& heap,
                       std::uint32_t block) const;

  Team& team_;
  std::vector<BlockNumbers> table_;     // [16 * regions of the job]
  std::vector<std::uint32_t> regions_;  // with references, in order: the pieces of a walk
  std::uint32_t row_count_ = 0;
  std::uint32_t numbers_ = 0;
  std::uint64_t column_count_ = 0;
  std::vector<Piece> pieces_;  // [team's size]
  ZeroPages rows_;             // room for all cells of a cage
  ZeroPages columns_;          // and for all its words
};

}  // namespace tenure::bench
