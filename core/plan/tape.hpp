// What a pool leased and took back of late, and whether it repeats: the ground for planning.
//
// Time is counted in leases. A block lives from its own lease up to the first one that comes after it
// was handed back. Leases are compared by a key of size, stream and site.
//
// An iteration is found in two ways: as many leases in a row equalled those one period before as the
// period has; or the pool was empty, as it was before, and what lies in between may come again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace tenure {

/// What repeats. [leases] in order; the first follows the last.
struct Iteration {
  std::vector<std::uint64_t> keys;
  std::vector<std::uint64_t> bytes;  // as the pool rounds
  std::vector<std::uint32_t> lives;  // in leases, at most as many as there are; 0: lives on
  bool from_empty = false;           // nothing lives at its beginning
};

/// threads  the pool's lock
class Tape {
 public:
  Tape();

  /// A block was leased. Gives the lease's number.
  std::uint64_t lease(std::uint64_t key, std::uint64_t bytes) {
    const std::uint64_t now = next_++;
    if (now - oldest_ > mask_) {
      if (mask_ == kMostRows - 1) [[likely]] {
        ++oldest_;
      } else {
        make_room();
      }
    }
    // Why ahead: handing back waits until what was stored before it has its line, and the tape is
    // longer than a cache.
    __builtin_prefetch(&rows_[(now + kAhead) & mask_], 1);
    rows_[now & mask_] = {key, bytes};
    context_ = context_ * kBase + key - key_before(now, kContext) * kBaseToContext;
    episode_hash_ = episode_hash_ * kBase + key;
    if (is_looking_) {
      if (has_candidates_) {
        compare(now, key);
      }
      Met& met = met_[(context_ >> 32) % kContexts];
      if (met.context == context_ && now - met.lease >= least_period_) [[unlikely]] {
        add_candidate(now - met.lease);
      }
      met = {context_, now};
    }
    return now;
  }

  /// The block of that lease was handed back.
  void give_back(std::uint64_t lease) {
    if (lease >= oldest_) {
      rows_[lease & mask_].set_life(next_ - lease);
    }
  }

  /// Forgets all leases, as some were not noted. That they are handed back is passed over.
  void abandon() {
    oldest_ = ++next_;
    context_ = 0;
    forget_candidates();
    found_ = {};
    episode_ = next_;
    episode_hash_ = 0;
  }

  /// Nothing lives: one episode ends and another begins. Twice is as good as once.
  ///
  /// returns  whether an episode was found that can be taken
  bool note_empty();

  /// Whether periods are looked for.
  void look(bool wanted) {
    is_looking_ = wanted;
    forget_candidates();
  }
  /// Only periods longer than so many leases are found from now on.
  void ignore_up_to(std::uint64_t period) { least_period_ = period + 1; }

  [[nodiscard]] bool has_found() const { return found_.leases != 0; }
  /// Leases of the iteration that was found; 0 where none was.
  [[nodiscard]] std::uint64_t found() const { return found_.leases; }
  /// What was found, and forgets that it was; none where too much of it is no longer known.
  ///
  /// cost   O(leases of the iteration)
  [[nodiscard]] std::optional<Iteration> take();
  /// Forgets what was found.
  void forget() { found_ = {}; }

  /// A number for the last few leases, in order; the same for the same keys.
  [[nodiscard]] std::uint64_t context() const { return context_; }
  [[nodiscard]] static std::uint64_t context_of(const std::vector<std::uint64_t>& round_before);
  /// A number for all leases of the last whole episode.
  [[nodiscard]] std::uint64_t last_episode() const { return last_episode_hash_; }

  /// The number of no lease that is known once a tape was abandoned.
  static constexpr std::uint64_t kNoLease = 0;
  static constexpr std::uint64_t kLeastPeriod = 16;  // leases; below, plain best fit does as well

 private:
  static constexpr std::uint64_t kContext = 8;
  static constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15u;
  static constexpr std::uint64_t kBaseToContext = [] {
    std::uint64_t power = 1;
    for (std::uint64_t k = 0; k < kContext; ++k) power *= kBase;
    return power;
  }();

  static constexpr std::size_t kContexts = std::size_t{1} << 12;
  // 4 MiB; longer iterations are not planned.
  static constexpr std::uint64_t kMostRows = std::uint64_t{1} << 18;
  static constexpr std::uint64_t kLongestLife = kMostRows - 1;  // that a row tells from longer ones
  static constexpr std::uint64_t kAhead = 32;                   // rows

  // Two words: a program's tape goes round in the cache.
  class Row {
   public:
    Row() = default;
    Row(std::uint64_t of, std::uint64_t bytes) : key(of), extent_(bytes) {}

    void set_life(std::uint64_t leases) {
      extent_ = bytes() | std::min(leases, kLongestLife) << kBytesBits;
    }
    [[nodiscard]] std::uint64_t bytes() const { return extent_ & kBytes; }
    [[nodiscard]] std::uint64_t life() const { return extent_ >> kBytesBits; }  // 0: goes on

    std::uint64_t key = 0;

   private:
    static constexpr std::uint32_t kBytesBits = 46;  // a pool counts to 2^45
    static constexpr std::uint64_t kBytes = (std::uint64_t{1} << kBytesBits) - 1;
    static_assert(kLongestLife <= ~std::uint64_t{0} >> kBytesBits);

    std::uint64_t extent_ = 0;
  };
  static_assert(sizeof(Row) == 16);

  // A period that the last leases had. `left`: leases until they will be another whole period.
  struct Candidate {
    std::uint64_t period = 0;  // 0: none
    std::uint64_t left = 0;
  };
  struct Met {
    std::uint64_t context = 0;
    std::uint64_t lease = 0;
  };
  struct Found {
    std::uint64_t first = 0;  // lease of the iteration that is copied
    std::uint64_t leases = 0;
    bool from_empty = false;
  };

  [[nodiscard]] const Row& row(std::uint64_t lease) const { return rows_[lease & mask_]; }
  [[nodiscard]] std::uint64_t key_before(std::uint64_t now, std::uint64_t distance) const {
    return now >= oldest_ + distance ? row(now - distance).key : 0;
  }
  void forget_candidates() {
    candidates_ = {};
    has_candidates_ = false;
  }
  void make_room();
  void compare(std::uint64_t now, std::uint64_t key);
  void add_candidate(std::uint64_t period);

  std::vector<Row> rows_;   // a ring; a power of two
  std::uint64_t mask_ = 0;  // of a lease's place in it
  std::uint64_t next_ = 0;
  std::uint64_t oldest_ = 0;  // lease that is still known
  std::uint64_t context_ = 0;
  std::vector<Met> met_;  // where a context was met last, by its hash
  std::array<Candidate, 4> candidates_{};
  bool has_candidates_ = false;
  std::uint64_t least_period_ = kLeastPeriod;
  bool is_looking_ = true;
  Found found_;
  std::uint64_t episode_ = 0;  // its first lease
  std::uint64_t episode_hash_ = 0;
  std::uint64_t last_episode_hash_ = 0;
};

}  // namespace tenure
