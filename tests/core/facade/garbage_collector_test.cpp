#include "tenure/facade/garbage_collector.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tenure/mutator.hpp"
#include "tenure/runtime.hpp"
#include "tenure/weak.hpp"

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
    const auto bytes = value_or_throw(dirty->writable_bytes());
    std::fill(bytes.begin(), bytes.end(), std::byte{0xFF});
  }
  value_or_throw(gc.force_full_collection());

  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20));
  const std::byte* const before = array->bytes().data();
  EXPECT_TRUE(std::all_of(array->bytes().begin(), array->bytes().end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(before) % 64, 0u);
  value_or_throw(array->writable_bytes())[(1 << 20) - 1] = std::byte{7};
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
    kept.push_back(value_or_throw(gc.allocate(ObjectType::kStruct, 100)));
    const auto bytes = value_or_throw(kept.back()->writable_bytes());
    std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(k));
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
  EXPECT_TRUE(
      refused({.mode = GcMode::kIncremental, .enable_incremental = false}, "enable_incremental"));
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

TEST(GarbageCollector, CountsEveryKindOfStart) {
  GarbageCollector gc = open({.young_gen_size_mb = 1});
  for (int k = 0; k < 3; ++k) {
    value_or_throw(gc.collect(0));
    value_or_throw(gc.force_full_collection());
  }
  const auto by = [&](CollectionTrigger trigger) {
    return gc.runtime().statistics().collections_by_trigger[static_cast<std::size_t>(trigger)];
  };
  EXPECT_EQ(gc.get_statistics().total_collections, 6u);
  EXPECT_EQ(by(CollectionTrigger::kExplicitRequest), 6u);
  EXPECT_EQ(gc.get_statistics().collections_by_generation, (std::vector<std::uint64_t>{3, 0, 3}));

  for (int k = 0; k < 30'000; ++k) {
    (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
  }

  EXPECT_GT(by(CollectionTrigger::kAllocationPressure), 0u);
  EXPECT_EQ(by(CollectionTrigger::kExplicitRequest), 6u);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : gc.get_statistics().collections_by_generation) {
    sum += count;
  }
  EXPECT_EQ(gc.get_statistics().total_collections, sum);
}

TEST(GarbageCollector, KeepsARootUntilItWasRemovedAsOftenAsItWasAdded) {
  GarbageCollector gc = open();
  std::vector<Weak<GcObject>> weak;
  for (int k = 0; k < 100; ++k) {
    const auto object = value_or_throw(gc.allocate(ObjectType::kStruct, 24));
    SharedMutator::Use use(gc.mutator());
    weak.emplace_back(object);
  }
  EXPECT_EQ(gc.get_statistics().total_objects, 100u);
  const auto handle = [&](std::size_t k) {
    SharedMutator::Use use(gc.mutator());
    return Handle<GcObject>(weak[k].lock(use.mutator()));
  };
  for (std::size_t k = 0; k < 100; ++k) {
    for (std::size_t times = 0; times < k % 3; ++times) {
      ASSERT_TRUE(gc.add_root(handle(k)).ok());
    }
  }
  value_or_throw(gc.collect(0));
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 66u);

  for (std::size_t k = 0; k < 100; ++k) {
    if (k % 3 != 0) {
      ASSERT_TRUE(gc.remove_root(handle(k)).ok());
    }
  }
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 33u);

  for (std::size_t k = 2; k < 100; k += 3) {
    const auto last = handle(k);
    ASSERT_TRUE(gc.remove_root(last).ok());
    EXPECT_EQ(gc.remove_root(last).failure().code, ErrorCode::kBadArgument);
  }
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
  EXPECT_EQ(gc.add_root({}).failure().code, ErrorCode::kBadArgument);
}

TEST(GarbageCollector, AsksCallbacksForRootsInEachCollectionUntilTheyAreRemoved) {
  GarbageCollector gc = open();
  GcObject* kept = nullptr;
  int calls = 0;
  const RootCallbackId id = value_or_throw(gc.add_root_callback([&](RootVisitor& visitor) {
    ++calls;
    visitor.visit(kept);
  }));
  kept = value_or_throw(gc.allocate(ObjectType::kStruct, 24)).get();

  for (std::uint32_t last = 0; last < 3; ++last) {
    value_or_throw(gc.collect(last));
    EXPECT_EQ(calls, static_cast<int>(last) + 1);
    EXPECT_EQ(kept->size(), 24u);
  }
  EXPECT_TRUE(gc.remove_root_callback(id));
  EXPECT_FALSE(gc.remove_root_callback(id));
  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(calls, 3);
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

TEST(GarbageCollector, TellsOfPressureBeforeItRefuses) {
  GarbageCollector gc = open({.payload_budget_mb = 16, .device = "host"});
  std::vector<Handle<GcObject>> held;
  std::vector<Bytes> wanted;
  const PressureCallbackId id = value_or_throw(gc.on_pressure([&](const PressureCall& call) {
    if (!call.wanted.is_zero()) wanted.push_back(call.wanted);
  }));
  for (int k = 0; k < 15; ++k) {
    held.push_back(value_or_throw(gc.allocate(ObjectType::kArray, 1 << 20)));
  }
  EXPECT_TRUE(wanted.empty());
  EXPECT_NEAR(gc.pressure().pools.front().share, 15.0 / 16, 0.01);
  EXPECT_GE(gc.get_statistics().memory_pressure, 15.0 / 16);

  EXPECT_EQ(gc.allocate(ObjectType::kArray, 2 << 20).failure().code, ErrorCode::kOverBudget);

  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_GE(wanted.front(), 1_MiB);
  EXPECT_TRUE(gc.remove_pressure_callback(id));
  EXPECT_FALSE(gc.remove_pressure_callback(id));
}

TEST(GarbageCollector, FailsAtTheLimitInManualModeAndServesAgainAfterACollection) {
  GarbageCollector gc = open(
      {.young_gen_size_mb = 1, .old_gen_size_mb = 1, .mode = GcMode::kManual, .heap_limit_mb = 16});
  Result<Handle<GcObject>> object = gc.allocate(ObjectType::kArray, 10'000);
  std::uint64_t made = 0;
  while (object && made < 10'000) {
    ++made;
    object = gc.allocate(ObjectType::kArray, 10'000);
  }

  EXPECT_GT(made, 1'000u);
  EXPECT_EQ(object.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(gc.get_statistics().total_collections, 0u);
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
  EXPECT_TRUE(gc.allocate(ObjectType::kArray, 10'000).ok());
}

TEST(GarbageCollector, AgreesWithAnIndependentCountInARandomRun) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .old_gen_size_mb = 1});
  std::mt19937_64 random(11);
  std::vector<Handle<GcObject>> held;
  const auto expect_sums = [&] {
    const GcStats stats = gc.get_statistics();
    EXPECT_EQ(stats.heap_size_bytes, stats.used_bytes + stats.free_bytes);
    return stats;
  };
  for (int step = 0; step < 100; ++step) {
    for (int k = 0; k < 200; ++k) {
      const auto type = static_cast<ObjectType>(2 + random() % 6);  // those of any size
      auto made = value_or_throw(gc.allocate(type, random() % (k == 0 ? 100'000 : 300)));
      if (random() % 3 == 0) held.push_back(std::move(made));
    }
    std::shuffle(held.begin(), held.end(), random);
    held.resize(held.size() * 3 / 4);
    expect_sums();

    value_or_throw(step % 5 == 0 ? gc.force_full_collection() : gc.collect(2));

    std::map<std::string, std::uint64_t> by_type;
    std::uint64_t bytes = 0;
    for (const Handle<GcObject>& object : held) {
      ++by_type[std::string(to_string(object->type()))];
      bytes += object->size();
    }
    const GcStats stats = expect_sums();
    ASSERT_EQ(stats.objects_by_type, by_type) << "seed 11, step " << step;
    EXPECT_EQ(stats.total_objects, held.size());
    EXPECT_GE(stats.used_bytes, bytes);
    std::uint64_t sum = 0;
    for (const std::uint64_t count : stats.objects_by_generation) {
      sum += count;
    }
    EXPECT_GE(sum, held.size()) << "objects, and the tensors that hold their bytes";
  }
}

TEST(GarbageCollector, GivesStatisticsThatNeverChange) {
  GarbageCollector gc = open();
  const auto kept = value_or_throw(gc.allocate(ObjectType::kArray, 100));
  const GcStats before = gc.get_statistics();

  const auto more = value_or_throw(gc.allocate(ObjectType::kVector, 100'000));
  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(before.total_objects, 1u);
  EXPECT_EQ(before.total_collections, 0u);
  EXPECT_EQ(gc.get_statistics().total_objects, 2u);
}

TEST(GarbageCollector, CollectsNoGenerationThatIsNotThere) {
  GarbageCollector gc = open();

  EXPECT_EQ(gc.collect(3).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(gc.collect(2).ok());
}

TEST(GarbageCollector, CollectsAsFarAsTheHeapIsFull) {
  GarbageCollector gc =
      open({.young_gen_size_mb = 1, .mode = GcMode::kManual, .heap_limit_mb = 16});
  std::vector<Handle<GcObject>> held;
  const auto fill_to = [&](double share) {
    while (gc.pressure().heap_share < share) {
      held.push_back(value_or_throw(gc.allocate(ObjectType::kArray, 10'000)));
    }
  };
  EXPECT_EQ(value_or_throw(gc.collect()).collected, 0u);
  fill_to(0.75);
  EXPECT_EQ(value_or_throw(gc.collect()).collected, 1u);
  fill_to(0.92);
  held.clear();
  EXPECT_EQ(value_or_throw(gc.collect()).collected, 2u);
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
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
  EXPECT_EQ(gc.add_root(array).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.remove_root(array).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.on_pressure([](const PressureCall&) {}).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.add_root_callback([](RootVisitor&) {}).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(gc.pressure().share, 0.0);
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    count += entry.exists() ? 1 : 0;
  }
  return count;
}

Bytes mapped() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * 4_KiB;
}

TEST(GarbageCollector, LeavesNoThreadDescriptorOrMappingAtItsEnd) {
  constexpr std::size_t kPayload = 64u << 20;
  const auto live_once = [] {
    GarbageCollector gc = open({.young_gen_size_mb = 1, .mode = GcMode::kConcurrent});
    const auto kept = value_or_throw(gc.allocate(ObjectType::kArray, kPayload));
    for (int k = 0; k < 50'000; ++k) {
      (void)value_or_throw(gc.allocate(ObjectType::kArray, 100));
    }
    gc.shutdown();
  };
  live_once();  // what the process keeps for all, such as the cage
  const std::size_t descriptors = entries_of("/proc/self/fd");
  const std::size_t threads = entries_of("/proc/self/task");
  const Bytes before = mapped();

  for (int k = 0; k < 4; ++k) {
    live_once();
  }

  EXPECT_EQ(entries_of("/proc/self/fd"), descriptors);
  // A thread that was joined may still be listed for a moment.
  for (int k = 0; k < 1000 && entries_of("/proc/self/task") > threads; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(entries_of("/proc/self/task"), threads);
  if (TENURE_TEST_SHARE == 1) {  // a sanitizer keeps what was freed, and has memory of its own
    EXPECT_LT(mapped(), before + Bytes{2 * kPayload}) << "four of them lived since";
  }
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
