#include "core/payload/window.hpp"

#include <algorithm>

namespace tenure {

namespace {

class Search {
 public:
  Search(const Tiling& tiling, std::uint64_t size, const BlockFilter& usable, std::uint64_t most)
      : tiling_(tiling), size_(size), usable_(usable), most_(most) {}

  [[nodiscard]] bool is_in_run(const PayloadBlock* block) const {
    return block != nullptr &&
           (block->is(BlockState::kUnmapped) || (block->is(BlockState::kFree) && usable_(*block)));
  }

  // Why only from its lowest seam or unmapped block: each run is looked at once.
  void look_at_run_of(PayloadBlock& seed) {
    PayloadBlock* lowest = &seed;
    while (is_in_run(lowest->before)) {
      lowest = lowest->before;
      if (lowest->is(BlockState::kUnmapped) || lowest->noted_seam) {
        return;
      }
    }
    std::uint64_t bytes = 0;
    for (const PayloadBlock* block = lowest; is_in_run(block); block = block->after) {
      bytes += block->size;
    }
    if (bytes < size_) {
      return;
    }
    const std::byte* const end = lowest->data + bytes;
    for (PayloadBlock* block = lowest; is_in_run(block); block = block->after) {
      if (static_cast<std::uint64_t>(end - block->data) >= size_) {
        consider(*block, block->data);
      }
      if (static_cast<std::uint64_t>(block->end() - lowest->data) >= size_) {
        consider_ending_at(*block);
      }
    }
  }

  [[nodiscard]] const std::optional<Window>& best() const { return best_; }

 private:
  // The window that ends where `last` does; it may start in an earlier block.
  void consider_ending_at(PayloadBlock& last) {
    std::byte* const from = last.end() - size_;
    PayloadBlock* first = &last;
    while (first->data > from) {
      first = first->before;
    }
    consider(*first, from);
  }

  void consider(PayloadBlock& first, std::byte* from) {
    std::uint64_t to_map = 0;
    for (const PayloadBlock* block = &first; block != nullptr && block->data < from + size_;
         block = block->after) {
      if (block->is(BlockState::kUnmapped)) {
        const std::uint64_t begin = tiling_.offset_of(std::max(from, block->data));
        const std::uint64_t end = tiling_.offset_of(std::min(from + size_, block->end()));
        to_map += tiling_.pieces_for(end) - (begin & ~(tiling_.piece() - 1));
      }
    }
    if (to_map > most_) {
      return;
    }
    if (!best_ || to_map < best_->to_map || (to_map == best_->to_map && from < best_->from)) {
      best_ = Window{&first, from, to_map};
    }
  }

  const Tiling& tiling_;
  const std::uint64_t size_;
  const BlockFilter& usable_;
  const std::uint64_t most_;
  std::optional<Window> best_;
};

}  // namespace

std::optional<Window> find_window(const Tiling& tiling, std::uint64_t size,
                                  std::span<PayloadBlock* const> seams, const BlockFilter& usable,
                                  std::uint64_t most) {
  if (seams.empty() && most == 0) {
    return std::nullopt;  // every run has something to map
  }
  Search search(tiling, size, usable, most);
  for (PayloadBlock* const block : seams) {
    if (block->noted_seam && search.is_in_run(block) && search.is_in_run(block->after)) {
      search.look_at_run_of(*block);
    }
  }
  for (PayloadBlock* block = tiling.first_unmapped(); block != nullptr;
       block = block->node.ring_after) {
    search.look_at_run_of(*block);
  }
  return search.best();
}

}  // namespace tenure
