// The weak references that a random graph holds, each with the id that it may lead to.
//
// One whose target was found dead is null for good, also where a finalizer brings the target back:
// the graph says so by `forget_null`, and no longer expects it to lead anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// Calls that give a sentence say what is wrong, or nothing.
///
/// threads  one at a time
class StressWeak {
 public:
  struct Entry {
    Weak<Vertex> vertex;
    StressId id;
  };
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool may_grow() const { return entries_.size() < kMost; }
  [[nodiscard]] const Entry& operator[](std::size_t place) const { return entries_[place]; }

  /// place    `size()` to add one
  void take(std::size_t place, const Local<Vertex>& vertex, StressId id);
  void drop(std::size_t place);

  /// Whether all that should lead to a vertex that can be reached do.
  [[nodiscard]] std::string check(Mutator& mutator, const Local<Vertex>& vertex, StressId id) const;
  /// The same for all that can be reached; those null that cannot are dropped.
  ///
  /// is_full  nothing happened since a full collection: what cannot be reached is null
  [[nodiscard]] std::string check_all(Mutator& mutator, const StressSet& reached, bool is_full);
  /// Whether none leads to a vertex that died.
  [[nodiscard]] std::string check_dead(StressId id) const;
  /// Whether all are null: their runtime has been closed.
  [[nodiscard]] std::string check_closed() const;

  /// Drops those of a vertex that came back which did not come back with it.
  void forget_null(StressId id);
  void clear() { entries_.clear(); }

 private:
  static constexpr std::size_t kMost = 100;
  std::vector<Entry> entries_;
};

}  // namespace tenure::cli
