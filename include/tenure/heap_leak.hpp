// Leaks of a program that collects: objects that roots still lead to, more of them each time one looks.
//
//   LeakWatch watch;
//   ... every now and then, when the program is as idle as it was the last time:
//   for (const HeapLeak& leak : watch.look(value_or_throw(take_snapshot(runtime)))) {
//     std::puts(to_string(leak).c_str());
//   }
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tenure/retention.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

/// A type of which there was more at each look.
struct HeapLeak {
  std::string type;
  HeldBytes before;  // of the type, at the first of the looks
  HeldBytes now;

  /// One that stands for them: of the largest that the holder dominates, the nearest to a root. And a
  /// shortest way to it.
  std::uint32_t object = kNoObject;
  std::string path;

  /// What dominates at least half of the type's bytes, and is no other object of the same kind further
  /// down: the cache, the list's head. kNoObject where only the roots together do.
  std::uint32_t holder = kNoObject;
  std::string holder_type;  // empty where there is none
  HeldBytes held;           // of the type, by the holder
};

/// "CacheEntry grew from 1 MiB to 4 MiB (4000 objects), held by Cache: handle -> Cache.entries -> ..."
[[nodiscard]] std::string to_string(const HeapLeak& leak);

/// What counts as one.
struct LeakOptions {
  std::uint32_t growths = 3;  // in a row, each look above the one before; 1 at least
  Bytes at_least{1u << 20};   // growth over all of them, heap and payloads
};

/// Keeps totals by type of the last looks, and no snapshot.
///
/// threads  one at a time
class LeakWatch {
 public:
  explicit LeakWatch(const LeakOptions& options = {}) : options_(options) {}

  /// Looks at one more snapshot. Garbage is not in it: no collection need come before.
  ///
  /// returns  the types that grew at each of the last looks, the most grown first; none until there
  ///          were `growths` looks before this one
  /// cost     a pass over the objects; where something grew, that of `find_retention` too
  [[nodiscard]] std::vector<HeapLeak> look(const HeapSnapshot& snapshot);

 private:
  LeakOptions options_;
  std::deque<std::vector<TypeTotals>> looks_;  // the last, the oldest first
};

}  // namespace tenure
