// Whether to collect before a pool grows. The bytes that objects came to own since a collection are
// the most that it could give back; they are weighed against all that is leased, and against what
// the last collection of that kind gave back of them.
//
// Numbers in, decisions out: no clock, no thread.
#pragma once

#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

enum class PayloadAdvice : std::uint8_t { kGrow, kCollectYoung, kCollectFull };

/// threads  one at a time
class PayloadTrigger {
 public:
  /// What to do when the pool has no room without growing.
  ///
  /// owned    bytes that objects ever came to own, less those they released themselves
  /// leased   by the pool, to objects or not
  /// now_ns   since any fixed moment
  [[nodiscard]] PayloadAdvice advise(Bytes owned, Bytes leased, std::uint64_t now_ns) const;

  /// What objects came to own since the last full collection: the most that one could give back.
  [[nodiscard]] Bytes owned_since_full(Bytes owned) const { return full_.owned_since(owned); }

  /// A collection: what objects owned when it began, what it gave back, and when it was.
  struct Outcome {
    Bytes owned{};
    Bytes retired{};
    std::uint64_t took_ns = 0;
    std::uint64_t ended_ns = 0;
  };
  void learn_young(const Outcome& outcome);
  void learn_full(const Outcome& outcome);
  /// A full collection that was not done for payloads: whether it paid says nothing here.
  void settle_full(Bytes owned);

 private:
  // One kind of collection. It is due once the bytes owned since the last one pass a share of what
  // is leased; the share doubles when a collection gave back little, and halves when it gave much.
  // It may not grow far: a pool that grows by shares of itself is looked at a few dozen times from
  // its first mebibyte to its last, whether that pays or not. And one that is no trifle waits until
  // the program had the time that makes it a twentieth: memory is cheaper, until there is none.
  struct Kind {
    std::uint32_t share;  // parts in kWhole
    std::uint32_t least;
    std::uint32_t most;
    Bytes owned_then{};  // at the last one
    std::uint64_t rests_until_ns = 0;

    [[nodiscard]] Bytes owned_since(Bytes owned) const;
    [[nodiscard]] bool is_due(Bytes owned, Bytes leased, std::uint64_t now_ns) const;
    void learn(const Outcome& outcome);
  };

  static constexpr std::uint32_t kWhole = 64;

  static constexpr std::uint64_t kTrifle = 1'000'000;  // ns
  static constexpr std::uint64_t kRestsTimes = 19;     // what it took: a share of 1 in 20

  // Below this, growing costs less than looking.
  static constexpr Bytes kNotWorthIt{1u << 20};

  // Together they bound the garbage at a peak to 3/16 of what lives. Measured: over 26 traces of
  // training and inference, collected lifetimes reserve 1.00 to 1.16 x what explicit frees do; with
  // shares of up to a half each it was up to 1.91 x.
  Kind young_{.share = 4, .least = 2, .most = 4};
  Kind full_{.share = 8, .least = 4, .most = 8};
};

}  // namespace tenure
