// A random graph held twice: in the heap, and in plain vectors that no collector touches. Each
// operation is done to both; every step down a path compares them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "tenure/make.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure::cli {

/// An object of the graph, as the heap holds it.
struct Vertex {
  Ref<Vertex> first;
  Ref<Vertex> second;
  Ref<RefArray<Vertex>> fan;  // any number more
  Ref<Tensor> tensor;         // whose first bytes are the vertex's id
  std::uint64_t id = 0;
  static auto tenure_type() {
    return describe("Vertex", &Vertex::first, &Vertex::second, &Vertex::fan, &Vertex::tensor);
  }
};

class StressGraph {
 public:
  StressGraph(Runtime& runtime, Mutator& mutator, std::uint64_t seed);

  /// Does one operation, drawn from the seed.
  ///
  /// returns  what is wrong, in a sentence; empty where nothing is
  [[nodiscard]] std::string step();

  /// Collects everything, and compares the whole graph and the count of every type.
  [[nodiscard]] std::string compare_all();

  /// Drops every root, so that nothing may be left.
  void drop_all();

 private:
  using Id = std::uint64_t;  // 0: none
  struct Shadow {
    Id first = 0;
    Id second = 0;
    std::vector<Id> fan;
    bool has_fan = false;
    bool has_tensor = false;
    bool has_bytes = false;  // not released
  };
  struct Place {
    Local<Vertex> vertex;
    Id id;
  };

  [[nodiscard]] std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  [[nodiscard]] std::string wrong(const std::string& what) const;

  [[nodiscard]] Place create();
  [[nodiscard]] std::optional<Place> wander(std::string& fault);
  [[nodiscard]] std::string check(const Vertex& vertex, Id id) const;
  [[nodiscard]] std::string follow(Local<Vertex>& at, Id& id);
  [[nodiscard]] std::string link(Place& from, const Place& to);
  [[nodiscard]] std::string give_fan(Place& to);
  [[nodiscard]] std::string give_tensor(Place& to);
  [[nodiscard]] std::string collect_some();
  void drop_root();
  [[nodiscard]] std::vector<Id> reachable() const;

  Runtime& runtime_;
  Mutator& mutator_;
  std::mt19937_64 random_;
  std::uint64_t steps_ = 0;
  Id next_id_ = 1;
  std::unordered_map<Id, Shadow> shadow_;
  std::vector<std::pair<Handle<Vertex>, Id>> roots_;
};

}  // namespace tenure::cli
