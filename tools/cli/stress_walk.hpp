// A walk through the heap and the ledger at once, which says where they differ.
//
// No safepoint is met in it, so that bare pointers stay good.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_map.hpp"
#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// What is wrong with a vertex by itself, or nothing.
[[nodiscard]] std::string check_vertex(const StressLedger& ledger, const Vertex& vertex,
                                       StressId id);

/// threads  one at a time
class StressWalk {
 public:
  /// What to do about the weak map.
  enum class Entries {
    kLeave,   // the keys are dead: there may be entries and may be none
    kFollow,  // the keys can be reached, and have their entries
    kSettle,  // the keys came back from the dead: entries that are gone are forgotten
  };

  StressWalk(Mutator& mutator, StressLedger& ledger, const StressMap& map, Entries entries)
      : mutator_(mutator), ledger_(ledger), map_(map), entries_(entries) {}

  /// Takes vertices for visited.
  void pass_by(const StressSet& seen) { seen_.insert(seen.begin(), seen.end()); }

  /// Visits all that `vertex` leads to.
  ///
  /// returns  what is wrong, or nothing
  [[nodiscard]] std::string visit(const Vertex* vertex, StressId id);

  /// Visited by this walk.
  [[nodiscard]] const std::vector<StressId>& visited() const { return visited_; }
  [[nodiscard]] const StressSet& seen() const { return seen_; }

 private:
  void reach(const Vertex* vertex, StressId id);
  [[nodiscard]] std::string read(const Vertex* vertex, StressId id);
  [[nodiscard]] std::string read_entry(const Vertex* vertex, StressId id);

  Mutator& mutator_;
  StressLedger& ledger_;
  const StressMap& map_;
  Entries entries_;
  StressSet seen_;
  std::vector<StressId> visited_;
  std::vector<std::pair<const Vertex*, StressId>> waiting_;
};

}  // namespace tenure::cli
