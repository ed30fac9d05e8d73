// The one range of addresses that all objects of the process lie in, and the tables beside it,
// indexed by the same places. Heaps take regions of it, alone or in runs, and give them back.
//
//   granule 0                                                                                2^32
//   +-----------+------------------------------+-------------------------------+-----------+
//   | region 0: | heap A's nursery: one run    | regions of any heap and       | the last: |
//   | never     | reserved at its largest      | generation, one by one        | never     |
//   +-----------+------------------------------+-------------------------------+-----------+
//   region 0 is unused because index 0 is null; the last, because a limit of 2^32 does not fit.
//
// Invariant: a region belongs to one heap, named in its row, or is free and has a clean card table.
// Its memory, and the tables that speak of it, are committed before it is handed out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/model/region.hpp"
#include "tenure/bytes.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Regions [first, first + count).
struct RegionRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

/// threads  anyone
class Cage {
 public:
  /// The process's cage, reserved when first asked for and kept until the process ends.
  ///
  /// errors   kOutOfMemory: no 32 GiB of addresses to be had
  [[nodiscard]] static Result<Cage*> instance(Platform& platform);

  Cage(const Cage&) = delete;
  Cage& operator=(const Cage&) = delete;

  /// A number for a new heap, and back.
  ///
  /// errors   kOutOfMemory: 65,535 heaps are open
  [[nodiscard]] Result<HeapId> open_heap();
  void close_heap(HeapId heap);

  /// Takes `count` free regions side by side, with their rows set to `row`, or none. Cards are
  /// clean, marks clear; the memory holds whatever was there before.
  [[nodiscard]] std::optional<RegionRun> take(std::uint32_t count, const RegionRow& row);

  /// Takes addresses alone: `commit` follows, piece by piece.
  [[nodiscard]] std::optional<RegionRun> reserve(std::uint32_t count, const RegionRow& row);
  [[nodiscard]] bool commit(const RegionRun& run);

  /// Has memory behind the next regions to be handed out, one by one, before anybody waits for it: the
  /// first touch of a fresh huge page takes the system 0.5 to 3 ms. Beside all other calls.
  ///
  /// ahead    free regions, from the lowest, that are to have memory
  /// returns  whether they all have; until then, it is called again
  bool populate_free(std::uint32_t ahead);

  /// Regions handed out so far that nobody had used since their memory was last given back.
  [[nodiscard]] std::uint64_t taken_fresh() const {
    return taken_fresh_.load(std::memory_order_relaxed);
  }

  /// Gives regions back. Nothing refers to them, and none of their cards is in a log.
  void give_back(const RegionRun& run);

  /// Gives the memory behind all free regions back to the system.
  ///
  /// returns  the bytes that were committed behind them since the last time
  Bytes discard_free();

  [[nodiscard]] RegionRow* regions() { return regions_; }
  [[nodiscard]] BlockRow* blocks() { return blocks_; }
  [[nodiscard]] std::uint32_t* marks() { return marks_; }   // one bit for two granules
  [[nodiscard]] std::uint8_t* cards() { return cards_; }    // one byte a card
  [[nodiscard]] std::uint8_t* starts() { return starts_; }  // one byte a card
  [[nodiscard]] std::byte* base() { return base_; }

  /// In `starts`: no object starts on the card.
  static constexpr std::uint8_t kNoStart = 0xFF;

 private:
  explicit Cage(Platform& platform) : platform_(platform) {}
  [[nodiscard]] Result<void> open();

  using Lock = std::scoped_lock<std::mutex>;
  [[nodiscard]] std::optional<std::uint32_t> find_free(const Lock&, std::uint32_t count);
  [[nodiscard]] bool commit_extents(const Lock&, std::uint32_t first, std::uint32_t end);
  [[nodiscard]] bool commit_regions(const Lock&, std::uint32_t first, std::uint32_t end);
  [[nodiscard]] bool may_have_memory(const Lock&, std::uint64_t region) const;
  [[nodiscard]] std::optional<std::uint32_t> find_untouched(const Lock&, std::uint32_t ahead) const;
  void set_rows(const Lock&, std::uint32_t first, std::uint32_t count, const RegionRow& row);

  Platform& platform_;
  std::byte* base_ = nullptr;
  RegionRow* regions_ = nullptr;
  BlockRow* blocks_ = nullptr;
  std::uint32_t* marks_ = nullptr;
  std::uint8_t* cards_ = nullptr;
  std::uint8_t* starts_ = nullptr;

  std::mutex mutex_;
  std::uint32_t regions_per_extent_ = 0;  // committed at a time
  std::vector<std::uint32_t> taken_;      // a bit a region; guarded by mutex_
  std::vector<std::uint32_t> committed_;  // a bit an extent; guarded by mutex_
  std::vector<std::uint32_t> used_;       // a bit a region taken since its last discard; likewise
  std::vector<std::uint32_t> populated_;  // a bit a region got ready by `populate_free`; likewise
  std::vector<std::uint32_t> heaps_;      // a bit a heap; guarded by mutex_
  std::uint32_t lowest_free_ = 1;         // no free region lies below; guarded by mutex_
  std::atomic<std::uint64_t> taken_fresh_{0};
};

}  // namespace tenure
