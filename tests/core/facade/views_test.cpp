// The dynamic door's views: regions, generations, and what refers to what.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure {
namespace {

GarbageCollector open(const GcConfiguration& configuration = {.young_gen_size_mb = 1}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

Handle<GcObject> make(GarbageCollector& gc, std::uint32_t references, std::uint64_t size = 8) {
  return value_or_throw(gc.allocate(ObjectType::kArray, size, {.references = references}));
}

void link(GarbageCollector& gc, const Handle<GcObject>& from, std::uint32_t slot,
          const Handle<GcObject>& to) {
  ASSERT_TRUE(gc.reference_tracker().add_reference(from, slot, to).ok());
}

TEST(Regions, AddUpAndHoldWhatTheirAddressesSay) {
  GarbageCollector gc = open();
  GarbageCollector other = open();
  std::mt19937_64 random(23);
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 20'000; ++k) {
    held.push_back(make(gc, k % 500 == 0 ? 50'000 : 2, random() % 400));
    if (k % 1000 == 0) held.resize(held.size() * 3 / 4);
  }
  value_or_throw(gc.force_full_collection());
  held.push_back(make(gc, 0));

  const std::vector<HeapRegionUse> regions = gc.heap_manager().regions();

  std::uint64_t objects = 0;
  std::map<HeapRegionType, int> types;
  for (const HeapRegionUse& use : regions) {
    ASSERT_EQ(use.region.size, use.used_bytes + use.free_bytes + use.metadata);
    EXPECT_DOUBLE_EQ(use.utilization(), static_cast<double>(use.used_bytes.count()) /
                                            static_cast<double>(use.region.size.count()));
    objects += use.objects;
    ++types[use.region.type];
  }
  EXPECT_EQ(types.size(), 3u) << "young, old and large";
  EXPECT_EQ(objects, take_census(gc.runtime()).total.objects);
  for (const Handle<GcObject>& object : held) {
    const auto region = gc.heap_manager().get_region_for_address(object.get());
    ASSERT_TRUE(region.has_value());
    EXPECT_TRUE(region->contains_address(object.get()));
    EXPECT_EQ(region->generation, value_or_throw(gc.header(object)).generation);
    ASSERT_FALSE(other.heap_manager().get_region_for_address(object.get()).has_value());
  }
}

TEST(Regions, AnswerForAMillionRandomAddressesAsTheirTableDoes) {
  GarbageCollector gc = open();
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 3'000; ++k) {
    held.push_back(make(gc, k % 100 == 0 ? 60'000 : 1, 300));
  }
  const std::vector<HeapRegionUse> regions = gc.heap_manager().regions();
  const HeapManager manager = gc.heap_manager();
  const std::byte* const first = regions.front().region.address;
  const std::byte* const last = regions.back().region.address + regions.back().region.size.count();
  constexpr std::ptrdiff_t kAround = 16 << 20;
  std::mt19937_64 random(29);
  std::uniform_int_distribution<std::ptrdiff_t> offset(-kAround, last - first + kAround);

  for (int k = 0; k < 1'000'000; ++k) {
    const auto* const address =
        reinterpret_cast<const std::byte*>(reinterpret_cast<std::intptr_t>(first) + offset(random));
    const auto at = std::find_if(regions.begin(), regions.end(), [&](const HeapRegionUse& use) {
      return use.region.contains_address(address);
    });
    const std::optional<HeapRegion> found = manager.get_region_for_address(address);
    ASSERT_EQ(found.has_value(), at != regions.end()) << "seed 29, address " << k;
    if (found) {
      ASSERT_EQ(*found, at->region);
    }
  }
  EXPECT_FALSE(manager.get_region_for_address(nullptr).has_value());
  int local = 0;
  EXPECT_FALSE(manager.get_region_for_address(&local).has_value());
}

TEST(HeapManager, EndsAPayloadOnceAndByItsOwnCollectorAlone) {
  GarbageCollector gc = open();
  GarbageCollector other = open();
  const auto large = make(gc, 0, 1 << 20);
  const auto small = make(gc, 0, 100);
  const std::uint64_t before = gc.get_statistics().used_bytes;

  EXPECT_EQ(other.heap_manager().deallocate_object(large).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(gc.heap_manager().deallocate_object(small).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(gc.heap_manager().deallocate_object({}).failure().code, ErrorCode::kBadArgument);
  ASSERT_TRUE(gc.heap_manager().deallocate_object(large).ok());

  EXPECT_EQ(gc.get_statistics().used_bytes, before - (1 << 20));
  EXPECT_TRUE(large->bytes().empty());
  EXPECT_FALSE(large->writable_bytes().ok());
  EXPECT_EQ(gc.heap_manager().deallocate_object(large).failure().code, ErrorCode::kBadArgument);
  value_or_throw(gc.force_full_collection());
}

TEST(HeapManager, SetsTheThresholdFromTheNextAllocationOn) {
  GarbageCollector gc = open();
  const auto before = make(gc, 0, 5'000);

  ASSERT_TRUE(gc.heap_manager().set_large_object_threshold(4).ok());

  const auto after = make(gc, 0, 5'000);
  EXPECT_FALSE(before->has_payload());
  EXPECT_TRUE(after->has_payload());
  EXPECT_FALSE(gc.heap_manager().set_large_object_threshold(0).ok());
}

TEST(HeapManager, CompactsWhatItIsAskedTo) {
  GarbageCollector gc =
      open({.young_gen_size_mb = 1, .mode = GcMode::kManual, .compaction_threshold = 1.0});
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 40'000; ++k) {
    auto made = make(gc, 0, 200);
    value_or_throw(made->writable_bytes())[0] = static_cast<std::byte>(k);
    if (k % 8 == 0) held.push_back(std::move(made));
  }
  value_or_throw(gc.force_full_collection());
  const double before = gc.get_statistics().fragmentation_ratio;
  std::vector<const GcObject*> addresses;
  for (const auto& object : held) addresses.push_back(object.get());

  value_or_throw(gc.heap_manager().compact_heap(HeapRegionType::kOldGeneration));

  std::size_t moved = 0;
  for (std::size_t k = 0; k < held.size(); ++k) {
    moved += held[k].get() != addresses[k] ? 1 : 0;
    ASSERT_EQ(held[k]->bytes()[0], static_cast<std::byte>(8 * k));
  }
  EXPECT_GT(before, 0.5);
  EXPECT_LT(gc.get_statistics().fragmentation_ratio, 0.1);
  EXPECT_GT(moved, held.size() / 2);
  EXPECT_EQ(gc.heap_manager().compact_heap(HeapRegionType::kLargeObject).failure().code,
            ErrorCode::kUnsupported);
  const auto young = make(gc, 0);
  const GcObject* const was = young.get();
  value_or_throw(gc.heap_manager().compact_heap(HeapRegionType::kYoungGeneration));
  EXPECT_NE(young.get(), was);
}

TEST(HeapManager, SaysThatACollectionIsDueFromEightTenthsOfAGenerationOn) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .mode = GcMode::kManual});
  const auto fill = [&](int tenths) {
    while (value_or_throw(gc.generational_gc().generations())[0].total_size <
           Bytes{(1u << 20) / 10u * static_cast<unsigned>(tenths)}) {
      (void)make(gc, 0, 1'000);
    }
  };
  fill(7);
  EXPECT_FALSE(gc.heap_manager().should_trigger_gc());
  EXPECT_FALSE(value_or_throw(gc.generational_gc().generations())[0].should_collect());
  fill(9);
  EXPECT_TRUE(gc.heap_manager().should_trigger_gc());
  EXPECT_TRUE(value_or_throw(gc.generational_gc().generations())[0].should_collect());

  value_or_throw(gc.collect(0));

  EXPECT_FALSE(gc.heap_manager().should_trigger_gc());
}

TEST(HeapManager, SaysThatACollectionIsDueFromThreeQuartersOfAPoolOn) {
  GarbageCollector gc = open({.payload_budget_mb = 16, .device = "host"});
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 11; ++k) {
    held.push_back(make(gc, 0, 1 << 20));
  }
  EXPECT_FALSE(gc.heap_manager().should_trigger_gc());

  held.push_back(make(gc, 0, (1 << 20)));
  held.push_back(make(gc, 0, (1 << 19)));

  EXPECT_TRUE(gc.heap_manager().should_trigger_gc());
}

TEST(Generations, HaveTheObjectsAndAgesOfAWalk) {
  GarbageCollector gc = open({.num_generations = 4, .young_gen_size_mb = 1});
  std::vector<Handle<GcObject>> held;
  std::mt19937_64 random(31);
  for (int step = 0; step < 60; ++step) {
    for (int k = 0; k < 50; ++k) held.push_back(make(gc, 0));
    std::shuffle(held.begin(), held.end(), random);
    held.resize(held.size() * 4 / 5);
    value_or_throw(gc.generational_gc().collect_generation(static_cast<std::uint32_t>(step % 4)));

    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> walked;
    for (const Handle<GcObject>& object : held) {
      const GcHeader header = value_or_throw(gc.header(object));
      ++walked[{header.generation, header.age}];
      ASSERT_EQ(value_or_throw(gc.generational_gc().get_age(object)), header.age);
    }
    if (step % 4 != 3) {
      continue;  // what died in older generations is still there
    }
    for (const GcGeneration& generation : value_or_throw(gc.generational_gc().generations())) {
      for (std::uint32_t age = 0; age <= kAgeLimit && generation.number < 3; ++age) {
        const auto found = walked.find({generation.number, age});
        ASSERT_GE(generation.age_distribution[age], found == walked.end() ? 0 : found->second)
            << "seed 31, step " << step << ", generation " << generation.number;
      }
    }
  }
}

TEST(Generations, PromoteAtTheThresholdTheySay) {
  GarbageCollector gc =
      open({.num_generations = 3, .young_gen_size_mb = 1, .mode = GcMode::kManual});
  const auto object = make(gc, 0);
  for (std::uint32_t generation = 0; generation < 2; ++generation) {
    const auto now = value_or_throw(gc.generational_gc().generations())[generation];
    ASSERT_EQ(now.number, generation);
    ASSERT_EQ(now.promotion_threshold, 3u);
    for (std::uint32_t survived = 0; survived < 3; ++survived) {
      ASSERT_EQ(value_or_throw(gc.header(object)).generation, generation);
      ASSERT_EQ(value_or_throw(gc.generational_gc().should_promote(object)), survived == 2);
      value_or_throw(gc.collect(generation));
    }
  }
  EXPECT_EQ(value_or_throw(gc.header(object)).generation, 2u);
  EXPECT_FALSE(value_or_throw(gc.generational_gc().should_promote(object)));
  EXPECT_EQ(value_or_throw(gc.generational_gc().generations())[2].promotion_threshold, 0u);
}

TEST(Generations, TellOfTheCollectionsThatWere) {
  GarbageCollector gc = open();
  value_or_throw(gc.generational_gc().collect_generation(1));
  value_or_throw(gc.generational_gc().collect_all_generations());

  const auto stats = value_or_throw(gc.generational_gc().get_gc_statistics());

  EXPECT_EQ(stats.total_collections, 2u);
  EXPECT_FALSE(stats.collection_in_progress);
  ASSERT_EQ(stats.generations.size(), 3u);
  EXPECT_EQ(stats.generations[1].collection_count, 1u);
  EXPECT_EQ(stats.generations[2].collection_count, 1u);
  ASSERT_EQ(stats.recent_collections.size(), 5u) << "generations 0 to 1, and 0 to 2";
  EXPECT_EQ(stats.recent_collections[1].generation, 1u);
  EXPECT_EQ(stats.recent_collections[4].generation, 2u);
  EXPECT_DOUBLE_EQ(stats.total_pause_time_ms, stats.recent_collections[1].pause_time_ms +
                                                  stats.recent_collections[4].pause_time_ms);
  EXPECT_EQ(gc.generational_gc().collect_generation(3).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(gc.generational_gc().request_collection(3).failure().code, ErrorCode::kBadArgument);
}

TEST(Generations, CollectOnceForThreadsThatAskTogether) {
  GarbageCollector gc = open({.young_gen_size_mb = 64});
  std::vector<Handle<GcObject>> held;
  for (int k = 0; k < 200'000; ++k) {
    held.push_back(make(gc, 1));
  }
  constexpr int kThreads = 8;
  // A root callback holds the collection up until all have asked.
  std::atomic<int> asked{0};
  value_or_throw(gc.add_root_callback([&](RootVisitor&) {
    while (asked < kThreads) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }));
  std::vector<std::thread> threads;
  std::atomic<int> rows{0};
  for (int k = 0; k < kThreads; ++k) {
    threads.emplace_back([&] {
      ++asked;
      rows += static_cast<int>(value_or_throw(gc.generational_gc().request_collection(2)).size());
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(gc.get_statistics().total_collections, 1u);
  EXPECT_EQ(rows, 3 * kThreads);
}

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

TEST(Views, AreClosedWithTheirCollector) {
  GarbageCollector gc = open();
  const auto object = make(gc, 1);
  gc.shutdown();

  EXPECT_EQ(gc.generational_gc().generations().failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.generational_gc().request_collection(0).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.heap_manager().get_heap_statistics().failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.heap_manager().compact_heap().failure().code, ErrorCode::kClosed);
  EXPECT_TRUE(gc.heap_manager().regions().empty());
  EXPECT_FALSE(gc.heap_manager().get_region_for_address(&gc).has_value());
  EXPECT_EQ(gc.reference_tracker().find_cycles().failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.reference_tracker().add_reference(object, 0, object).failure().code,
            ErrorCode::kClosed);
  EXPECT_EQ(gc.header(object).failure().code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace tenure
