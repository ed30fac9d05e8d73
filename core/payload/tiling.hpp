// The addresses of one pool, tiled by blocks: what lies where, and whether memory is behind it.
//
// Where the kind can be mapped there is one segment: a range of addresses far larger than what will
// be mapped, so that a piece whose neighbours stay can be mapped elsewhere. Elsewhere each growth is
// a segment of its own, and blocks of two never join.
//
//   +--------+------+---------+~~~~~~~~~~~~+--------+------+~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//   | leased | free | leased  |  unmapped  | leased | free |  unmapped, to the end of the range
//   +--------+------+---------+~~~~~~~~~~~~+--------+------+~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//                                                     ^ the wilderness
//
// Invariant: blocks tile each segment; an unmapped block starts and ends on pieces, and no two
// unmapped ones are neighbours. Who has a block is the pool's affair.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/payload/block.hpp"
#include "core/payload/pool_core.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  the pool's lock
class Tiling {
 public:
  /// limit   bytes that may be mapped at the same time
  Tiling(Backend& backend, PoolCore& core, const KindTraits& traits, std::uint64_t limit);

  [[nodiscard]] bool can_map() const { return can_map_; }
  /// What is mapped and unmapped at once, in bytes. A power of two.
  [[nodiscard]] std::uint64_t piece() const { return piece_; }
  [[nodiscard]] std::uint64_t mapped() const { return mapped_; }
  [[nodiscard]] std::uint64_t peak_mapped() const { return peak_mapped_; }
  void reset_peak() { peak_mapped_ = mapped_; }
  /// The most that can be mapped at any time to come: the addresses, once they are reserved.
  [[nodiscard]] std::uint64_t most() const {
    return range_.base == nullptr ? limit_ : range_.size.count();
  }
  /// Bytes that were mapped for `size`, rounded to pieces.
  [[nodiscard]] std::uint64_t pieces_for(std::uint64_t size) const {
    return (size + piece_ - 1) & ~(piece_ - 1);
  }
  [[nodiscard]] std::uint64_t offset_of(const std::byte* place) const {
    return static_cast<std::uint64_t>(place - range_.base);
  }

  /// Reserves the range, where there is one to be reserved and it was not yet.
  ///
  /// errors   kOutOfMemory: no addresses; kUnsupported; kDeviceLost
  [[nodiscard]] Result<void> open();

  /// Cuts a block in two of the same state; gives the upper one, whose fields but place, size and
  /// state are fresh.
  PayloadBlock& split(PayloadBlock& block, std::uint64_t lower_size) {
    PayloadBlock& upper = core_.slab.take();
    upper.data = block.data + lower_size;
    upper.size = block.size - lower_size;
    upper.before = &block;
    upper.after = block.after;
    if (upper.after != nullptr) {
      upper.after->before = &upper;
    }
    upper.state.store(block.state.load(std::memory_order_relaxed), std::memory_order_relaxed);
    block.after = &upper;
    block.size = lower_size;
    return upper;
  }
  struct Carved {
    PayloadBlock* below;
    PayloadBlock* above;
  };
  /// Puts a descriptor that is in no segment, and whose place lies in `range`, into the tiling. Nothing of
  /// it changes but its neighbours, as it may be leased.
  ///
  /// returns  what is left of the range on either side, or null; the lower keeps the range's descriptor,
  ///          the upper has its state, and other fields that are fresh
  Carved carve(PayloadBlock& range, PayloadBlock& inside);
  /// Makes `block` swallow the one after it. Uses are the caller's affair.
  void join_with_after(PayloadBlock& block) {
    PayloadBlock& swallowed = *block.after;
    block.size += swallowed.size;
    block.after = swallowed.after;
    if (block.after != nullptr) {
      block.after->before = &block;
    }
    core_.slab.give_back(swallowed);
  }

  /// Puts memory behind [offset, offset + size) of an unmapped block, given as whole pieces. What is
  /// mapped becomes a free block of its own, on no shelf yet.
  ///
  /// errors   those of Backend::map; nothing changes then
  [[nodiscard]] Result<PayloadBlock*> map(PayloadBlock& unmapped, std::byte* from,
                                          std::uint64_t size);
  /// Takes the memory from behind a free block of whole pieces, which stands on no shelf, and joins
  /// it with unmapped neighbours. No work may still use it.
  void unmap(PayloadBlock& block);

  /// Takes the memory from behind whole pieces of blocks that stay what they are, and gives it back to
  /// them, with other contents, at the same addresses. No work may still use it.
  ///
  /// errors   of `restore`: those of Backend::map; nothing changes then
  void withdraw(std::byte* from, std::uint64_t size);
  [[nodiscard]] Result<void> restore(std::byte* from, std::uint64_t size);
  /// `unmap` of a block whose memory was withdrawn, all of it.
  void forget(PayloadBlock& block);
  /// Bytes of blocks that are not unmapped, and have no memory behind them.
  [[nodiscard]] std::uint64_t withdrawn() const { return withdrawn_; }

  /// A segment of its own, as one free block on no shelf.
  ///
  /// errors   those of Backend::allocate
  [[nodiscard]] Result<PayloadBlock*> add_segment(std::uint64_t size);
  /// Gives a segment back whose only block this free one is.
  void drop_segment(PayloadBlock& block);

  /// The first of the unmapped blocks; the rest by `node.ring_after`. Null where there are none.
  [[nodiscard]] PayloadBlock* first_unmapped() const { return unmapped_; }

  /// Calls `visit(PayloadBlock&)` for each block, by segment and address. `visit` may change all but
  /// the tiling.
  template <class Visit>
  void for_each(Visit visit) const {
    for (PayloadBlock* block : segments_) {
      for (; block != nullptr; block = block->after) {
        visit(*block);
      }
    }
  }

  /// Gives all memory and addresses up. No work may still use them.
  void close();

  /// The first thing that is not as it should be, in a sentence; empty where all is well.
  [[nodiscard]] std::string fault() const;

 private:
  void count_mapped(std::uint64_t size) {
    mapped_ += size;
    peak_mapped_ = std::max(peak_mapped_, mapped_);
  }
  void become_unmapped(PayloadBlock& block);
  void link_unmapped(PayloadBlock& block);
  void unlink_unmapped(PayloadBlock& block);
  PayloadBlock& first_block_of(std::byte* base, std::uint64_t size, BlockState state);

  Backend& backend_;
  PoolCore& core_;
  const MemoryKind kind_;
  const bool can_map_;
  const std::uint64_t granularity_;  // the backend's
  const std::uint64_t limit_;
  const std::uint64_t piece_;
  AddressRange range_;                   // empty before it is reserved, and where none is
  std::vector<PayloadBlock*> segments_;  // the first block of each
  PayloadBlock* unmapped_ = nullptr;     // a list
  std::uint64_t mapped_ = 0;
  std::uint64_t peak_mapped_ = 0;
  std::uint64_t withdrawn_ = 0;
};

}  // namespace tenure
