#include "core/payload/free_index.hpp"

#include <limits>

#include "tenure/bytes.hpp"

namespace tenure {

namespace {

bool is_tree_node(const PayloadBlock& block, const PayloadBlock* root) {
  return block.node.parent != nullptr || &block == root;
}

PayloadBlock* lower_child(const PayloadBlock& block) {
  return block.node.child[0] != nullptr ? block.node.child[0] : block.node.child[1];
}

// The block of a node's size that came last.
PayloadBlock* latest(PayloadBlock* node) {
  return node == nullptr ? nullptr : node->node.ring_after;
}

}  // namespace

void FreeIndex::insert(PayloadBlock& block) {
  const std::uint32_t bin = bin_of(block.size);
  block.node.ring_before = &block;
  block.node.ring_after = &block;
  ++count_;
  bytes_ += block.size;
  if (roots_[bin] != nullptr) {
    insert_in_tree(block, roots_[bin]);
    return;
  }
  block.node.parent = nullptr;
  block.node.child = {};
  roots_[bin] = &block;
  filled_[bin / 64] |= std::uint64_t{1} << (bin % 64);
}

void FreeIndex::insert_in_tree(PayloadBlock& block, PayloadBlock* root) {
  std::uint64_t key = key_of(block.size);
  PayloadBlock* node = root;
  while (node->size != block.size) {
    PayloadBlock*& child = node->node.child[key >> 63];
    if (child == nullptr) {
      child = &block;
      block.node.parent = node;
      block.node.child = {};
      return;
    }
    node = child;
    key <<= 1;
  }
  // Right behind the node, so that the latest is found there.
  block.node.parent = nullptr;
  block.node.ring_before = node;
  block.node.ring_after = node->node.ring_after;
  node->node.ring_after->node.ring_before = &block;
  node->node.ring_after = &block;
}

void FreeIndex::remove(PayloadBlock& block) {
  const std::uint32_t bin = bin_of(block.size);
  --count_;
  bytes_ -= block.size;
  PayloadBlock* const heir = block.node.ring_after;
  if (heir != &block) {
    heir->node.ring_before = block.node.ring_before;
    block.node.ring_before->node.ring_after = heir;
  }
  if (!is_tree_node(block, roots_[bin])) {
    return;
  }
  if (heir != &block) {
    put_in_place_of(block, heir);
  } else {
    remove_from_tree(block);
  }
  if (roots_[bin] == nullptr) {
    filled_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
  }
}

// Any leaf below a node may stand in its place: the tree asks nothing of a node's own size but that
// it lies below its parents by its bits.
void FreeIndex::remove_from_tree(PayloadBlock& block) {
  PayloadBlock* leaf = lower_child(block);
  if (leaf == nullptr) {
    put_in_place_of(block, nullptr);
    return;
  }
  while (PayloadBlock* const below = lower_child(*leaf)) {
    leaf = below;
  }
  put_in_place_of(*leaf, nullptr);
  put_in_place_of(block, leaf);
}

// Hangs `fresh`, which may be null, where `old` hung, with the children of `old`.
void FreeIndex::put_in_place_of(PayloadBlock& old, PayloadBlock* fresh) {
  PayloadBlock* const parent = old.node.parent;
  if (parent == nullptr) {
    roots_[bin_of(old.size)] = fresh;
  } else {
    parent->node.child[parent->node.child[1] == &old ? 1 : 0] = fresh;
  }
  if (fresh == nullptr) {
    return;
  }
  fresh->node.parent = parent;
  fresh->node.child = old.node.child;
  for (PayloadBlock* const child : fresh->node.child) {
    if (child != nullptr) {
      child->node.parent = fresh;
    }
  }
}

PayloadBlock* FreeIndex::best_fit(std::uint64_t size) const {
  const std::uint32_t bin = bin_of(size);
  if (bin >= kBins) {
    return nullptr;
  }
  PayloadBlock* found = smallest_in_bin(bin, size);
  if (found == nullptr) {
    const std::uint32_t next = next_bin(bin + 1);
    found = next == kBins ? nullptr : smallest_in_bin(next, 0);
  }
  return latest(found);
}

PayloadBlock* FreeIndex::class_fit(std::uint64_t size) const {
  std::uint32_t bin = bin_of(size);
  if (bin >= kBins) {
    return nullptr;
  }
  // Above the low sizes a bin holds smaller ones too, unless nothing of `size` is left open.
  bin = next_bin(key_of(size) == 0 ? bin : bin + 1);
  return bin == kBins ? latest(smallest_in_bin(bin_of(size), size)) : latest(roots_[bin]);
}

PayloadBlock* FreeIndex::smallest_in_bin(std::uint32_t bin, std::uint64_t size) const {
  PayloadBlock* best = nullptr;
  std::uint64_t least_over = std::numeric_limits<std::uint64_t>::max();
  const auto look_at = [&](PayloadBlock* node) {
    const std::uint64_t over = node->size - size;  // wraps where it is too small
    if (node->size >= size && over < least_over) {
      best = node;
      least_over = over;
    }
  };
  // Along the bits of `size`: what hangs to the higher side of the path is larger, and the lowest
  // such subtree holds the smallest of them.
  PayloadBlock* node = roots_[bin];
  PayloadBlock* higher = nullptr;
  for (std::uint64_t key = size == 0 ? 0 : key_of(size); node != nullptr; key <<= 1) {
    look_at(node);
    if (least_over == 0) {
      return best;
    }
    PayloadBlock* const one = node->node.child[1];
    node = node->node.child[key >> 63];
    if (one != nullptr && one != node) {
      higher = one;
    }
  }
  for (node = higher; node != nullptr; node = lower_child(*node)) {
    look_at(node);
  }
  return best;
}

PayloadBlock* FreeIndex::largest() const {
  for (std::uint32_t word = kWords; word-- > 0;) {
    if (filled_[word] == 0) {
      continue;
    }
    const std::uint32_t bin =
        word * 64 + 63 - static_cast<std::uint32_t>(std::countl_zero(filled_[word]));
    PayloadBlock* best = roots_[bin];
    for (PayloadBlock* node = best; node != nullptr;) {
      best = node->size > best->size ? node : best;
      node = node->node.child[1] != nullptr ? node->node.child[1] : node->node.child[0];
    }
    return best;
  }
  return nullptr;
}

std::string FreeIndex::fault() const {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::string fault;
  for (std::uint32_t bin = 0; bin < kBins && fault.empty(); ++bin) {
    if (((filled_[bin / 64] >> (bin % 64) & 1) != 0) != (roots_[bin] != nullptr)) {
      return "the bit of free bin " + std::to_string(bin) + " does not say whether it is filled";
    }
    const auto look_at = [&](const PayloadBlock& block) {
      ++count;
      bytes += block.size;
      if (!block.is(BlockState::kFree)) {
        fault = "a block that is not free stands in a free index";
      } else if (bin_of(block.size) != bin) {
        fault = "a block of " + to_string(Bytes{block.size}) + " stands in the wrong free bin";
      }
      return fault.empty();
    };
    if (roots_[bin] != nullptr) {
      visit_tree(roots_[bin], 0, look_at);
    }
  }
  if (fault.empty() && (count != count_ || bytes != bytes_)) {
    fault = "a free index counts " + std::to_string(count_) + " blocks of " +
            std::to_string(bytes_) + " bytes and holds " + std::to_string(count) + " of " +
            std::to_string(bytes);
  }
  return fault;
}

}  // namespace tenure
