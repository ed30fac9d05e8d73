// The oracle: a graph as no collector sees it, in plain containers, with a walk of its own. It must
// not know the heap.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tenure::cli {

using StressId = std::uint64_t;  // 0: none

/// A vertex.
struct Shadow {
  StressId first = 0;
  StressId second = 0;
  std::vector<StressId> fan;
  bool has_fan = false;
  bool has_tensor = false;
  bool has_bytes = false;  // not released
};

/// What a full collection has to leave.
struct StressCounts {
  std::uint64_t vertices = 0;
  std::uint64_t fans = 0;
  std::uint64_t tensors = 0;
  std::uint64_t payloads = 0;

  void add(const StressCounts& other) {
    vertices += other.vertices;
    fans += other.fans;
    tensors += other.tensors;
    payloads += other.payloads;
  }
};

using StressSet = std::unordered_set<StressId>;

/// threads  one at a time
class StressLedger {
 public:
  [[nodiscard]] Shadow& at(StressId id) { return shadows_.at(id); }
  [[nodiscard]] const Shadow& at(StressId id) const { return shadows_.at(id); }
  [[nodiscard]] bool has(StressId id) const { return shadows_.contains(id); }
  void add(StressId id) { shadows_.emplace(id, Shadow{}); }

  /// For a vertex that moves from one graph to another.
  [[nodiscard]] auto take_out(StressId id) { return shadows_.extract(id); }
  void take_in(std::unordered_map<StressId, Shadow>& from) { shadows_.merge(from); }

  /// The weak map: a key's value, which may be 0. An entry keeps its value while its key is reached.
  [[nodiscard]] std::unordered_map<StressId, StressId>& entries() { return entries_; }
  [[nodiscard]] const std::unordered_map<StressId, StressId>& entries() const { return entries_; }

  /// All that `roots` lead to, through edges and through entries.
  [[nodiscard]] StressSet reach(const std::vector<StressId>& roots) const;

  /// Entries whose keys are in `reached`.
  [[nodiscard]] std::uint64_t entries_in(const StressSet& reached) const;

  [[nodiscard]] StressCounts count(const StressSet& reached) const;

  /// Forgets all vertices and entries but those of `kept`.
  void forget_all_but(const StressSet& kept);

 private:
  std::unordered_map<StressId, Shadow> shadows_;
  std::unordered_map<StressId, StressId> entries_;
};

}  // namespace tenure::cli
