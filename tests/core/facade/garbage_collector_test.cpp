#include "tenure/facade/garbage_collector.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace tenure {
namespace {

GarbageCollector open(const GcConfiguration& configuration = {}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

TEST(GarbageCollector, CountsAnArrayRightAfterItsAllocation) {
  GarbageCollector gc = open();

  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1024 * 1024));
  const GcStats stats = gc.get_statistics();

  EXPECT_EQ(stats.total_objects, 1u);
  EXPECT_EQ(stats.objects_by_type, (std::map<std::string, std::uint64_t>{{"array", 1}}));
  EXPECT_GE(stats.used_bytes, 1024u * 1024u);
  EXPECT_LT(stats.used_bytes, 1024u * 1024u + 50'000u);
  EXPECT_EQ(stats.heap_size_bytes, stats.used_bytes + stats.free_bytes);
}

TEST(GarbageCollector, GivesZeroedAlignedBytesThatStayWhereTheyAre) {
  GarbageCollector gc = open();
  {
    const auto dirty = value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20));
    std::fill(dirty->bytes().begin(), dirty->bytes().end(), std::byte{0xFF});
  }
  value_or_throw(gc.force_full_collection());

  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20));
  std::byte* const before = array->bytes().data();
  EXPECT_TRUE(std::all_of(array->bytes().begin(), array->bytes().end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(before) % 64, 0u);
  array->bytes()[(1 << 20) - 1] = std::byte{7};
  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(array->bytes().data(), before);
  EXPECT_EQ(array->bytes()[(1 << 20) - 1], std::byte{7});
}

TEST(GarbageCollector, KeepsSmallDataInTheObjectAndLargeInAPayload) {
  GarbageCollector gc = open();
  const auto below = value_or_throw(gc.allocate(ObjectType::kArray, 32 * 1024 - 1));
  const auto at = value_or_throw(gc.allocate(ObjectType::kArray, 32 * 1024));

  EXPECT_FALSE(below->has_payload());
  EXPECT_TRUE(at->has_payload());
  EXPECT_EQ(below->size(), 32u * 1024u - 1u);
  EXPECT_EQ(below->type(), ObjectType::kArray);
}

TEST(GarbageCollector, KeepsInlineDataThroughCollections) {
  GarbageCollector gc = open();
  std::vector<Handle<GcObject>> kept;
  for (int k = 0; k < 200; ++k) {
    kept.push_back(value_or_throw(gc.allocate(ObjectType::kString, 100)));
    std::fill(kept.back()->bytes().begin(), kept.back()->bytes().end(), static_cast<std::byte>(k));
  }

  value_or_throw(gc.collect(0));
  value_or_throw(gc.force_full_collection());

  for (int k = 0; k < 200; ++k) {
    const auto bytes = kept[static_cast<std::size_t>(k)]->bytes();
    ASSERT_EQ(bytes.size(), 100u);
    ASSERT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                            [k](std::byte byte) { return byte == static_cast<std::byte>(k); }));
  }
}

TEST(GarbageCollector, FreesWhatIsDropped) {
  GarbageCollector gc = open();
  auto array = value_or_throw(gc.allocate(ObjectType::kVector, 1 << 20));
  array.reset();

  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
  EXPECT_LT(gc.get_statistics().used_bytes, 1024u);
}

TEST(GarbageCollector, RefusesSizesThatAKindCannotHave) {
  GarbageCollector gc = open();

  EXPECT_EQ(gc.allocate(ObjectType::kScalar, 9).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(gc.allocate(ObjectType::kComplex, 8).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(gc.allocate(ObjectType::kScalar, 8).ok());
  EXPECT_FALSE(gc.allocate(ObjectType::kArray, ~std::uint64_t{0}).ok());
}

TEST(GarbageCollector, RefusesAConfigurationByTheFieldThatIsWrong) {
  const auto refused = [](const GcConfiguration& configuration, const char* naming) {
    const Result<GarbageCollector> opened = GarbageCollector::open(configuration);
    return !opened.ok() && opened.failure().code == ErrorCode::kBadConfig &&
           opened.failure().message.find(naming) != std::string::npos;
  };
  EXPECT_TRUE(refused({.num_generations = 0}, "generations"));
  EXPECT_TRUE(refused({.num_generations = 9}, "generations"));
  EXPECT_TRUE(refused({.max_pause_time_ms = 0}, "max_pause_time_ms"));
  EXPECT_TRUE(refused({.young_gen_size_mb = 100, .heap_limit_mb = 100}, "nursery"));
  EXPECT_TRUE(refused({.num_generations = 2, .collection_ratio = {1, 10, 50}}, "collection_ratio"));
}

TEST(GarbageCollector, CollectsOlderGenerationsInTheRatioOfItsConfiguration) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .collection_ratio = {1, 2, 0}});

  while (gc.get_statistics().total_collections < 10) {
    for (int k = 0; k < 1000; ++k) {
      (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
    }
  }

  const GcStats stats = gc.get_statistics();
  EXPECT_EQ(stats.total_collections, 10u);
  EXPECT_EQ(stats.collections_by_generation, (std::vector<std::uint64_t>{5, 5, 0}));
}

TEST(GarbageCollector, CollectsNoGenerationThatIsNotThere) {
  GarbageCollector gc = open();

  EXPECT_EQ(gc.collect(3).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(gc.collect(2).ok());
}

TEST(GarbageCollector, SetsWhatAWorkloadAsksForAndSaysSo) {
  GarbageCollector gc = open();

  const auto changes = value_or_throw(gc.optimize_for_workload({"scientific_computing"}));

  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].field, "young_gen_size_mb");
  EXPECT_EQ(changes[0].before, "32");
  EXPECT_EQ(changes[0].after, "64");
  EXPECT_TRUE(value_or_throw(gc.allocate(ObjectType::kArray, 16 * 1024))->has_payload());
}

TEST(GarbageCollector, CombinesWorkloadsByTheirStricterHalf) {
  GarbageCollector gc = open();

  value_or_throw(
      gc.optimize_for_workload({"scientific_computing", "machine_learning", "real_time"}));

  EXPECT_EQ(gc.configuration().young_gen_size_mb, 128u);
  EXPECT_EQ(gc.configuration().old_gen_size_mb, 512u);
  EXPECT_EQ(gc.configuration().large_object_threshold_kb, 16u);
  EXPECT_EQ(gc.configuration().max_pause_time_ms, 2.0);
}

TEST(GarbageCollector, RefusesUnknownWorkloadsAndChangesNothing) {
  GarbageCollector gc = open();

  const auto changes = gc.optimize_for_workload({"machine_learning", "gardening"});

  ASSERT_FALSE(changes.ok());
  EXPECT_NE(changes.failure().message.find("real_time"), std::string::npos);
  EXPECT_EQ(gc.configuration().young_gen_size_mb, 32u);
}

TEST(GarbageCollector, CountsPausesBeyondTheTarget) {
  GarbageCollector gc = open({.max_pause_time_ms = 0.000001});

  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(gc.get_statistics().pause_target_misses, 1u);
}

TEST(GarbageCollector, StartsNothingByItselfInManualMode) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .mode = GcMode::kManual});
  for (int k = 0; k < 50'000; ++k) {
    (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
  }
  EXPECT_EQ(gc.get_statistics().total_collections, 0u);

  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

TEST(GarbageCollector, LeavesHandlesInertAfterShutdown) {
  GarbageCollector gc = open();
  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20));

  const ShutdownReport report = gc.shutdown();
  const ShutdownReport again = gc.shutdown();

  EXPECT_EQ(report.objects_released, 1u);
  EXPECT_EQ(report.handles_outstanding, 1u);
  EXPECT_EQ(again.objects_released, 0u);
  EXPECT_FALSE(array);
  EXPECT_EQ(gc.allocate(ObjectType::kArray, 8).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.collect(0).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

TEST(GarbageCollector, IsUsedByManyThreadsInTurn) {
  GarbageCollector gc = open({.young_gen_size_mb = 1});
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([&gc] {
      for (int n = 0; n < 2'000; ++n) {
        const auto kept = value_or_throw(gc.allocate(ObjectType::kArray, 200));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

TEST(GarbageCollector, SharesTheCageWithAnotherAndNothingElse) {
  GarbageCollector one = open();
  GarbageCollector two = open();
  const auto kept = value_or_throw(one.allocate(ObjectType::kArray, 100));

  value_or_throw(two.force_full_collection());

  EXPECT_EQ(one.get_statistics().total_collections, 0u);
  EXPECT_EQ(two.get_statistics().total_objects, 0u);
  EXPECT_EQ(one.get_statistics().total_objects, 1u);
}

}  // namespace
}  // namespace tenure
