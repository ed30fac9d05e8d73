// The heap manager's strategies and pools, as the dynamic door has them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/facade/strategy_trial.hpp"
#include "tenure/facade/garbage_collector.hpp"
#include "tenure/facade/system_monitor.hpp"
#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure {
namespace {

GarbageCollector open(const GcConfiguration& configuration = {.young_gen_size_mb = 1,
                                                              .device = "host"}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

Handle<GcObject> make(GarbageCollector& gc, std::uint64_t size) {
  return value_or_throw(gc.allocate(ObjectType::kArray, size));
}
Handle<GcObject> make_kib(GarbageCollector& gc, std::uint64_t kib) { return make(gc, kib << 10); }

// Holes of 128, 96 and 256 KiB, in the order of their addresses, which are given.
struct Dug {
  std::vector<Handle<GcObject>> kept;
  std::vector<const std::byte*> holes;
};
Dug dig(GarbageCollector& gc, const std::vector<std::uint64_t>& sizes = {128, 96, 256}) {
  Dug dug;
  std::vector<Handle<GcObject>> dropped;
  for (const std::uint64_t size : sizes) {
    dropped.push_back(make_kib(gc, size));
    dug.holes.push_back(dropped.back()->bytes().data());
    dug.kept.push_back(make_kib(gc, 32));
  }
  for (const Handle<GcObject>& object : dropped) {
    value_or_throw(gc.heap_manager().deallocate_object(object));
  }
  return dug;
}

TEST(Strategies, AreSeenByWhereDataLie) {
  const auto hole_of_80 = [](AllocationStrategy strategy) {
    GarbageCollector gc = open();
    const Dug dug = dig(gc);
    value_or_throw(
        gc.heap_manager().set_allocation_strategy(HeapRegionType::kLargeObject, strategy));
    const Handle<GcObject> got = make_kib(gc, 80);
    const auto at = std::find(dug.holes.begin(), dug.holes.end(), got->bytes().data());
    return at - dug.holes.begin();
  };

  EXPECT_EQ(hole_of_80(AllocationStrategy::kFirstFit), 0);
  EXPECT_EQ(hole_of_80(AllocationStrategy::kBestFit), 1);
  EXPECT_EQ(hole_of_80(AllocationStrategy::kWorstFit), 2);
}

TEST(Strategies, AreChosenByTheConfiguration) {
  GarbageCollector gc = open({.young_gen_size_mb = 1,
                              .allocation_strategy = AllocationStrategy::kWorstFit,
                              .device = "host"});
  const Dug dug = dig(gc);

  EXPECT_EQ(make_kib(gc, 80)->bytes().data(), dug.holes[2]);
  EXPECT_EQ(*gc.heap_manager().get_allocation_strategy(HeapRegionType::kLargeObject),
            AllocationStrategy::kWorstFit);
}

TEST(Strategies, AreRefusedWhereThereIsNoChoiceWithTheReason) {
  GarbageCollector gc = open();
  HeapManager manager = gc.heap_manager();

  const Result<void> young = manager.set_allocation_strategy(HeapRegionType::kYoungGeneration,
                                                             AllocationStrategy::kFirstFit);
  const Result<void> old = manager.set_allocation_strategy(HeapRegionType::kOldGeneration,
                                                           AllocationStrategy::kFirstFit);

  EXPECT_EQ(young.failure().code, ErrorCode::kUnsupported);
  EXPECT_NE(young.failure().message.find("one behind the other"), std::string::npos);
  EXPECT_EQ(old.failure().code, ErrorCode::kUnsupported);
  EXPECT_NE(old.failure().message.find("one size class"), std::string::npos);
  EXPECT_TRUE(manager
                  .set_allocation_strategy(HeapRegionType::kOldGeneration,
                                           AllocationStrategy::kSegregatedFit)
                  .ok());
}

// Two requests of 100 and 120 KiB for holes of 128 and 104: the lowest that fits spoils it.
TEST(Strategies, BestFitIsChosenWhereItWins) {
  GarbageCollector gc = open({.young_gen_size_mb = 1,
                              .allocation_strategy = AllocationStrategy::kFirstFit,
                              .device = "host"});
  std::vector<Handle<GcObject>> past;
  for (int k = 0; k < 32; ++k) {  // what the program asks for
    past.push_back(make_kib(gc, 100));
    past.push_back(make_kib(gc, 120));
  }
  for (const Handle<GcObject>& object : past) {
    value_or_throw(gc.heap_manager().deallocate_object(object));
  }
  gc.runtime().trim();
  // Pairs of holes, the wider one first, as many as the requests.
  std::vector<Handle<GcObject>> kept;
  std::vector<PayloadLease> holes;
  const LeaseOptions host{.kind = MemoryKind::kHost};
  for (int k = 0; k < 32; ++k) {
    for (const std::uint64_t size : {128, 104}) {
      holes.push_back(value_or_throw(gc.runtime().lease(Bytes{size << 10}, host)));
      holes.push_back(value_or_throw(gc.runtime().lease(Bytes{1024}, host)));
    }
  }
  for (std::size_t k = 0; k < holes.size(); k += 2) {
    holes[k].release();
  }

  const auto chosen = value_or_throw(gc.heap_manager().optimize_allocation_strategy());

  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[0].type, HeapRegionType::kOldGeneration);
  EXPECT_EQ(chosen[1].type, HeapRegionType::kLargeObject);
  EXPECT_EQ(chosen[1].before, AllocationStrategy::kFirstFit);
  EXPECT_EQ(chosen[1].after, AllocationStrategy::kBestFit) << chosen[1].reason;
  EXPECT_NE(chosen[1].reason.find("64 requests"), std::string::npos) << chosen[1].reason;
  EXPECT_EQ(*gc.heap_manager().get_allocation_strategy(HeapRegionType::kLargeObject),
            AllocationStrategy::kBestFit);
  const auto again = value_or_throw(gc.heap_manager().optimize_allocation_strategy());
  EXPECT_EQ(again[1].after, again[1].before) << again[1].reason;
}

TEST(StrategyTrials, PlaceAsPoolsDo) {
  const HoleMap map{.holes = {{0, 128}, {160, 96}, {288, 256}}, .uncut = 0};
  const auto left = [&](AllocationStrategy strategy, std::vector<std::uint64_t> requests) {
    return try_strategy(strategy, map, requests);
  };

  // What finds no hole after two of 80: worst fit has spoilt the largest.
  EXPECT_EQ(left(AllocationStrategy::kBestFit, {80, 80, 250}).without_hole, 0u);
  EXPECT_EQ(left(AllocationStrategy::kFirstFit, {80, 80, 250}).without_hole, 0u);
  EXPECT_EQ(left(AllocationStrategy::kWorstFit, {80, 80, 250}).without_hole, 250u);
  EXPECT_EQ(left(AllocationStrategy::kNextFit, {80, 80, 80, 250}).without_hole, 250u);
  EXPECT_EQ(left(AllocationStrategy::kSegregatedFit, {80, 80, 250}).without_hole, 0u);
  EXPECT_EQ(left(AllocationStrategy::kBestFit, {96}).largest_left, 256u);
  EXPECT_EQ(left(AllocationStrategy::kWorstFit, {96}).largest_left, 160u);
}

TEST(SpecializedPools, AreMadeResizedAndListed) {
  GarbageCollector gc = open();
  HeapManager manager = gc.heap_manager();

  MemoryPool pool = value_or_throw(manager.create_specialized_pool("tiles", 4 << 20, 4096));
  PayloadLease tile = value_or_throw(pool.allocate(Bytes{3u << 20}));

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tile.data()) % 4096, 0u);
  EXPECT_EQ(pool.allocate(Bytes{2u << 20}).failure().code, ErrorCode::kOverBudget);
  EXPECT_EQ(manager.resize_pool("tiles", 2 << 20).failure().code, ErrorCode::kOverBudget);
  EXPECT_EQ(value_or_throw(manager.resize_pool("tiles", 8 << 20)).size, Bytes{8u << 20});
  EXPECT_TRUE(pool.allocate(Bytes{2u << 20}).ok());
  EXPECT_EQ(manager.resize_pool("rows", 1 << 20).failure().code, ErrorCode::kBadArgument);
  const HeapStatistics statistics = value_or_throw(manager.get_heap_statistics());
  const auto row = std::find_if(statistics.pools.begin(), statistics.pools.end(),
                                [](const auto& of) { return of.name == "tiles"; });
  ASSERT_NE(row, statistics.pools.end());
  EXPECT_EQ(row->total_used, Bytes{3u << 20});
  EXPECT_EQ(row->total_size, row->total_used + row->total_free);
  EXPECT_EQ(row->allocations, 2u);
  EXPECT_EQ(row->deallocations, 1u);
  EXPECT_EQ(row->free_blocks, value_or_throw(pool.free_blocks()).size());
  EXPECT_TRUE(pool.deallocate(tile).ok());
  const PoolResize shrunk = value_or_throw(manager.resize_pool("tiles", 2 << 20));
  EXPECT_EQ(shrunk.reserved, Bytes{2u << 20});
  EXPECT_EQ(shrunk.size, Bytes{2u << 20});
}

TEST(SpecializedPools, TheResidentSetFollowsTheirSize) {
  GarbageCollector gc = open();
  SystemMonitor monitor;
  constexpr std::uint64_t kSize = 64 << 20;
  MemoryPool pool = value_or_throw(gc.heap_manager().create_specialized_pool("tiles", kSize));
  const std::uint64_t before = monitor.read().process_memory_rss;
  {
    const PayloadLease lease = value_or_throw(pool.allocate(Bytes{kSize}));
    std::memset(lease.data(), 1, kSize);
    EXPECT_GT(monitor.read().process_memory_rss, before + kSize * 9 / 10);
  }
  const std::uint64_t full = monitor.read().process_memory_rss;
  EXPECT_GT(full, before + kSize * 9 / 10) << "idle memory is kept until the pool shrinks";

  value_or_throw(gc.heap_manager().resize_pool("tiles", kSize / 4));

  EXPECT_LT(monitor.read().process_memory_rss, full - kSize * 6 / 10);
}

TEST(SpecializedPools, CountAmongWhatIsUsed) {
  GarbageCollector gc = open();
  const std::uint64_t before = gc.get_statistics().used_bytes;
  MemoryPool pool = value_or_throw(gc.heap_manager().create_specialized_pool("tiles", 4 << 20));

  const PayloadLease tile = value_or_throw(pool.allocate(Bytes{3u << 20}));

  const GcStats stats = gc.get_statistics();
  EXPECT_EQ(stats.used_bytes, before + (3u << 20));
  EXPECT_EQ(stats.heap_size_bytes, stats.used_bytes + stats.free_bytes);
}

// An old object goes where it was said to have room, or to a region that was not there.
TEST(Regions, SayWhetherAnObjectCouldBeMadeInThem) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .permanent_size_mb = 64});
  HeapManager manager = gc.heap_manager();
  std::mt19937_64 random(5);
  int found = 0;
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t size = 1 + random() % (random() % 8 == 0 ? 20'000 : 3'000);
    std::vector<HeapRegion> before;
    std::vector<HeapRegion> with_room;
    for (const HeapRegionUse& use : manager.regions()) {
      if (use.region.type == HeapRegionType::kOldGeneration ||
          use.region.type == HeapRegionType::kPermanent) {
        before.push_back(use.region);
        if (value_or_throw(manager.can_allocate(use.region, size))) {
          with_room.push_back(use.region);
        }
      }
    }

    const Handle<GcObject> made =
        value_or_throw(gc.allocate(ObjectType::kStruct, size, {.permanent = true}));

    const HeapRegion region = *manager.get_region_for_address(made.get());
    const auto is_among = [&](const std::vector<HeapRegion>& regions) {
      return std::find(regions.begin(), regions.end(), region) != regions.end();
    };
    ASSERT_EQ(is_among(before), is_among(with_room)) << "round " << round << ", " << size;
    ASSERT_TRUE(with_room.empty() || is_among(with_room)) << "round " << round << ", " << size;
    found += is_among(with_room) ? 1 : 0;
  }
  EXPECT_GT(found, 100);
}

TEST(Regions, OfPermanentObjectsHoldNothingElseAndStay) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GarbageCollector gc = open({.num_generations = 1 + static_cast<std::uint32_t>(seed % 3),
                                .young_gen_size_mb = 1,
                                .enable_compaction = seed % 3 != 0,
                                .debug_mode = true});
    HeapManager manager = gc.heap_manager();
    std::mt19937_64 random(seed);
    std::vector<Handle<GcObject>> passing;
    std::vector<std::pair<Handle<GcObject>, const GcObject*>> permanent;
    for (int step = 0; step < 4'000; ++step) {
      const std::uint64_t size = 1 + random() % (random() % 20 == 0 ? 20'000 : 600);
      if (random() % 4 == 0) {
        permanent.emplace_back(
            value_or_throw(gc.allocate(ObjectType::kArray, size, {.permanent = true})), nullptr);
        permanent.back().second = permanent.back().first.get();
      } else {
        passing.push_back(make(gc, size));
      }
      if (random() % 300 == 0) {
        passing.resize(passing.size() / 3);
        value_or_throw(gc.force_full_collection());
        (void)manager.compact_heap();
      }
    }
    std::uint64_t bytes = 0;
    for (const auto& [object, address] : permanent) {
      ASSERT_EQ(object.get(), address);
      ASSERT_EQ(manager.get_region_for_address(address)->type, HeapRegionType::kPermanent);
    }
    for (const Handle<GcObject>& object : passing) {
      ASSERT_NE(manager.get_region_for_address(object.get())->type, HeapRegionType::kPermanent);
    }
    std::uint64_t objects = 0;
    for (const HeapRegionUse& use : manager.regions()) {
      if (use.region.type == HeapRegionType::kPermanent) {
        objects += use.objects;
        bytes += use.used_bytes.count();
      }
    }
    EXPECT_EQ(objects, permanent.size());
    const HeapStatistics statistics = value_or_throw(manager.get_heap_statistics());
    EXPECT_EQ(statistics.pools[static_cast<std::size_t>(HeapRegionType::kPermanent)].total_used,
              Bytes{bytes});
  }
}

TEST(Regions, OfTheNurserySayWhatTheyHaveLeft) {
  GarbageCollector gc = open();
  HeapManager manager = gc.heap_manager();
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t size = 2'000;
    std::vector<HeapRegion> with_room;
    for (const HeapRegionUse& use : manager.regions()) {
      if (use.region.type == HeapRegionType::kYoungGeneration &&
          value_or_throw(manager.can_allocate(use.region, size))) {
        with_room.push_back(use.region);
      }
    }
    const std::uint64_t collections = gc.get_statistics().total_collections;

    const Handle<GcObject> made = make(gc, size);

    const HeapRegion region = *manager.get_region_for_address(made.get());
    const bool was_collected = gc.get_statistics().total_collections != collections;
    ASSERT_NE(was_collected,
              std::find(with_room.begin(), with_room.end(), region) != with_room.end())
        << "round " << round;
  }
}

TEST(Regions, ThatAreGoneAreRefused) {
  GarbageCollector gc = open();

  const Result<bool> room = gc.heap_manager().can_allocate(HeapRegion{}, 8);

  EXPECT_EQ(room.failure().code, ErrorCode::kBadArgument);
}

}  // namespace
}  // namespace tenure
