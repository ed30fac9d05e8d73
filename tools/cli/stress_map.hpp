// The weak map that a random graph holds; the ledger has its entries.
//
// An entry whose key died is gone, also where a finalizer brings the key back: the graph asks for it
// then, and forgets it with the map.
#pragma once

#include <optional>
#include <string>

#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// Calls that give a sentence say what is wrong, or nothing.
///
/// threads  one at a time
class StressMap {
 public:
  explicit StressMap(StressLedger& ledger) : ledger_(ledger) {}

  void set(Mutator& mutator, const Local<Vertex>& key, StressId key_id, const Local<Vertex>& value,
           StressId value_id);
  [[nodiscard]] std::string erase(const Local<Vertex>& key, StressId key_id);
  /// Ends the map, and begins an empty one.
  void replace(Mutator& mutator);

  /// Whether a key that can be reached has what it should have.
  ///
  /// value    null where it has no entry, or a null one
  [[nodiscard]] std::string find(Mutator& mutator, const Local<Vertex>& key, StressId key_id,
                                 Local<Vertex>& value) const;
  [[nodiscard]] bool has(const Local<Vertex>& key) const { return map_ && map_->has(key); }

  /// Whether a full collection has left the entries of `reached`, and no others.
  [[nodiscard]] std::string check_size(const StressSet& reached) const;
  /// Whether nothing is left: its runtime has been closed.
  [[nodiscard]] std::string check_closed() const;

 private:
  StressLedger& ledger_;
  std::optional<WeakMap<Vertex, Vertex>> map_;  // none before the first entry
};

}  // namespace tenure::cli
