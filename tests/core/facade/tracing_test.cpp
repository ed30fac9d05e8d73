// What the dynamic door says of edges between generations, and of the law of marking.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"
#include "tests/support/facade_fixture.hpp"

namespace tenure {
namespace {

std::set<const GcObject*> places(const std::vector<Handle<GcObject>>& handles) {
  std::set<const GcObject*> found;
  for (const Handle<GcObject>& handle : handles) found.insert(handle.get());
  return found;
}

TEST(RememberedSets, HoldTheOwnersOfEdgesToSomethingYounger) {
  GarbageCollector gc = open();
  RememberedSet set = gc.remembered_set();
  const auto owner = make(gc, 2);
  const auto other = make(gc, 2);
  value_or_throw(gc.force_full_collection());
  EXPECT_TRUE(value_or_throw(set.get_dirty_objects()).empty());
  const auto young = make(gc, 1);

  link(gc, owner, 0, young);
  link(gc, other, 0, owner);  // old to old

  EXPECT_EQ(places(value_or_throw(set.get_dirty_objects())),
            (std::set<const GcObject*>{owner.get()}));
}

TEST(RememberedSets, KeepAnEdgeForAsLongAsItIsThere) {
  GarbageCollector gc = open();
  RememberedSet set = gc.remembered_set();
  const auto owner = make(gc, 1);
  value_or_throw(gc.force_full_collection());
  {
    const auto young = make(gc, 0);
    link(gc, owner, 0, young);

    EXPECT_EQ(set.remove_reference(owner, young).failure().code, ErrorCode::kBadArgument);
    EXPECT_GE(value_or_throw(set.clear_dirty_objects()), 1u);
  }

  EXPECT_EQ(value_or_throw(set.get_dirty_objects()).size(), 1u);
  value_or_throw(gc.collect(0));
  EXPECT_NE(owner->reference(0), nullptr);
}

TEST(RememberedSets, ForgetWhatIsGoneWhenAsked) {
  GarbageCollector gc = open();
  RememberedSet set = gc.remembered_set();
  const auto owner = make(gc, 1);
  value_or_throw(gc.force_full_collection());
  const auto young = make(gc, 0);
  link(gc, owner, 0, young);
  value_or_throw(gc.reference_tracker().remove_reference(owner, 0));
  ASSERT_TRUE(has(value_or_throw(gc.header(owner)).flags, GcFlags::kRemembered));
  EXPECT_TRUE(value_or_throw(set.get_dirty_objects()).empty()) << "its card, not it";

  EXPECT_FALSE(value_or_throw(set.remove_reference(owner, young)));

  EXPECT_FALSE(has(value_or_throw(gc.header(owner)).flags, GcFlags::kRemembered));
  EXPECT_EQ(set.record_reference(owner, young).failure().code, ErrorCode::kBadArgument);
}

TEST(RememberedSets, EqualAWalkOfRandomGraphs) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GarbageCollector gc = open({.num_generations = 3, .young_gen_size_mb = 1, .debug_mode = true});
    std::mt19937_64 random(seed);
    std::vector<Handle<GcObject>> objects;
    for (int step = 0; step < 600; ++step) {
      if (objects.size() < 100 || random() % 4 == 0) {
        objects.push_back(make(gc, 3));
      }
      const auto& from = objects[random() % objects.size()];
      link(gc, from, static_cast<std::uint32_t>(random() % 3), objects[random() % objects.size()]);
      if (random() % 50 == 0) {
        value_or_throw(gc.collect(static_cast<std::uint32_t>(random() % 3)));
      }
      if (random() % 80 == 0) {
        value_or_throw(gc.remembered_set().clear_dirty_objects());
      }
    }
    std::map<const GcObject*, std::uint32_t> generations;
    for (const auto& object : objects) {
      generations[object.get()] = value_or_throw(gc.header(object)).generation;
    }
    std::set<const GcObject*> expected;
    for (const auto& object : objects) {
      for (std::uint32_t slot = 0; slot < 3; ++slot) {
        const GcObject* const target = object->reference(slot);
        if (target != nullptr && generations[target] < generations[object.get()]) {
          expected.insert(object.get());
        }
      }
    }
    EXPECT_EQ(places(value_or_throw(gc.remembered_set().get_dirty_objects())), expected);
  }
}

TEST(WriteBarriers, AreTurnedOffAndOnAndNothingIsLost) {
  GarbageCollector gc = open();
  WriteBarrier barrier = gc.write_barrier();
  const auto owner = make(gc, 2);
  value_or_throw(gc.force_full_collection());
  EXPECT_TRUE(barrier.is_enabled());
  value_or_throw(barrier.disable());
  EXPECT_FALSE(barrier.is_enabled());
  { link(gc, owner, 0, make(gc, 0)); }
  EXPECT_FALSE(has(value_or_throw(gc.header(owner)).flags, GcFlags::kRemembered))
      << "nobody notes the store";

  value_or_throw(gc.collect(0));
  ASSERT_NE(owner->reference(0), nullptr);
  EXPECT_EQ(owner->reference(0)->size(), 8u);
  value_or_throw(barrier.enable());
  { link(gc, owner, 1, make(gc, 0)); }
  EXPECT_TRUE(has(value_or_throw(gc.header(owner)).flags, GcFlags::kRemembered));
  value_or_throw(gc.collect(0));
  EXPECT_NE(owner->reference(1), nullptr);
  EXPECT_EQ(barrier.record_write(owner, 2).failure().code, ErrorCode::kBadArgument);
  EXPECT_TRUE(barrier.record_write(owner, 1).ok());
}

TEST(WriteBarriers, AreRefusedOffWhereTheModeNeedsThem) {
  for (const GcMode mode : {GcMode::kIncremental, GcMode::kConcurrent}) {
    const Result<GarbageCollector> refused =
        GarbageCollector::open({.mode = mode, .enable_write_barriers = false});
    ASSERT_EQ(refused.failure().code, ErrorCode::kBadConfig);
    EXPECT_NE(refused.failure().message.find("enable_write_barriers"), std::string::npos);
    GarbageCollector gc = open({.young_gen_size_mb = 1, .mode = mode});
    EXPECT_EQ(gc.write_barrier().disable().failure().code, ErrorCode::kUnsupported);
  }
  GarbageCollector gc = open({.young_gen_size_mb = 1, .enable_write_barriers = false});
  EXPECT_FALSE(gc.write_barrier().is_enabled());
}

TEST(AgeTrackers, EqualAWalk) {
  GarbageCollector gc = open();
  AgeTracker tracker = gc.age_tracker();
  std::vector<Handle<GcObject>> objects;
  for (int round = 0; round < 6; ++round) {
    for (int k = 0; k < 10; ++k) objects.push_back(make(gc, 0));
    value_or_throw(gc.collect(0));
  }
  for (std::uint32_t generation = 0; generation < 2; ++generation) {
    std::array<std::uint64_t, kAgeLimit + 1> expected{};
    for (const auto& object : objects) {
      if (value_or_throw(gc.header(object)).generation == generation) {
        ++expected[value_or_throw(tracker.get_age(object))];
      }
    }
    EXPECT_EQ(value_or_throw(tracker.get_age_distribution(generation)), expected);
  }
  const auto young = make(gc, 0);
  int survived = 0;
  while (!value_or_throw(tracker.should_promote(young))) {
    value_or_throw(gc.collect(0));
    ++survived;
    ASSERT_LT(survived, 20);
  }
  ASSERT_EQ(value_or_throw(gc.header(young)).generation, 0u);
  value_or_throw(gc.collect(0));
  EXPECT_EQ(value_or_throw(gc.header(young)).generation, 1u);
  EXPECT_EQ(tracker.get_age_distribution(3).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(tracker.get_age({}).failure().code, ErrorCode::kBadArgument);
}

// The walk is the tracer's own: a list of a million, on a stack that recursion would use up.
TEST(ReferenceTracers, FollowAListOfAMillionInPieces) {
  GarbageCollector gc = open({.young_gen_size_mb = 8});
  constexpr std::uint64_t kLength = 1'000'000;
  Handle<GcObject> head = make(gc, 1);
  const Handle<GcObject> first = head;
  for (std::uint64_t k = 1; k < kLength; ++k) {
    const Handle<GcObject> next = make(gc, 1);
    link(gc, head, 0, next);
    head = next;
  }
  ReferenceTracer tracer = value_or_throw(gc.open_tracer());
  ASSERT_TRUE(value_or_throw(tracer.trace_object(first)));

  std::uint64_t slices = 0;
  while (!value_or_throw(tracer.process_work_stack(100'000))) {
    ++slices;
  }

  EXPECT_EQ(slices, kLength / 100'000 - 1) << "the last finds the stack empty";
  EXPECT_EQ(tracer.reached(), kLength);
  EXPECT_TRUE(value_or_throw(tracer.has_reached(head)));
}

TEST(ReferenceTracers, ReachWhatAnIndependentWalkDoesThoughObjectsMoveMeanwhile) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GarbageCollector gc = open({.young_gen_size_mb = 1, .debug_mode = true});
    std::mt19937_64 random(seed);
    std::vector<Handle<GcObject>> objects;
    for (int k = 0; k < 300; ++k) objects.push_back(make(gc, 2));
    for (int k = 0; k < 450; ++k) {
      link(gc, objects[random() % objects.size()], static_cast<std::uint32_t>(random() % 2),
           objects[random() % objects.size()]);
    }
    ReferenceTracer tracer = value_or_throw(gc.open_tracer());
    value_or_throw(tracer.trace_object(objects[0]));
    while (!value_or_throw(tracer.process_work_stack(1 + random() % 20))) {
      if (random() % 3 == 0) {
        value_or_throw(gc.collect(static_cast<std::uint32_t>(random() % 3)));
      }
    }

    const auto walked =
        places(value_or_throw(gc.reference_tracker().get_reachable_objects(objects[0])));
    ASSERT_EQ(tracer.reached(), walked.size());
    for (const auto& object : objects) {
      ASSERT_EQ(value_or_throw(tracer.has_reached(object)), walked.count(object.get()) != 0);
    }
  }
}

TEST(ReferenceTracers, TakeSlotsOfAnArrayByRange) {
  GarbageCollector gc = open();
  const auto array = make(gc, 10);
  std::vector<Handle<GcObject>> targets;
  for (std::uint32_t slot = 0; slot < 10; ++slot) {
    targets.push_back(make(gc, 0));
    link(gc, array, slot, targets.back());
  }
  ReferenceTracer tracer = value_or_throw(gc.open_tracer());

  EXPECT_EQ(value_or_throw(tracer.trace_array(array, 2, 3)), 3u);

  EXPECT_EQ(tracer.pending(), 3u);
  EXPECT_FALSE(value_or_throw(tracer.has_reached(targets[1])));
  EXPECT_TRUE(value_or_throw(tracer.has_reached(targets[4])));
  EXPECT_FALSE(value_or_throw(tracer.has_reached(array)));
  EXPECT_EQ(value_or_throw(tracer.trace_array(array, 2, 8)), 5u) << "three were there";
  EXPECT_EQ(tracer.trace_array(array, 2, 9).failure().code, ErrorCode::kBadArgument);
}

TEST(ReferenceTracers, KeepWhatTheyReached) {
  GarbageCollector gc = open();
  {
    ReferenceTracer tracer = value_or_throw(gc.open_tracer());
    value_or_throw(tracer.trace_object(make(gc, 0)));
    value_or_throw(gc.force_full_collection());
    EXPECT_EQ(gc.get_statistics().total_objects, 1u);
  }
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
}

TEST(ObjectRelocators, KeepASideTableRightThroughCompaction) {
  GarbageCollector gc = open();
  ObjectRelocator relocator = value_or_throw(gc.open_relocator());
  std::vector<Handle<GcObject>> objects;
  std::map<const void*, std::size_t> table;  // by address
  for (std::size_t k = 0; k < 5'000; ++k) {
    objects.push_back(make(gc, 0, 8 + k % 200));
    if (k % 4 == 0) {
      table[value_or_throw(relocator.add_forwarding(objects.back()))] = k;
    } else if (k % 2 == 0) {
      objects.back() = {};  // holes for the compaction
    }
  }
  value_or_throw(gc.force_full_collection());
  value_or_throw(gc.heap_manager().compact_heap());

  EXPECT_EQ(relocator.count(), table.size());
  EXPECT_EQ(value_or_throw(relocator.moved()), table.size());
  for (const auto& [key, k] : table) {
    ASSERT_EQ(value_or_throw(relocator.relocate_reference(key)), objects[k].get());
  }
  value_or_throw(relocator.rebase());
  EXPECT_EQ(value_or_throw(relocator.moved()), 0u);
  EXPECT_EQ(value_or_throw(relocator.relocate_reference(objects[0].get())), objects[0].get());
  EXPECT_TRUE(value_or_throw(relocator.remove_forwarding(objects[0].get())));
  EXPECT_EQ(value_or_throw(relocator.relocate_reference(objects[0].get())), nullptr);
}

TEST(ObjectRelocators, AreClosedWithTheirCollector) {
  GarbageCollector gc = open();
  ObjectRelocator relocator = value_or_throw(gc.open_relocator());
  ReferenceTracer tracer = value_or_throw(gc.open_tracer());
  gc.shutdown();

  EXPECT_EQ(relocator.relocate_reference(nullptr).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(tracer.process_work_stack(1).failure().code, ErrorCode::kClosed);
  EXPECT_FALSE(gc.open_tracer().ok());
}

}  // namespace
}  // namespace tenure
