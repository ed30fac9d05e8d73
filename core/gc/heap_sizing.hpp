// How far the oldest generation may grow before it is collected again: by what lives there, how fast
// it fills, and what marking costs. Numbers in, decisions out.
//
//   room / live
//     4 |                          .-------   r = bytes that come in a second / bytes that one second
//     2 |                .---''''                 of marking covers
//     1 |     .--'''
//   1/4 |----'
//       +----+-------+--------+---------+
//       r: 0.6 %    10 %     40 %     160 %
#pragma once

#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

/// One collection of the oldest generation.
struct OldCollection {
  Bytes grown;                 // since the one before it, until it began
  std::uint64_t apart_ns = 0;  // from that one's end until it began
  Bytes marked;                // that it left
  std::uint64_t work_ns = 0;  // that it took: the stop, the slices, or the background thread's time
};

/// source  Kirisame, Shenoy, Panchekha, "Optimal heap limits for reducing browser memory use" (OOPSLA
///         2022): of heaps that share a memory each gets room by the square root of its live size,
///         its rate and its marking cost. Here the root is of rate and cost alone and the room in
///         proportion to what lives, so that a heap's share of time in marking does not depend on
///         its size: at r = 10 %, room for as much as lives, and marking takes 10 % of the time.
class HeapSizing {
 public:
  /// Collections that somebody asked for at once after another say nothing, and are not learnt from.
  void learn(const OldCollection& collection);

  /// What may come to `live` bytes before the next collection.
  [[nodiscard]] Bytes room(Bytes live) const;

 private:
  static constexpr double kShare = 0.1;  // of time, where room is as much as lives
  static constexpr double kLeastRoom = 0.25;
  static constexpr double kMostRoom = 4.0;
  static constexpr double kForget = 0.5;               // weight of the newest collection
  static constexpr std::uint64_t kWorthLearning = 32;  // grown by a 32nd, at least
  // Until something was learnt: some 50 ns for an object of 24 bytes, and a rate that makes it 10 %.
  static constexpr double kFirstNsPerByte = 2.0;

  double ns_per_byte_ = kFirstNsPerByte;
  double bytes_per_ns_ = kShare / kFirstNsPerByte;
};

}  // namespace tenure
