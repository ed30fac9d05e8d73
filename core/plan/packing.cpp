#include "core/plan/packing.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "core/plan/first_fit.hpp"
#include "core/plan/packing_search.hpp"

namespace tenure {

namespace {

// Nearer to the bound than this is not worth looking for.
constexpr std::uint64_t kGoodEnough = 2000;  // one part in so many

// What ends in the uppermost part of a layout sticks out: one part in so many.
constexpr std::uint64_t kUppermost = 32;

// All that sticks out comes earlier by one part in so many of the order.
constexpr std::size_t kPush = 4;

// Of the effort, one part in so many goes into pushing; the rest into walks.
constexpr std::uint64_t kPushing = 3;

// A walk goes on from what is no higher than before by more than one part in so many, for so many
// steps; then a walk from another order has its turn.
constexpr std::uint64_t kThreshold = 300;
constexpr std::uint32_t kLeg = 40;

// Problems beyond so many blocks are not searched: a step looks at all of them.
constexpr std::size_t kMostSearched = 1000;

using Order = std::vector<std::uint32_t>;

std::uint64_t length_of(const Lifetime& block, std::uint32_t horizon) {
  return block.goes_round() ? horizon - block.begin + block.end : block.end - block.begin;
}

class Packer {
 public:
  Packer(std::span<const Lifetime> blocks, const PackingEffort& effort)
      : blocks_(blocks), effort_(effort), first_fit_(blocks), bound_(peak_of(blocks)) {
    for (const Lifetime& block : blocks) {
      horizon_ = std::max({horizon_, block.begin, block.end});
    }
  }

  Layout run() {
    try_plain_orders();
    push();
    walk();
    search();
    return std::move(best_.layout);
  }

 private:
  [[nodiscard]] bool is_good() const {
    return best_.layout.height <= bound_ + bound_ / kGoodEnough;
  }

  struct Try {
    Order order;
    Layout layout;
  };

  [[nodiscard]] Try placed(Order order) {
    Layout layout = first_fit_.place(order);
    return {std::move(order), std::move(layout)};
  }
  void keep(const Try& found) {
    if (best_.order.empty() || found.layout.height < best_.layout.height) {
      best_ = found;
    }
  }

  // Places by a key, the largest first. Ties: the earlier block first.
  template <class Key>
  void try_by(Key key) {
    Order order(blocks_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return key(a) > key(b); });
    starts_.push_back(placed(std::move(order)));
    keep(starts_.back());
  }

  void try_plain_orders() {
    const auto size = [&](std::uint32_t k) { return blocks_[k].bytes; };
    const auto length = [&](std::uint32_t k) { return length_of(blocks_[k], horizon_); };
    try_by([&](std::uint32_t k) { return std::pair(size(k), length(k)); });
    if (is_good()) return;
    try_by([&](std::uint32_t k) {
      return static_cast<double>(size(k)) * static_cast<double>(length(k));
    });
    if (is_good()) return;
    try_by([&](std::uint32_t k) { return std::pair(length(k), size(k)); });
  }

  [[nodiscard]] std::uint64_t sticking_out_from(const Layout& layout) const {
    return std::max(bound_, layout.height - std::max(layout.height / kUppermost, std::uint64_t{1}));
  }

  // All that sticks out comes earlier, until that changes nothing.
  void push() {
    Try at = best_;
    while (!is_good() && first_fit_.pairs() < effort_.pairs / kPushing) {
      const std::uint64_t limit = sticking_out_from(at.layout);
      std::vector<std::pair<std::int64_t, std::uint32_t>> ranks;
      for (std::size_t rank = 0; rank < at.order.size(); ++rank) {
        const std::uint32_t k = at.order[rank];
        const bool out = at.layout.offsets[k] + blocks_[k].bytes > limit;
        const auto now = static_cast<std::int64_t>(rank);
        ranks.emplace_back(now - (out ? static_cast<std::int64_t>(at.order.size() / kPush) : 0), k);
      }
      std::stable_sort(ranks.begin(), ranks.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      Order order;
      for (const auto& [rank, k] : ranks) {
        order.push_back(k);
      }
      if (order == at.order) {
        return;
      }
      at = placed(std::move(order));
      keep(at);
    }
  }

  // One that sticks out comes earlier, somewhere.
  void walk() {
    std::mt19937_64 random(blocks_.size());
    std::vector<Try> at = starts_;
    at.push_back(best_);
    for (std::size_t turn = 0; !is_good() && first_fit_.pairs() < effort_.pairs; ++turn) {
      Try& walker = at[turn % at.size()];
      if (turn % at.size() == 0) {
        walker = best_;
      }
      for (std::uint32_t step = 0; step < kLeg && !is_good() && first_fit_.pairs() < effort_.pairs;
           ++step) {
        const std::uint64_t limit = sticking_out_from(walker.layout);
        std::vector<std::size_t> out;
        for (std::size_t rank = 0; rank < walker.order.size(); ++rank) {
          const std::uint32_t k = walker.order[rank];
          if (walker.layout.offsets[k] + blocks_[k].bytes > limit) out.push_back(rank);
        }
        const std::size_t from = out[random() % out.size()];
        const std::size_t to = random() % (from + 1);
        Order order = walker.order;
        std::rotate(order.begin() + static_cast<std::ptrdiff_t>(to),
                    order.begin() + static_cast<std::ptrdiff_t>(from),
                    order.begin() + static_cast<std::ptrdiff_t>(from) + 1);
        Try moved = placed(std::move(order));
        keep(moved);
        if (moved.layout.height <= walker.layout.height + walker.layout.height / kThreshold) {
          walker = std::move(moved);
        }
      }
    }
  }

  // Bisects between the bound and the best, as far as the steps go.
  void search() {
    const bool goes_round = std::any_of(blocks_.begin(), blocks_.end(),
                                        [](const Lifetime& block) { return block.goes_round(); });
    if (is_good() || goes_round || blocks_.size() > kMostSearched) {
      return;
    }
    PackingSearch searched(blocks_);
    std::uint64_t low = bound_;
    std::uint64_t steps = effort_.steps;
    while (low < best_.layout.height && steps > 1) {
      const std::uint64_t aim = low + (best_.layout.height - low) / 4;
      std::optional<Layout> found = searched.fit(aim, steps / 2);
      steps -= steps / 2;
      if (found) {
        best_.layout = std::move(*found);
      } else {
        low = aim + 1;
      }
      if (is_good()) return;
    }
  }

  std::span<const Lifetime> blocks_;
  const PackingEffort effort_;
  FirstFit first_fit_;
  const std::uint64_t bound_;
  std::uint32_t horizon_ = 0;
  std::vector<Try> starts_;
  Try best_;
};

}  // namespace

Layout pack(std::span<const Lifetime> blocks, const PackingEffort& effort) {
  return Packer(blocks, effort).run();
}

}  // namespace tenure
