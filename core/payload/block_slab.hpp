// Where block descriptors come from, so that leasing does not call malloc.
#pragma once

#include <memory>
#include <vector>

#include "core/payload/block.hpp"

namespace tenure {

/// Descriptors keep their places until the slab ends, so that anyone may look at one's state.
///
/// threads  the pool's lock
class BlockSlab {
 public:
  explicit BlockSlab(PoolCore& core) : core_(core) {}

  [[nodiscard]] PayloadBlock& take() {
    if (spare_ == nullptr) [[unlikely]] {
      add_chunk();
    }
    PayloadBlock& block = *spare_;
    spare_ = block.link.load(std::memory_order_relaxed);
    return block;
  }

  void give_back(PayloadBlock& block) {
    block.state.store(BlockState::kSpare, std::memory_order_relaxed);
    block.uses.clear();
    block.link.store(spare_, std::memory_order_relaxed);
    spare_ = &block;
  }

  /// Calls `visit(PayloadBlock&)` for each descriptor there is, spare ones too.
  template <class Visit>
  void for_each(Visit visit) {
    for (const auto& chunk : chunks_) {
      for (std::size_t i = 0; i < kChunk; ++i) {
        visit(chunk[i]);
      }
    }
  }

 private:
  static constexpr std::size_t kChunk = 512;  // 64 KiB: a few pages at a time

  void add_chunk() {
    chunks_.push_back(std::make_unique<PayloadBlock[]>(kChunk));
    for (std::size_t i = kChunk; i-- > 0;) {
      PayloadBlock& block = chunks_.back()[i];
      block.core = &core_;
      block.link.store(spare_, std::memory_order_relaxed);
      spare_ = &block;
    }
  }

  PoolCore& core_;
  PayloadBlock* spare_ = nullptr;
  std::vector<std::unique_ptr<PayloadBlock[]>> chunks_;
};

}  // namespace tenure
