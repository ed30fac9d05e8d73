// A walk over a program's own objects by their own members: what a snapshot is held against. It knows
// nothing of how a heap finds references.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "tenure/runtime.hpp"

namespace tenure::testing {

struct Vertex;

/// References of every form: members of a type with names, of one without, and an array's.
struct Leaf {
  std::int64_t value = 0;
};
struct Vertex {
  Ref<Vertex> left;
  Ref<Vertex> right;
  Ref<RefArray<Vertex>> many;
  Ref<Leaf> leaf;
  std::int64_t value = 0;
  static auto tenure_type() {
    return describe("Vertex", &Vertex::left, &Vertex::right, &Vertex::many, &Vertex::leaf)
        .named("left", "right", "many", "leaf");
  }
};

/// Places of objects, with their edges (slot, place) and their distance from the nearest root.
class ObjectWalk {
 public:
  using Edges = std::vector<std::pair<std::uint32_t, ObjectIndex>>;
  struct Found {
    Edges edges;
    std::uint32_t distance = 0;
  };

  void root(const Vertex* vertex) { reach(vertex, 0); }
  /// Breadth first, from the roots named so far.
  void run() {
    for (std::size_t k = 0; k < queue_.size(); ++k) {
      const Item item = queue_[k];
      if (item.vertex != nullptr) {
        follow(*item.vertex, item.distance);
      } else {
        follow(*item.array, item.distance);
      }
    }
  }
  [[nodiscard]] const std::map<ObjectIndex, Found>& found() const { return found_; }

 private:
  struct Item {
    const Vertex* vertex = nullptr;
    const RefArray<Vertex>* array = nullptr;
    std::uint32_t distance = 0;
  };
  bool enter(const void* object, std::uint32_t distance) {
    return found_.emplace(detail::object_at(object), Found{{}, distance}).second;
  }
  void reach(const Vertex* vertex, std::uint32_t distance) {
    if (vertex != nullptr && enter(vertex, distance)) {
      queue_.push_back({.vertex = vertex, .distance = distance});
    }
  }
  void follow(const Vertex& from, std::uint32_t distance) {
    Edges edges;
    const auto note = [&](std::uint32_t slot, ObjectIndex target) {
      if (target != ObjectIndex::kNull) {
        edges.emplace_back(slot, target);
      }
    };
    note(0, from.left.index());
    note(1, from.right.index());
    note(2, from.many.index());
    note(3, from.leaf.index());
    reach(from.left.get(), distance + 1);
    reach(from.right.get(), distance + 1);
    if (const RefArray<Vertex>* const many = from.many.get();
        many != nullptr && enter(many, distance + 1)) {
      queue_.push_back({.array = many, .distance = distance + 1});
    }
    if (const Leaf* const leaf = from.leaf.get(); leaf != nullptr) {
      enter(leaf, distance + 1);
    }
    found_[detail::object_at(&from)].edges = std::move(edges);
  }
  void follow(const RefArray<Vertex>& from, std::uint32_t distance) {
    Edges edges;
    for (std::uint32_t slot = 0; slot < from.size(); ++slot) {
      if (from[slot]) {
        edges.emplace_back(slot, from[slot].index());
        reach(from[slot].get(), distance + 1);
      }
    }
    found_[detail::object_at(&from)].edges = std::move(edges);
  }

  std::map<ObjectIndex, Found> found_;
  std::vector<Item> queue_;
};

/// Vertices that refer to each other at random, kept by handles.
class RandomVertices {
 public:
  RandomVertices(Mutator& mutator, std::uint64_t seed) : mutator_(mutator), random_(seed) {}

  std::uint32_t draw(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }
  /// Makes `count` more, each linked at random, and keeps some of all.
  void grow(std::uint32_t count) {
    for (std::uint32_t k = 0; k < count; ++k) {
      const Local<Vertex> vertex = make<Vertex>(mutator_);
      vertex->left = any();
      vertex->right = any();
      if (draw(4) == 0) {
        vertex->leaf = make<Leaf>(mutator_);
      }
      if (draw(8) == 0) {
        // Now and then one that is no cell's.
        const Local<RefArray<Vertex>> many =
            make_array<Vertex>(mutator_, draw(40) == 0 ? 9000 : 1 + draw(200));
        for (std::uint32_t slot = 0; slot < many->size(); slot += 1 + draw(9)) {
          (*many)[slot] = any();
        }
        vertex->many = many;
      }
      if (Vertex* const holder = any(); holder != nullptr) {
        (draw(2) == 0 ? holder->left : holder->right) = vertex;  // cycles, and garbage
      }
      if (kept_.size() < kKept) {
        kept_.emplace_back(vertex);
      } else {
        kept_[draw(kKept)] = Handle<Vertex>(vertex);
      }
    }
  }
  void walk(ObjectWalk& walk) const {
    for (const Handle<Vertex>& handle : kept_) {
      walk.root(handle.get());
    }
    walk.run();
  }
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }

 private:
  static constexpr std::uint32_t kKept = 12;

  Vertex* any() {
    if (kept_.empty()) {
      return nullptr;
    }
    Vertex* at = kept_[draw(static_cast<std::uint32_t>(kept_.size()))].get();
    for (std::uint32_t steps = draw(6); steps > 0; --steps) {
      Vertex* const next = draw(2) == 0 ? at->left.get() : at->right.get();
      at = next == nullptr ? at : next;
    }
    return at;
  }

  Mutator& mutator_;
  std::mt19937_64 random_;
  std::vector<Handle<Vertex>> kept_;
};

}  // namespace tenure::testing
