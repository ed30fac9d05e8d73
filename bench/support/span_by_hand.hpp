// The limit of marking on this machine: our algorithm, written for one heap and no other.
//
// It knows that every object has 24 bytes and four references, none of them null, and that cells of
// three granules fill blocks from their start. It asks for no type, no region and no block, sets bits
// of its own by plain stores, and cannot stop half-way.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tenure::bench {

class SpanByHand {
 public:
  static constexpr std::uint32_t kReferences = 4;

  /// first, last   granules that all objects lie between
  SpanByHand(std::uint32_t first, std::uint32_t last)
      : first_(first / kSpan * kSpan),
        bits_((last - first_) / kSpan * kGroups + kGroups),
        read_(bits_.size()),
        grey_(bits_.size() / kGroups) {}

  /// Marks all that `root` reaches.
  ///
  /// words    [2 * granules] of the heap
  /// returns  objects marked
  [[gnu::noinline]] std::uint64_t mark(const std::uint32_t* words, std::uint32_t root) {
    std::fill(bits_.begin(), bits_.end(), 0u);
    std::fill(read_.begin(), read_.end(), 0u);
    queue_.assign(std::bit_ceil(grey_.size() + 1), 0);
    const std::size_t mask = queue_.size() - 1;
    std::size_t head = 0;
    std::size_t tail = 0;
    std::uint64_t marked = 0;
    // Places are granules from first_ on.
    const auto reach = [&](std::uint32_t place) {
      std::uint64_t& word = bits_[place / 2 / kBits];
      const std::uint64_t bit = std::uint64_t{1} << (place / 2 % kBits);
      if ((word & bit) != 0) {
        return;
      }
      word |= bit;
      ++marked;
      std::uint64_t& grey = grey_[place / kSpan];
      if (grey == 0) {
        queue_[tail++ & mask] = place / kSpan;
      }
      grey |= std::uint64_t{1} << (place / 2 / kBits % kGroups);
    };
    reach(root - first_);
    std::array<std::uint32_t, kRing> ring;
    ring.fill(root - first_);
    std::uint32_t at = 0;
    while (true) {
      std::uint32_t count = 0;
      while (count < kBatch && head != tail) {
        const std::uint32_t span = queue_[head++ & mask];
        for (std::uint64_t groups = std::exchange(grey_[span], 0); groups != 0;
             groups &= groups - 1) {
          const std::uint32_t group =
              span * kGroups + static_cast<std::uint32_t>(std::countr_zero(groups));
          const std::uint64_t fresh = bits_[group] & ~read_[group];
          read_[group] |= fresh;
          for (std::uint64_t rest = fresh; rest != 0; rest &= rest - 1) {
            const std::uint32_t later =
                (group * kBits + static_cast<std::uint32_t>(std::countr_zero(rest))) * 2 + 1;
            const std::uint32_t block = later / kBlock * kBlock;
            batch_[count++] = first_ + block + (later - block) / 3 * 3;
          }
        }
      }
      if (count == 0) {
        for (const std::uint32_t place : ring) {
          reach(place);
        }
        if (head == tail) {
          return marked;
        }
        continue;
      }
      std::fill_n(batch_.begin() + count, kAhead, batch_[count - 1]);
      for (std::uint32_t k = 0; k < kAhead; ++k) {
        __builtin_prefetch(words + std::uint64_t{2} * batch_[k]);
      }
      for (std::uint32_t k = 0; k < count; ++k) {
        __builtin_prefetch(words + std::uint64_t{2} * batch_[k + kAhead]);
        const std::uint32_t* const slots = words + std::uint64_t{2} * batch_[k] + 2;
        for (std::uint32_t slot = 0; slot < kReferences; ++slot) {
          const std::uint32_t place = slots[slot] - first_;
          __builtin_prefetch(&bits_[place / 2 / kBits], 1);
          reach(std::exchange(ring[at++ % kRing], place));
        }
      }
    }
  }

 private:
  static constexpr std::uint32_t kBits = 64;
  static constexpr std::uint32_t kGroups = 64;                 // of a span
  static constexpr std::uint32_t kSpan = kGroups * kBits * 2;  // granules: 64 KiB
  static constexpr std::uint32_t kBlock = 2048;                // granules
  static constexpr std::uint32_t kRing = 32;
  static constexpr std::uint32_t kAhead = 12;
  static constexpr std::uint32_t kBatch = 128;

  std::uint32_t first_;
  std::vector<std::uint64_t> bits_;  // one for two granules
  std::vector<std::uint64_t> read_;
  std::vector<std::uint64_t> grey_;  // by span, a bit a group
  std::vector<std::uint32_t> queue_;
  std::array<std::uint32_t, kBatch + kSpan / 2 + kAhead> batch_;  // a span more than it wants
};

}  // namespace tenure::bench
