// The dynamic door's views of regions and generations.
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
#include "tests/support/facade_fixture.hpp"

namespace tenure {
namespace {

// Of the object, with its header and without a payload.
std::uint64_t heap_bytes(const GcObject& object) {
  return kGranuleBytes *
         (1 + granules_for(detail::dynamic_bytes(object.reference_count(), object.size())));
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
  // What the test holds is all that is there: nothing of it has a payload.
  std::map<const std::byte*, std::uint64_t> held_in;
  for (const Handle<GcObject>& object : held) {
    const auto region = gc.heap_manager().get_region_for_address(object.get());
    ASSERT_TRUE(region.has_value());
    held_in[region->address] += heap_bytes(*object);
  }
  for (const HeapRegionUse& use : regions) {
    ASSERT_EQ(use.used_bytes.count(), held_in[use.region.address]) << to_string(use.region.type);
    if (use.region.type == HeapRegionType::kLargeObject) {
      ASSERT_TRUE(use.free_bytes.is_zero());
    }
  }
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
    held.push_back(k % 100 == 0 ? make(gc, kMostReferences, 30'000) : make(gc, 1, 300));
  }
  const std::vector<HeapRegionUse> regions = gc.heap_manager().regions();
  const HeapManager manager = gc.heap_manager();
  ASSERT_TRUE(std::any_of(regions.begin(), regions.end(), [](const HeapRegionUse& use) {
    return use.region.size == 512_KiB;  // an object of more than a region
  }));
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
  for (std::uint32_t count = 2; count <= 8; ++count) {
    GarbageCollector gc =
        open({.num_generations = count, .young_gen_size_mb = 1, .mode = GcMode::kManual});
    std::vector<Handle<GcObject>> held;
    std::mt19937_64 random(31);
    for (int step = 0; step < 150; ++step) {
      for (int k = 0; k < 20; ++k) held.push_back(make(gc, 0));
      // What dies is of generations that are collected now, so that it is gone afterwards.
      const auto last = static_cast<std::uint32_t>(
          random() % 20 == 0 ? count - 1 : random() % std::min(count - 1, 1 + step / 20u));
      std::erase_if(held, [&](const Handle<GcObject>& object) {
        return value_or_throw(gc.header(object)).generation <= last && random() % 5 == 0;
      });
      value_or_throw(gc.generational_gc().collect_generation(last));

      std::vector<std::map<std::uint32_t, std::uint64_t>> walked(count);
      for (const Handle<GcObject>& object : held) {
        const GcHeader header = value_or_throw(gc.header(object));
        ++walked[header.generation][header.age];
        ASSERT_EQ(value_or_throw(gc.generational_gc().get_age(object)), header.age);
      }
      const GcStats stats = gc.get_statistics();
      for (const GcGeneration& generation : value_or_throw(gc.generational_gc().generations())) {
        std::map<std::uint32_t, std::uint64_t> ages;
        for (std::uint32_t age = 0; age <= kAgeLimit; ++age) {
          if (generation.age_distribution[age] > 0) ages[age] = generation.age_distribution[age];
        }
        std::uint64_t objects = 0;
        for (const auto& [age, those] : walked[generation.number]) objects += those;
        if (generation.number + 1 < count) {
          ASSERT_EQ(ages, walked[generation.number]) << "seed 31, step " << step << ", generation "
                                                     << generation.number << " of " << count;
        }
        ASSERT_EQ(generation.object_count, objects);
        ASSERT_EQ(stats.objects_by_generation[generation.number], objects);
      }
    }
  }
}

TEST(Generations, AreWalkedThroughInOrderWhateverTheirNumber) {
  for (std::uint32_t count = 2; count <= 8; ++count) {
    GarbageCollector gc =
        open({.num_generations = count, .young_gen_size_mb = 1, .mode = GcMode::kManual});
    const auto object = make(gc, 0);
    for (std::uint32_t generation = 0; generation + 1 < count; ++generation) {
      const std::uint32_t threshold =
          value_or_throw(gc.generational_gc().generations())[generation].promotion_threshold;
      for (std::uint32_t survived = 0; survived < threshold; ++survived) {
        const GcHeader header = value_or_throw(gc.header(object));
        ASSERT_EQ(header.generation, generation) << "of " << count;
        ASSERT_EQ(header.age, survived);
        value_or_throw(gc.generational_gc().collect_generation(generation));
      }
    }
    EXPECT_EQ(value_or_throw(gc.header(object)).generation, count - 1);
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

TEST(Generations, CountWhatCameIntoThem) {
  for (const std::uint32_t count : {1u, 2u, 3u, 5u}) {
    GarbageCollector gc =
        open({.num_generations = count, .young_gen_size_mb = 1, .mode = GcMode::kManual});
    std::vector<Handle<GcObject>> held;
    std::vector<std::uint64_t> came(count);
    std::mt19937_64 random(37);
    for (int step = 0; step < 60; ++step) {
      for (int k = 0; k < 40; ++k) {
        const bool is_wide = k == 0 && step % 10 == 0;
        held.push_back(make(gc, is_wide ? 20'000 : 1));
        ++came[is_wide ? count - 1 : 0];
      }
      std::shuffle(held.begin(), held.end(), random);
      held.resize(held.size() * 4 / 5);
      std::vector<std::uint32_t> before;
      for (const auto& object : held) {
        before.push_back(value_or_throw(gc.header(object)).generation);
      }

      const auto rows = value_or_throw(
          gc.generational_gc().collect_generation(static_cast<std::uint32_t>(random() % count)));

      std::vector<std::uint64_t> left(count);
      for (std::size_t k = 0; k < held.size(); ++k) {
        const std::uint32_t now = value_or_throw(gc.header(held[k])).generation;
        if (now != before[k]) {
          ++came[now];
          ++left[before[k]];
        }
      }
      for (const GcMetrics& row : rows) {
        ASSERT_EQ(row.objects_promoted, left[row.generation]) << "seed 37, step " << step;
        ASSERT_EQ(row.bytes_promoted.is_zero(), row.objects_promoted == 0);
      }
      for (const GcGeneration& generation : value_or_throw(gc.generational_gc().generations())) {
        ASSERT_EQ(generation.allocation_count, came[generation.number])
            << "seed 37, step " << step << ", generation " << generation.number << " of " << count;
      }
    }
  }
}

TEST(Generations, AllocateAndKeepRootsAsTheCollectorDoes) {
  GarbageCollector gc = open();
  GenerationalGc view = gc.generational_gc();
  auto object = value_or_throw(view.allocate_object(ObjectType::kArray, 8));
  ASSERT_TRUE(view.add_root_object(object).ok());
  int calls = 0;
  const RootCallbackId id = value_or_throw(view.add_root_callback([&](RootVisitor&) { ++calls; }));
  object.reset();
  value_or_throw(view.collect_all_generations());
  EXPECT_EQ(gc.get_statistics().total_objects, 1u);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(view.remove_root_callback(id));
  EXPECT_FALSE(view.remove_root_object({}).ok());
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
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
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
