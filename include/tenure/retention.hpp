// What keeps what alive in a snapshot: dominators, retained sizes, totals, cycles, and what changed
// between two.
//
// An object dominates another if every way from a root to the other leads over it: were it gone, the
// other would be garbage. What an object retains is what it dominates, itself included.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tenure/snapshot.hpp"

namespace tenure {

/// A snapshot's dominator tree with what each object retains. Places as in the snapshot.
struct Retention {
  std::vector<std::uint32_t> dominator;  // the nearest; kNoObject: none but the roots together
  std::vector<HeldBytes> retained;

  /// Children in the tree before their parent: for sums from the leaves up.
  std::vector<std::uint32_t> leaves_first;
};

/// Finds the dominator tree, with all roots counted as one.
///
/// cost     O(edges * log objects), 40 bytes an object while it runs; no recursion, so that a list of
///          10^6 is as good as a tree
/// source   Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph",
///          TOPLAS 1.1, 1979, its simpler form
[[nodiscard]] Retention find_retention(const HeapSnapshot& snapshot);

/// What the objects of one type come to.
struct TypeTotals {
  std::string type;
  HeldBytes held;      // the objects themselves
  HeldBytes retained;  // what would be garbage without all of those that no other of the type
                       // retains: at least, since two of them may share what neither retains
};

/// By type, those that hold most first.
[[nodiscard]] std::vector<TypeTotals> totals_by_type(const HeapSnapshot& snapshot,
                                                     const Retention& retention);
/// The same with nothing retained, and without the cost of finding it.
[[nodiscard]] std::vector<TypeTotals> totals_by_type(const HeapSnapshot& snapshot);

/// By generation, then by age in it: as many rows as have objects.
struct AgeTotals {
  std::uint32_t generation = 0;
  std::uint32_t age = 0;
  HeldBytes held;
};
[[nodiscard]] std::vector<AgeTotals> totals_by_age(const HeapSnapshot& snapshot);

/// Objects each of which leads to each: a strongly connected component of two and more, or an object
/// that refers to itself.
struct ObjectCycle {
  std::vector<std::uint32_t> objects;  // by place
  HeldBytes held;
};

/// All of them, the largest by bytes first.
///
/// cost     O(objects + edges), no recursion
/// source   Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1.2, 1972
[[nodiscard]] std::vector<ObjectCycle> find_cycles(const HeapSnapshot& snapshot);

/// How a type changed between two snapshots.
struct TypeChange {
  std::string type;
  HeldBytes before;
  HeldBytes after;
  HeldBytes retained_before;
  HeldBytes retained_after;

  /// Bytes of heap and payloads, of the objects themselves.
  [[nodiscard]] std::int64_t growth() const;
};

/// Types of which anything changed, the most grown first. Types are told by their names.
[[nodiscard]] std::vector<TypeChange> compare(std::span<const TypeTotals> before,
                                              std::span<const TypeTotals> after);

}  // namespace tenure
