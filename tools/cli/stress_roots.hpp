// What holds a random graph from outside: handles, pins, and a table that a root callback names.
// Each with the id that it should lead to.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// threads  one at a time
class StressRoots {
 public:
  explicit StressRoots(Runtime& runtime);
  StressRoots(const StressRoots&) = delete;
  StressRoots& operator=(const StressRoots&) = delete;
  ~StressRoots();

  using Root = std::pair<Handle<Vertex>, StressId>;
  [[nodiscard]] bool is_empty() const { return roots_.empty(); }
  [[nodiscard]] bool has_many() const { return roots_.size() >= kMostRoots; }
  [[nodiscard]] std::size_t size() const { return roots_.size(); }
  [[nodiscard]] const Root& operator[](std::size_t place) const { return roots_[place]; }
  void add(Handle<Vertex> vertex, StressId id) { roots_.emplace_back(std::move(vertex), id); }
  void drop(std::size_t place);

  [[nodiscard]] std::size_t pins() const { return pins_.size(); }
  [[nodiscard]] bool may_pin() const { return pins_.size() < kMostPins; }
  void pin(const Local<Vertex>& vertex, StressId id);
  void unpin(std::size_t place);
  /// What is wrong with the pins, or nothing.
  [[nodiscard]] std::string check_pins() const;

  [[nodiscard]] std::size_t table_size() const { return table_.size(); }
  [[nodiscard]] bool may_grow_table() const { return table_.size() < kMostInTable; }
  /// place    `table_size()` to add one
  void keep_in_table(std::size_t place, const Local<Vertex>& vertex, StressId id);

  void clear();

  /// Ids of all roots, some of them several times.
  [[nodiscard]] std::vector<StressId> ids() const;
  /// Calls `visit(const Vertex*, StressId)` for each root.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [handle, id] : roots_) {
      visit(static_cast<const Vertex*>(handle.get()), id);
    }
    for (const Pin& pin : pins_) {
      visit(pin.address, pin.id);
    }
    for (std::size_t k = 0; k < table_.size(); ++k) {
      visit(static_cast<const Vertex*>(table_[k]), table_ids_[k]);
    }
  }

 private:
  static constexpr std::size_t kMostRoots = 200;
  static constexpr std::size_t kMostPins = 8;
  static constexpr std::size_t kMostInTable = 50;
  struct Pin {
    Pinned<Vertex> vertex;
    const Vertex* address;
    StressId id;
  };

  Runtime& runtime_;
  std::vector<Root> roots_;
  std::vector<Pin> pins_;
  std::vector<Vertex*> table_;       // bare pointers, rewritten as their objects move
  std::vector<StressId> table_ids_;  // [table_]
  RootCallbackId callback_;
};

}  // namespace tenure::cli
