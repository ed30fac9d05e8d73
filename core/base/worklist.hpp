// Work that several workers share. Each has a stack of its own, outside of here; what it can spare it
// offers in chunks, and who has nothing left steals one, from its own offers first.
//
//   worker 0   [ its stack ] --chunk--> [ offers of 0 ] --+
//   worker 1   [ its stack ] --chunk--> [ offers of 1 ] --+--> whoever is idle takes a chunk
//
// Invariant: an item is in one place. Only a worker that is not idle holds items or makes more, so
// that all work is done exactly when every worker is idle at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace tenure {

/// threads  each member its own number, all at once
template <class Item>
class Worklists {
 public:
  /// Items of a chunk: its lock is then taken once in some microseconds of work.
  static constexpr std::size_t kChunk = 256;

  explicit Worklists(std::uint32_t members) : offers_(members) {}
  Worklists(const Worklists&) = delete;
  Worklists& operator=(const Worklists&) = delete;

  /// Lets others have a copy of `items`.
  void offer(std::uint32_t member, std::span<const Item> items) {
    Offers& own = offers_[member];
    const std::scoped_lock lock(own.mutex);
    own.chunks.emplace_back(items.begin(), items.end());
    own.count.store(own.chunks.size(), std::memory_order_relaxed);
  }

  /// Offers the oldest of a stack as soon as it is tall, or somebody waits.
  void share(std::uint32_t member, std::vector<Item>& stack) {
    const bool is_tall = stack.size() >= 2 * kChunk;
    const bool is_wanted = stack.size() >= kSpare && has_idle() &&
                           offers_[member].count.load(std::memory_order_relaxed) == 0;
    if (is_tall || is_wanted) [[unlikely]] {
      // Why the oldest: they stand nearest to the roots and lead to the most.
      const std::size_t count = std::min(stack.size() / 2, kChunk);
      offer(member, std::span<const Item>(stack.data(), count));
      stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }

  /// Adds a chunk to `stack`, which is empty; waits while others may still offer one.
  ///
  /// returns  false: everyone is idle, and all work is done
  [[nodiscard]] bool take(std::uint32_t member, std::vector<Item>& stack) {
    if (try_take(member, stack)) {
      return true;
    }
    idle_.fetch_add(1, std::memory_order_seq_cst);
    while (idle_.load(std::memory_order_seq_cst) < offers_.size()) {
      if (!has_offer()) {
        std::this_thread::yield();
        continue;
      }
      // Order: no longer idle, then take; else all might seem idle while one holds a chunk.
      idle_.fetch_sub(1, std::memory_order_seq_cst);
      if (try_take(member, stack)) {
        return true;
      }
      idle_.fetch_add(1, std::memory_order_seq_cst);
    }
    return false;
  }

  /// Whether somebody waits. A hint.
  [[nodiscard]] bool has_idle() const { return idle_.load(std::memory_order_relaxed) > 0; }

 private:
  static constexpr std::size_t kSpare = 4;  // a stack below this is not worth a chunk
  static constexpr std::size_t kLineBytes = 64;

  struct alignas(kLineBytes) Offers {
    std::mutex mutex;
    std::vector<std::vector<Item>> chunks;  // guarded by mutex
    std::atomic<std::size_t> count{0};      // of chunks; written under mutex, read as a hint
  };

  [[nodiscard]] bool has_offer() const {
    return std::any_of(offers_.begin(), offers_.end(), [](const Offers& offers) {
      return offers.count.load(std::memory_order_relaxed) > 0;
    });
  }

  [[nodiscard]] bool try_take(std::uint32_t member, std::vector<Item>& stack) {
    for (std::size_t k = 0; k < offers_.size(); ++k) {
      Offers& from = offers_[(member + k) % offers_.size()];
      if (from.count.load(std::memory_order_relaxed) == 0) {
        continue;
      }
      const std::scoped_lock lock(from.mutex);
      if (from.chunks.empty()) {
        continue;
      }
      stack = std::move(from.chunks.back());
      from.chunks.pop_back();
      from.count.store(from.chunks.size(), std::memory_order_relaxed);
      return true;
    }
    return false;
  }

  std::vector<Offers> offers_;  // [members]
  std::atomic<std::size_t> idle_{0};
};

}  // namespace tenure
