// Free blocks by size: the smallest that is large enough, at a cost that hardly depends on how many
// there are.
//
// A bin for each sixteenth of a power of two; in a bin a digital tree by the bits of the size that
// the bin leaves open, one node a size; behind a node a ring of the blocks of that size, of which
// the latest goes first. Below 16 KiB a bin is a single size.
//
// Source: the tree bins of D. Lea's malloc, with finer bins.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/payload/block.hpp"

namespace tenure {

/// threads  the pool's lock
class FreeIndex {
 public:
  FreeIndex() = default;
  FreeIndex(const FreeIndex&) = delete;
  FreeIndex& operator=(const FreeIndex&) = delete;

  void insert(PayloadBlock& block);
  void remove(PayloadBlock& block);

  /// The smallest block of at least `size` bytes, the latest of its size; null where there is none.
  ///
  /// cost     a few steps; in a bin with n different sizes, up to log n and never over 34
  [[nodiscard]] PayloadBlock* best_fit(std::uint64_t size) const;
  [[nodiscard]] PayloadBlock* largest() const;
  /// A block of the lowest bin that holds blocks and none below `size` bytes, or of those in the bin of
  /// `size` itself the smallest that is large enough; null where there is none.
  ///
  /// cost     a look at the bins, however many blocks there are
  [[nodiscard]] PayloadBlock* class_fit(std::uint64_t size) const;

  /// Calls `visit(PayloadBlock&)` for blocks of at least `size` bytes until it gives false. Blocks
  /// of lower bins come first; within a bin they come as they stand.
  template <class Visit>
  void visit_from(std::uint64_t size, Visit visit) const {
    for (std::uint32_t bin = next_bin(bin_of(size)); bin < kBins; bin = next_bin(bin + 1)) {
      if (!visit_tree(roots_[bin], size, visit)) {
        return;
      }
    }
  }

  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// The first thing that is not as it should be, in a sentence; empty where all is well.
  [[nodiscard]] std::string fault() const;

 private:
  static constexpr std::uint32_t kStepsLog = 4;  // 16 bins a power of two
  static constexpr std::uint32_t kSteps = 1u << kStepsLog;
  static constexpr std::uint32_t kSizeBits = 38;  // block steps in the 128 TiB of user addresses
  static constexpr std::uint32_t kBins = (kSizeBits - kStepsLog + 1) * kSteps;
  static constexpr std::uint32_t kWords = (kBins + 63) / 64;

  // Sizes below 32 steps have a bin each; above, a bin is named by the highest 5 bits.
  [[nodiscard]] static std::uint32_t bin_of(std::uint64_t size) {
    const std::uint64_t steps = size / kBlockStep;
    const auto width = static_cast<std::uint32_t>(std::bit_width(steps | kSteps));
    const std::uint32_t shift = width - kStepsLog - 1;
    return shift * kSteps + static_cast<std::uint32_t>(steps >> shift);
  }

  // The bits of a size that its bin leaves open, the highest first.
  [[nodiscard]] static std::uint64_t key_of(std::uint64_t size) {
    const std::uint64_t steps = size / kBlockStep;
    const auto width = static_cast<std::uint32_t>(std::bit_width(steps | kSteps));
    return steps << (64 - width + kStepsLog) << 1;
  }

  // The first bin from `bin` on that holds a block, or kBins.
  [[nodiscard]] std::uint32_t next_bin(std::uint32_t bin) const {
    for (std::uint32_t word = bin / 64; word < kWords; ++word) {
      const std::uint64_t rest =
          word == bin / 64 ? filled_[word] >> (bin % 64) << (bin % 64) : filled_[word];
      if (rest != 0) {
        return word * 64 + static_cast<std::uint32_t>(std::countr_zero(rest));
      }
    }
    return kBins;
  }

  template <class Visit>
  static bool visit_tree(PayloadBlock* root, std::uint64_t size, Visit& visit) {
    if (root == nullptr) {
      return true;
    }
    if (root->size >= size) {
      PayloadBlock* block = root;
      do {
        PayloadBlock* const next = block->node.ring_after;
        if (!visit(*block)) return false;
        block = next;
      } while (block != root);
    }
    return visit_tree(root->node.child[0], size, visit) &&
           visit_tree(root->node.child[1], size, visit);
  }

  void insert_in_tree(PayloadBlock& block, PayloadBlock* root);
  void remove_from_tree(PayloadBlock& block);
  void put_in_place_of(PayloadBlock& old, PayloadBlock* fresh);
  [[nodiscard]] PayloadBlock* smallest_in_bin(std::uint32_t bin, std::uint64_t size) const;

  std::array<std::uint64_t, kWords> filled_{};  // a bit for each bin that holds a block
  std::array<PayloadBlock*, kBins> roots_{};
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace tenure
