// What refers to what in the dynamic door, against walks over the test's own edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tests/support/facade_fixture.hpp"

namespace tenure {
namespace {

// Reachable objects and cycles by walks over the test's own edges.
class SeededGraph {
 public:
  SeededGraph(GarbageCollector& gc, std::uint64_t seed) : random_(seed) {
    for (std::size_t k = 0; k < kObjects; ++k) {
      objects.push_back(make(gc, kSlots));
      edges.emplace_back();
    }
    for (std::size_t k = 0; k < kObjects; ++k) {
      for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        if (random_() % 3 == 0) {
          const std::size_t to = random_() % kObjects;
          link(gc, objects[k], slot, objects[to]);
          edges[k].push_back(to);
        }
      }
    }
  }

  std::set<std::size_t> reach(std::size_t from) const {
    std::set<std::size_t> seen{from};
    std::vector<std::size_t> left{from};
    while (!left.empty()) {
      const std::size_t at = left.back();
      left.pop_back();
      for (const std::size_t to : edges[at]) {
        if (seen.insert(to).second) left.push_back(to);
      }
    }
    return seen;
  }

  /// Sizes of components, and of objects that refer to themselves, the smallest first.
  std::multiset<std::size_t> cycles() const {
    std::vector<std::set<std::size_t>> reached;
    for (std::size_t k = 0; k < kObjects; ++k) reached.push_back(reach(k));
    std::set<std::set<std::size_t>> components;
    for (std::size_t k = 0; k < kObjects; ++k) {
      std::set<std::size_t> together;
      for (const std::size_t to : reached[k]) {
        if (reached[to].count(k) > 0) together.insert(to);
      }
      const bool refers_to_itself = std::count(edges[k].begin(), edges[k].end(), k) > 0;
      if (together.size() > 1 || refers_to_itself) components.insert(together);
    }
    std::multiset<std::size_t> sizes;
    for (const auto& component : components) sizes.insert(component.size());
    return sizes;
  }

  static constexpr std::size_t kObjects = 40;
  static constexpr std::uint32_t kSlots = 4;
  std::vector<Handle<GcObject>> objects;
  std::vector<std::vector<std::size_t>> edges;

 private:
  std::mt19937_64 random_;
};

TEST(ReferenceTracker, EqualsAnIndependentWalkOf200SeededGraphs) {
  GarbageCollector gc = open();
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const SeededGraph graph(gc, seed);
    if (seed % 10 == 0) value_or_throw(gc.collect(0));
    const auto found =
        value_or_throw(gc.reference_tracker().get_reachable_objects(graph.objects[0]));
    std::set<const GcObject*> expected;
    for (const std::size_t k : graph.reach(0)) expected.insert(graph.objects[k].get());
    std::set<const GcObject*> got;
    for (const Handle<GcObject>& object : found) got.insert(object.get());
    ASSERT_EQ(got, expected) << "seed " << seed;
    ASSERT_EQ(found.size(), expected.size()) << "each once; seed " << seed;

    std::multiset<std::size_t> sizes;
    for (const ReferenceCycle& cycle : value_or_throw(gc.reference_tracker().find_cycles())) {
      sizes.insert(cycle.objects);
      ASSERT_EQ(cycle.types, (std::map<std::string, std::uint64_t>{{"array", cycle.objects}}));
    }
    ASSERT_EQ(sizes, graph.cycles()) << "seed " << seed;
  }
}

TEST(ReferenceTracker, FollowsAListOfAMillionAndCallsALoneRootNoCycle) {
  GarbageCollector gc = open({.young_gen_size_mb = 64});
  Handle<GcObject> head = make(gc, 1);
  for (int k = 1; k < 1'000'000; ++k) {
    const Handle<GcObject> next = make(gc, 1);
    link(gc, next, 0, head);
    head = next;
  }
  const auto reached = value_or_throw(gc.reference_tracker().get_reachable_objects(head));
  EXPECT_EQ(reached.size(), 1'000'000u);
  EXPECT_TRUE(value_or_throw(gc.reference_tracker().find_cycles()).empty());
}

TEST(ReferenceTracker, SumsUpWhatIsAlive) {
  GarbageCollector gc = open();
  const auto one = make(gc, 1);
  const auto two = make(gc, 1, 100'000);
  link(gc, one, 0, two);
  link(gc, two, 0, one);
  const auto lone = value_or_throw(gc.allocate_string("alone"));
  (void)make(gc, 1, 50'000);  // dead

  const auto stats = value_or_throw(gc.reference_tracker().reference_stats());

  EXPECT_EQ(stats.reference_cycles_detected, 1u);
  EXPECT_EQ(stats.largest_cycle_size, 2u);
  EXPECT_EQ(stats.memory_usage_by_type.at("string"), Bytes{32});
  EXPECT_EQ(stats.memory_usage_by_type.at("array"), Bytes{32 + 24});
  EXPECT_GE(stats.memory_usage_by_type.at("Tensor"), Bytes{100'000});
  EXPECT_LT(stats.memory_usage_by_type.at("Tensor"), Bytes{101'000}) << "the dead do not count";
  ASSERT_TRUE(gc.reference_tracker().remove_reference(two, 0).ok());
  EXPECT_EQ(value_or_throw(gc.reference_tracker().reference_stats()).reference_cycles_detected, 0u);
}

}  // namespace
}  // namespace tenure
