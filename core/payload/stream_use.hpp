// Which streams used a block, and until when: what whoever gets its bytes next must come behind.
//
// A pool cuts each stream's time into epochs by the events it records: epoch e ends with the pool's
// e-th event on that stream. A use in epoch e is over once that event is reached, and maybe earlier;
// never later.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "tenure/payload.hpp"

namespace tenure {

/// Streams have small numbers: a use keeps 16 bits of one, and a few numbers name other shelves.
inline constexpr std::uint32_t kMaxStreams = 65'000;

/// One stream's last use of a block.
///
///   63          48 47                          0
///  +--------------+-----------------------------+
///  | stream       | epoch, from 1; all ones     |      0 is "no use"
///  |              | while the block is leased   |
///  +--------------+-----------------------------+
class StreamUse {
 public:
  static constexpr std::uint32_t kEpochBits = 48;
  static constexpr std::uint64_t kOngoing = (std::uint64_t{1} << kEpochBits) - 1;

  constexpr StreamUse() = default;
  constexpr StreamUse(StreamId stream, std::uint64_t epoch)
      : bits_(std::uint64_t{static_cast<std::uint32_t>(stream)} << kEpochBits | epoch) {}

  [[nodiscard]] constexpr StreamId stream() const {
    return static_cast<StreamId>(static_cast<std::uint32_t>(bits_ >> kEpochBits));
  }
  [[nodiscard]] constexpr std::uint64_t epoch() const { return bits_ & kOngoing; }
  [[nodiscard]] constexpr bool is_none() const { return bits_ == 0; }
  friend constexpr bool operator==(StreamUse, StreamUse) = default;

  /// Takes the later epoch of two of one stream.
  constexpr void be_no_earlier_than(StreamUse other) { bits_ = std::max(bits_, other.bits_); }

  /// For `UseSet`, which reads and writes one as a whole while others do.
  [[nodiscard]] constexpr std::uint64_t& bits() { return bits_; }

 private:
  std::uint64_t bits_ = 0;
};

/// The last use by each stream; one entry a stream. Two stand in place, the rare others behind.
///
/// threads  the pool's lock; `try_add_ongoing` alone: anyone, while the block is leased
class UseSet {
 public:
  UseSet() = default;
  UseSet(const UseSet& from) { *this = from; }
  UseSet& operator=(const UseSet& from) {
    first_ = from.first_;
    second_ = from.second_;
    if (more_ || from.more_) [[unlikely]] {
      more_ = from.more_ ? std::make_unique<std::vector<StreamUse>>(*from.more_) : nullptr;
    }
    return *this;
  }
  ~UseSet() = default;

  /// The block is leased for `home`; older uses are behind it from now on.
  void begin(StreamId home) { become(StreamUse(home, StreamUse::kOngoing)); }

  /// This use, and no other.
  void become(StreamUse use) {
    first_ = use;
    second_ = StreamUse();
    if (more_) [[unlikely]] {
      more_.reset();
    }
  }

  /// The stream that the block is leased for.
  [[nodiscard]] StreamId home() const { return first_.stream(); }

  /// Whether `stream` alone uses the leased block.
  [[nodiscard]] bool is_only_ongoing(StreamId stream) const {
    return first_ == StreamUse(stream, StreamUse::kOngoing) && second_.is_none();
  }

  /// Adds a stream to a leased block's users. False where there is no place left for it: it must
  /// then be added by `add_ongoing`, under the pool's lock.
  [[nodiscard]] bool try_add_ongoing(StreamId stream) {
    const StreamUse use(stream, StreamUse::kOngoing);
    if (first_ == use) {
      return true;
    }
    // Why relaxed: handing the block back publishes it.
    const std::atomic_ref second(second_.bits());
    std::uint64_t seen = second.load(std::memory_order_relaxed);
    if (seen == 0 &&
        second.compare_exchange_strong(seen, StreamUse(use).bits(), std::memory_order_relaxed)) {
      return true;
    }
    return seen == StreamUse(use).bits();
  }

  void add_ongoing(StreamId stream) {
    // Why tried again: others may fill the second place meanwhile, and it is read by `try_` alone.
    if (try_add_ongoing(stream)) {
      return;
    }
    if (!more_) {
      more_ = std::make_unique<std::vector<StreamUse>>();
    }
    const StreamUse use(stream, StreamUse::kOngoing);
    if (std::find(more_->begin(), more_->end(), use) == more_->end()) {
      more_->push_back(use);
    }
  }

  /// Calls `visit(StreamId)` for each stream that uses the leased block, while others may add to them.
  template <class Visit>
  void for_each_ongoing(Visit visit) {
    visit(first_.stream());
    const std::uint64_t second = std::atomic_ref(second_.bits()).load(std::memory_order_relaxed);
    if (second != 0) visit(static_cast<StreamId>(second >> StreamUse::kEpochBits));
    if (more_) {
      for (const StreamUse use : *more_) visit(use.stream());
    }
  }

  /// Adds a use, or makes that stream's use later.
  void add(StreamUse use) {
    if (first_.is_none()) {
      first_ = use;
    } else if (first_.stream() == use.stream()) {
      first_.be_no_earlier_than(use);
    } else {
      add_behind_first(use);
    }
  }

  void add_all(const UseSet& other) {
    other.for_each([&](StreamUse use) { add(use); });
  }

  /// Calls `visit(StreamUse&)`; `visit` may make the epoch another one.
  template <class Visit>
  void for_each(Visit visit) {
    if (!first_.is_none()) visit(first_);
    if (!second_.is_none()) visit(second_);
    if (more_) {
      std::for_each(more_->begin(), more_->end(), visit);
    }
  }
  template <class Visit>
  void for_each(Visit visit) const {
    if (!first_.is_none()) visit(first_);
    if (!second_.is_none()) visit(second_);
    if (more_) {
      for (const StreamUse use : *more_) visit(use);
    }
  }

  template <class Holds>
  [[nodiscard]] bool all_of(Holds holds) const {
    bool all = true;
    for_each([&](StreamUse use) { all = all && holds(use); });
    return all;
  }

  /// Forgets the uses for which `goes(StreamUse)` is true.
  template <class Goes>
  void erase_if(Goes goes) {
    const UseSet old(*this);
    clear();
    old.for_each([&](StreamUse use) {
      if (!goes(use)) add(use);
    });
  }

  void clear() { become(StreamUse()); }
  [[nodiscard]] bool is_empty() const { return first_.is_none() && second_.is_none(); }
  /// One stream and no more; `first()` is its use.
  [[nodiscard]] bool is_single() const { return !first_.is_none() && second_.is_none(); }
  [[nodiscard]] StreamUse first() const { return first_; }

 private:
  void add_behind_first(StreamUse use) {
    StreamUse* place = nullptr;
    for_each([&](StreamUse& old) { place = old.stream() == use.stream() ? &old : place; });
    if (place != nullptr) {
      place->be_no_earlier_than(use);
    } else if (second_.is_none()) {
      second_ = use;
    } else {
      if (!more_) {
        more_ = std::make_unique<std::vector<StreamUse>>();
      }
      more_->push_back(use);
    }
  }

  StreamUse first_;   // while leased: the stream it is leased for
  StreamUse second_;  // empty where there are no more
  std::unique_ptr<std::vector<StreamUse>> more_;
};

}  // namespace tenure
