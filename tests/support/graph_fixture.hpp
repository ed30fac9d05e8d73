// A heap by itself with a model beside it: every object carries a number, the model knows which
// numbers it refers to, and a walk from the roots compares the two.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "core/gc/evacuation.hpp"
#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {

class GraphTest : public HeapTest {
 protected:
  using Id = std::uint32_t;  // 0: none
  static constexpr std::uint32_t kRoots = 16;

  GraphTest(const HeapOptions& options, std::uint64_t seed) : HeapTest(options), random_(seed) {
    for (detail::LocalLink& link : roots_) {
      link = {core.locals, ObjectIndex::kNull};
      core.locals = &link;
    }
  }
  ~GraphTest() override { core.locals = nullptr; }

  std::uint32_t draw(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }

  /// A node, young where there is room, that nothing refers to yet.
  ObjectIndex make_node(std::uint32_t references) {
    const std::uint32_t granules = 1 + (references + 1) / 2 + 1;
    const bool young =
        heap.has_nursery() && heap.young().nursery_used() + 512_KiB < heap.young().nursery_size();
    return enter(young ? make(references, granules) : make_old(references, granules), references);
  }
  /// The same, born old.
  ObjectIndex make_old_node(std::uint32_t references) {
    return enter(make_old(references, 1 + (references + 1) / 2 + 1), references);
  }

  /// Has `holder` refer to `target`, in the heap and in the model.
  void link(ObjectIndex holder, std::uint32_t slot, ObjectIndex target) {
    store(holder, slot, target);
    slots_in_model(holder)[slot] = target == ObjectIndex::kNull ? 0 : id_of(target);
  }
  ObjectIndex& root(std::uint32_t k) { return roots_[k].object; }

  /// An object that some steps lead to from a root, or null.
  ObjectIndex wander() {
    ObjectIndex at = root(draw(kRoots));
    for (std::uint32_t steps = draw(12); steps > 0 && at != ObjectIndex::kNull; --steps) {
      const std::uint32_t count = slot_count(at);
      const ObjectIndex next = count == 0 ? ObjectIndex::kNull : slots_of(at)[draw(count)];
      at = next == ObjectIndex::kNull ? at : next;
    }
    return at;
  }

  /// Walks the heap and the model side by side.
  ///
  /// returns  the objects that the roots reach
  std::uint64_t compare() {
    std::map<Id, ObjectIndex> seen;
    std::vector<ObjectIndex> queue;
    const auto reach = [&](ObjectIndex object) {
      const auto [known, fresh] = seen.try_emplace(id_of(object), object);
      EXPECT_EQ(known->second, object) << "node " << id_of(object) << " is there twice";
      if (fresh) {
        queue.push_back(object);
      }
    };
    for (const detail::LocalLink& link : roots_) {
      if (link.object != ObjectIndex::kNull) {
        reach(link.object);
      }
    }
    while (!queue.empty() && !::testing::Test::HasFailure()) {
      const ObjectIndex object = queue.back();
      queue.pop_back();
      const std::vector<Id>& expected = slots_in_model(object);
      EXPECT_EQ(slot_count(object), expected.size()) << "node " << id_of(object);
      for (std::uint32_t k = 0; k < expected.size(); ++k) {
        const ObjectIndex child = slots_of(object)[k];
        EXPECT_EQ(child == ObjectIndex::kNull ? 0 : id_of(child), expected[k])
            << "slot " << k << " of node " << id_of(object);
        if (child != ObjectIndex::kNull) {
          reach(child);
        }
      }
    }
    return seen.size();
  }

  static Id& id_of(ObjectIndex object) {
    const std::uint32_t size = detail::header_of(object).size;
    return *reinterpret_cast<Id*>(detail::address_of(object) +
                                  std::size_t{size - 1} * kGranuleBytes);
  }
  std::vector<Id>& slots_in_model(ObjectIndex object) { return model_.at(id_of(object) - 1); }

 private:
  ObjectIndex enter(ObjectIndex object, std::uint32_t references) {
    std::fill_n(slots_of(object), references, ObjectIndex::kNull);
    model_.emplace_back(references);
    id_of(object) = static_cast<Id>(model_.size());
    return object;
  }

  std::mt19937_64 random_;
  std::array<detail::LocalLink, kRoots> roots_;
  std::vector<std::vector<Id>> model_;  // the references of node k + 1
};

}  // namespace tenure::testing
