// Objects that a profiler follows, by generation, so that a collection finds those that died by walking
// the ones it condemned, at a cost that goes with the samples.
//
// Invariant: each has one row, in the list of the generation it is in. A row keeps nothing alive: it is
// looked at once all is kept that is kept, finalizers' objects included.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "tenure/object.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// An object, and what it is called by whoever follows it.
struct SampledObject {
  ObjectIndex object = ObjectIndex::kNull;
  std::uint32_t sample = 0;
};

/// threads  stopped world
class SampledObjects {
 public:
  void add(std::uint32_t generation, SampledObject row) { rows_[generation].push_back(row); }

  /// Calls `visit(ObjectIndex&)` for each row.
  template <class Visit>
  void for_each(Visit& visit) {
    for (std::vector<SampledObject>& rows : rows_) {
      for (SampledObject& row : rows) {
        visit(row.object);
      }
    }
  }

  /// Keeps the rows of a generation for which `survives(ObjectIndex&)` is true, rewritten and filed under
  /// `generation_of` their object where it moved. The others are among the dead.
  template <class Survives, class GenerationOf>
  void settle(std::uint32_t generation, Survives survives, GenerationOf generation_of) {
    std::vector<SampledObject> rows = std::exchange(rows_[generation], {});
    for (SampledObject row : rows) {
      if (survives(row.object)) {
        add(generation_of(row.object), row);
      } else {
        dead_.push_back(row.sample);
      }
    }
  }

  /// The samples of those found dead since it was last asked.
  [[nodiscard]] std::vector<std::uint32_t> take_dead() { return std::exchange(dead_, {}); }

  void clear() {
    rows_ = {};
    dead_.clear();
  }

 private:
  std::array<std::vector<SampledObject>, kMaxGenerations> rows_;
  std::vector<std::uint32_t> dead_;
};

}  // namespace tenure
