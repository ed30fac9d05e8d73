#include "core/payload/tiling.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// Small pools grow by at least so much at a time. It is also the granularity of CUDA's mapping.
constexpr std::uint64_t kPiece = std::uint64_t{2} << 20;

// Below so many pieces a limit would be felt as a rounding: then pieces are as small as they can be.
constexpr std::uint64_t kPiecesWorthIt = 64;

// Addresses are reserved for so many times what may be mapped, as holes that were mapped elsewhere
// leave gaps behind; but not more than so many bytes, as there are 128 TiB for all of a process.
constexpr std::uint64_t kAddressesPerByte = 16;
constexpr std::uint64_t kMostAddresses = std::uint64_t{4} << 40;

std::uint64_t piece_for(std::uint64_t granularity, std::uint64_t limit) {
  const std::uint64_t least = std::max(granularity, kBlockStep);
  return limit / kPiecesWorthIt >= kPiece ? std::max(least, kPiece) : least;
}

// What a device refuses in passing it is asked for once more: its memory is worth a second call.
template <class Ask>
auto asked_twice(const Ask& ask) {
  auto answer = ask();
  return !answer && answer.failure().code == ErrorCode::kDeviceRefused ? ask() : answer;
}

}  // namespace

Tiling::Tiling(Backend& backend, PoolCore& core, const KindTraits& traits, std::uint64_t limit)
    : backend_(backend),
      core_(core),
      kind_(core.kind),
      can_map_(traits.can_map),
      granularity_(std::max(traits.granularity.count(), kBlockStep)),
      limit_(limit),
      piece_(piece_for(granularity_, limit)) {
  check(std::has_single_bit(granularity_), "a backend's granularity is no power of two");
}

Result<void> Tiling::open() {
  if (!can_map_ || range_.base != nullptr) {
    return {};
  }
  const std::uint64_t least = pieces_for(limit_);
  std::uint64_t size = std::max(least, limit_ < kMostAddresses / kAddressesPerByte
                                           ? pieces_for(limit_ * kAddressesPerByte)
                                           : kMostAddresses);
  // Addresses may be short, under a sanitizer or a limit of the process: fewer will do.
  Result<AddressRange> range = backend_.reserve(kind_, Bytes{size});
  while (!range && size > least && range.failure().code != ErrorCode::kDeviceLost) {
    size = std::max(least, pieces_for(size / 2));
    range = backend_.reserve(kind_, Bytes{size});
  }
  if (!range) {
    return range.failure();
  }
  range_ = *range;
  segments_.push_back(&first_block_of(range_.base, range_.size.count(), BlockState::kUnmapped));
  link_unmapped(*segments_.back());
  return {};
}

PayloadBlock& Tiling::first_block_of(std::byte* base, std::uint64_t size, BlockState state) {
  PayloadBlock& block = core_.slab.take();
  block.data = base;
  block.size = size;
  block.before = nullptr;
  block.after = nullptr;
  block.state.store(state, std::memory_order_relaxed);
  return block;
}

Result<PayloadBlock*> Tiling::map(PayloadBlock& unmapped, std::byte* from, std::uint64_t size) {
  const Result<void> done =
      asked_twice([&] { return backend_.map(range_, Bytes{offset_of(from)}, Bytes{size}); });
  if (!done) {
    return done.failure();
  }
  count_mapped(size);
  unlink_unmapped(unmapped);
  PayloadBlock* block = &unmapped;
  if (from != block->data) {
    PayloadBlock& upper = split(*block, static_cast<std::uint64_t>(from - block->data));
    link_unmapped(*block);
    block = &upper;
  }
  if (size != block->size) {
    link_unmapped(split(*block, size));
  }
  block->uses.clear();
  block->state.store(BlockState::kFree, std::memory_order_relaxed);
  return block;
}

void Tiling::unmap(PayloadBlock& block) {
  backend_.unmap(range_, Bytes{offset_of(block.data)}, Bytes{block.size});
  mapped_ -= block.size;
  become_unmapped(block);
}

void Tiling::withdraw(std::byte* from, std::uint64_t size) {
  backend_.unmap(range_, Bytes{offset_of(from)}, Bytes{size});
  mapped_ -= size;
  withdrawn_ += size;
}

Result<void> Tiling::restore(std::byte* from, std::uint64_t size) {
  Result<void> mapped = backend_.map(range_, Bytes{offset_of(from)}, Bytes{size});
  if (mapped) {
    count_mapped(size);
    withdrawn_ -= size;
  }
  return mapped;
}

void Tiling::forget(PayloadBlock& block) {
  withdrawn_ -= block.size;
  become_unmapped(block);
}

void Tiling::become_unmapped(PayloadBlock& block) {
  block.uses.clear();
  block.state.store(BlockState::kUnmapped, std::memory_order_relaxed);
  PayloadBlock* lowest = &block;
  if (block.after != nullptr && block.after->is(BlockState::kUnmapped)) {
    unlink_unmapped(*block.after);
    join_with_after(block);
  }
  if (block.before != nullptr && block.before->is(BlockState::kUnmapped)) {
    lowest = block.before;
    unlink_unmapped(*lowest);
    join_with_after(*lowest);
  }
  link_unmapped(*lowest);
}

Tiling::Carved Tiling::carve(PayloadBlock& range, PayloadBlock& inside) {
  const auto below = static_cast<std::uint64_t>(inside.data - range.data);
  const std::uint64_t above = range.size - below - inside.size;
  Carved carved{nullptr, nullptr};
  if (above != 0) {
    carved.above = &split(range, below + inside.size);
  }
  PayloadBlock* const before = below != 0 ? &range : range.before;
  inside.before = before;
  inside.after = range.after;
  if (before != nullptr) {
    before->after = &inside;
  } else {
    *std::find(segments_.begin(), segments_.end(), &range) = &inside;
  }
  if (inside.after != nullptr) {
    inside.after->before = &inside;
  }
  if (below != 0) {
    range.size = below;
    carved.below = &range;
  } else {
    core_.slab.give_back(range);
  }
  return carved;
}

Result<PayloadBlock*> Tiling::add_segment(std::uint64_t size) {
  const Result<std::byte*> base =
      asked_twice([&] { return backend_.allocate(kind_, Bytes{size}); });
  if (!base) {
    return base.failure();
  }
  count_mapped(size);
  segments_.push_back(&first_block_of(*base, size, BlockState::kFree));
  return segments_.back();
}

void Tiling::drop_segment(PayloadBlock& block) {
  backend_.deallocate(kind_, block.data, Bytes{block.size});
  mapped_ -= block.size;
  std::erase(segments_, &block);
  core_.slab.give_back(block);
}

void Tiling::link_unmapped(PayloadBlock& block) {
  block.node.ring_before = nullptr;
  block.node.ring_after = unmapped_;
  if (unmapped_ != nullptr) {
    unmapped_->node.ring_before = &block;
  }
  unmapped_ = &block;
}

void Tiling::unlink_unmapped(PayloadBlock& block) {
  PayloadBlock* const before = block.node.ring_before;
  PayloadBlock* const after = block.node.ring_after;
  (before == nullptr ? unmapped_ : before->node.ring_after) = after;
  if (after != nullptr) {
    after->node.ring_before = before;
  }
}

void Tiling::close() {
  if (range_.base != nullptr) {
    backend_.release(range_);
  } else {
    for (PayloadBlock* const first : segments_) {
      std::uint64_t size = 0;
      for (const PayloadBlock* block = first; block != nullptr; block = block->after) {
        size += block->size;
      }
      backend_.deallocate(kind_, first->data, Bytes{size});
    }
  }
  range_ = {};
  segments_.clear();
  unmapped_ = nullptr;
  mapped_ = withdrawn_ = 0;
}

std::string Tiling::fault() const {
  std::uint64_t mapped = 0;
  std::uint64_t unmapped_blocks = 0;
  std::uint64_t tiled = 0;
  std::string fault;
  const auto look_at = [&](const PayloadBlock& block) {
    const std::string place = " at " + std::to_string(tiled) + " of its pool";
    if (block.size == 0 || block.size % kBlockStep != 0) {
      fault = "a block of " + std::to_string(block.size) + " bytes" + place;
    } else if (block.is(BlockState::kSpare) || block.is(BlockState::kInert)) {
      fault = "a block that is in no use tiles addresses" + place;
    } else if (block.after != nullptr &&
               (block.after->data != block.end() || block.after->before != &block)) {
      fault = "a gap or an overlap behind the block" + place;
    } else if (block.is(BlockState::kUnmapped)) {
      ++unmapped_blocks;
      if (offset_of(block.data) % granularity_ != 0 || block.size % granularity_ != 0) {
        fault = "an unmapped block that is not made of whole pieces" + place;
      } else if (block.after != nullptr && block.after->is(BlockState::kUnmapped)) {
        fault = "two unmapped neighbours" + place;
      }
    } else {
      mapped += block.size;
    }
    tiled += block.size;
  };
  for_each([&](const PayloadBlock& block) {
    if (fault.empty()) look_at(block);
  });
  if (!fault.empty()) {
    return fault;
  }
  std::uint64_t listed = 0;
  for (const PayloadBlock* block = unmapped_; block != nullptr; block = block->node.ring_after) {
    ++listed;
  }
  if (listed != unmapped_blocks) {
    return std::to_string(unmapped_blocks) + " unmapped blocks, and " + std::to_string(listed) +
           " in their list";
  }
  if (mapped != mapped_ + withdrawn_ || (range_.base != nullptr && tiled != range_.size.count())) {
    return "blocks tile " + std::to_string(tiled) + " bytes, " + std::to_string(mapped) +
           " of them mapped; the pool counts " + std::to_string(mapped_) + " mapped and " +
           std::to_string(withdrawn_) + " withdrawn of " + std::to_string(range_.size.count());
  }
  return {};
}

}  // namespace tenure
