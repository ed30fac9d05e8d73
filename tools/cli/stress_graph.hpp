// A random graph held twice: in the heap, and in plain vectors that no collector touches. Each
// operation is done to both; every step down a path compares them. Several graphs, each with a
// thread of its own, share a heap, and post parts of theirs to each other.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
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

/// Collects everything, compares what is left with `wanted`, and verifies the heap.
///
/// returns  what is wrong, in a sentence; empty where nothing is
/// threads  while no graph changes
[[nodiscard]] std::string compare_heap(Runtime& runtime, const StressCounts& wanted);

using StressId = std::uint64_t;  // 0: none

/// A vertex as no collector sees it.
struct Shadow {
  StressId first = 0;
  StressId second = 0;
  std::vector<StressId> fan;
  bool has_fan = false;
  bool has_tensor = false;
  bool has_bytes = false;  // not released
};

/// Chains of vertices on their way from one graph to another.
///
/// threads  anyone
class StressMail {
 public:
  struct Letter {
    Handle<Vertex> first;
    StressId first_id = 0;
    std::unordered_map<StressId, Shadow> shadows;
  };

  void post(Letter letter) {
    const std::scoped_lock lock(mutex_);
    letters_.push_back(std::move(letter));
  }
  [[nodiscard]] std::optional<Letter> take() {
    const std::scoped_lock lock(mutex_);
    if (letters_.empty()) {
      return std::nullopt;
    }
    Letter letter = std::move(letters_.back());
    letters_.pop_back();
    return letter;
  }

 private:
  std::mutex mutex_;
  std::vector<Letter> letters_;  // guarded by mutex_
};

/// threads  one at a time: that of the mutator it was told to work with; without one, anyone
class StressGraph {
 public:
  /// number   of the graph, so that no two give the same id
  /// mail     null where it is the only graph; outlives it
  StressGraph(Runtime& runtime, std::uint64_t seed, std::uint32_t number, StressMail* mail);
  StressGraph(const StressGraph&) = delete;
  StressGraph& operator=(const StressGraph&) = delete;
  ~StressGraph();

  /// From here on steps are this mutator's thread's.
  void work_with(Mutator& mutator) { mutator_ = &mutator; }

  /// Does one operation, drawn from the seed.
  ///
  /// returns  what is wrong, in a sentence; empty where nothing is
  [[nodiscard]] std::string step();

  /// Compares every vertex that can be reached with its shadow.
  [[nodiscard]] std::string compare_all();

  /// What there has to be; forgets the shadows of what cannot be reached.
  [[nodiscard]] StressCounts count();

  /// Drops every root, so that nothing may be left.
  void drop_all();

 private:
  using Id = StressId;
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
  [[nodiscard]] std::string compact();
  [[nodiscard]] std::string check_pins() const;
  void pin(const Place& at);
  void keep_in_table(const Place& at);
  void drop_root();
  void post();
  void take_mail();
  [[nodiscard]] std::vector<Id> reachable() const;

  Runtime& runtime_;
  Mutator* mutator_ = nullptr;
  StressMail* mail_;
  std::mt19937_64 random_;
  std::uint64_t steps_ = 0;
  Id next_id_ = 1;
  std::unordered_map<Id, Shadow> shadow_;
  std::vector<std::pair<Handle<Vertex>, Id>> roots_;
  struct Pin {
    Pinned<Vertex> vertex;
    const Vertex* address;
    Id id;
  };
  std::vector<Pin> pins_;
  // A table that a root callback names: bare pointers, rewritten as their objects move.
  std::vector<Vertex*> table_;
  std::vector<Id> table_ids_;  // [table_]
  RootCallbackId callback_;
};

}  // namespace tenure::cli
