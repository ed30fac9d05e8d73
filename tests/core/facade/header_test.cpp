// What the header of an object of the dynamic door says, and when.
#include "tenure/facade/header.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/finalizer.hpp"
#include "tenure/pinned.hpp"
#include "tenure/runtime.hpp"
#include "tenure/weak.hpp"

namespace tenure {
namespace {

GarbageCollector open() {
  return value_or_throw(GarbageCollector::open({.young_gen_size_mb = 1, .debug_mode = true}));
}

Handle<GcObject> make(GarbageCollector& gc, std::uint32_t references, std::uint64_t size = 8) {
  return value_or_throw(gc.allocate(ObjectType::kArray, size, {.references = references}));
}

bool has(GarbageCollector& gc, const Handle<GcObject>& object, GcFlags flag) {
  return has(value_or_throw(gc.header(object)).flags, flag);
}

TEST(Header, SaysWhatIsKnownOfAnObject) {
  GarbageCollector gc = open();
  const auto object = make(gc, 2, 50);

  const GcHeader header = value_or_throw(gc.header(object));

  EXPECT_EQ(header.size, 50u);
  EXPECT_EQ(header.type, ObjectType::kArray);
  EXPECT_EQ(header.references, 2u);
  EXPECT_EQ(header.generation, 0u);
  EXPECT_EQ(header.flags, GcFlags::kConcurrentSafe);
  EXPECT_EQ(type_name(header.type_id), "array");
  value_or_throw(gc.collect(0));
  EXPECT_EQ(value_or_throw(gc.header(object)).age, 1u);
  EXPECT_FALSE(gc.header({}).ok());
}

// A full collection promotes and marks all that lives, and a compaction moves some of that.
TEST(Header, SaysMarkedWhereTheLastMarkingReachedIt) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GarbageCollector gc = open();
    std::mt19937_64 random(seed);
    std::vector<Handle<GcObject>> objects;
    for (int k = 0; k < 3'000; ++k) {
      objects.push_back(make(gc, 1, 1 + random() % 200));
      EXPECT_FALSE(has(gc, objects.back(), GcFlags::kMarked));
    }
    for (std::size_t k = 0; k + 1 < objects.size(); ++k) {
      value_or_throw(
          gc.reference_tracker().add_reference(objects[k], 0, objects[random() % objects.size()]));
    }
    std::shuffle(objects.begin(), objects.end(), random);
    objects.resize(300);  // and what these lead to

    value_or_throw(gc.force_full_collection());

    const auto all_are_marked = [&] {
      for (const auto& root : objects) {
        for (const auto& object :
             value_or_throw(gc.reference_tracker().get_reachable_objects(root))) {
          if (!has(gc, object, GcFlags::kMarked)) return false;
        }
      }
      return true;
    };
    EXPECT_TRUE(all_are_marked());
    value_or_throw(gc.heap_manager().compact_heap());
    EXPECT_TRUE(all_are_marked()) << "also where they moved";
    const auto later = make(gc, 0);
    for (int k = 0; k < 12; ++k) value_or_throw(gc.collect(1));
    ASSERT_EQ(value_or_throw(gc.header(later)).generation, 2u);
    EXPECT_FALSE(has(gc, later, GcFlags::kMarked)) << "no marking came since";
    value_or_throw(gc.force_full_collection());
    EXPECT_TRUE(has(gc, later, GcFlags::kMarked));
  }
}

TEST(Header, SaysPinnedForAsLongAsAPinIsHeldAndTheAddressStays) {
  GarbageCollector gc = open();
  const auto object = make(gc, 1);
  const auto pin = [&] {
    SharedMutator::Use use(gc.mutator());
    return Pinned<GcObject>(use.mutator().core(), object.index());
  };
  std::vector<Pinned<GcObject>> pins{pin(), pin()};
  const GcObject* const address = object.get();
  for (int k = 0; k < 200; ++k) {  // 50 of each kind
    k % 4 == 3 ? value_or_throw(gc.heap_manager().compact_heap())
               : value_or_throw(gc.collect(static_cast<std::uint32_t>(k % 4)));
    ASSERT_EQ(object.get(), address);
    ASSERT_TRUE(has(gc, object, GcFlags::kPinned));
  }
  pins.pop_back();
  EXPECT_TRUE(has(gc, object, GcFlags::kPinned));
  pins.clear();

  EXPECT_FALSE(has(gc, object, GcFlags::kPinned));
  EXPECT_FALSE(value_or_throw(gc.header(object)).is_pinned());
}

TEST(Header, SaysLargeWhereDataLieInAPayloadThatPromotionsLeaveAlone) {
  GarbageCollector gc = open();
  const auto large = make(gc, 0, 32 * 1024);
  const auto wide = make(gc, 60'000);  // slots of 240 KB
  const auto small = make(gc, 0, 32 * 1024 - 1);
  const std::byte* const data = large->bytes().data();

  EXPECT_TRUE(has(gc, large, GcFlags::kLargeObject));
  EXPECT_TRUE(has(gc, wide, GcFlags::kLargeObject));
  EXPECT_FALSE(has(gc, small, GcFlags::kLargeObject));
  for (std::uint32_t k = 0; k < 9; ++k) {
    value_or_throw(gc.collect(k % 3));
  }
  EXPECT_EQ(value_or_throw(gc.header(large)).generation, 2u);
  EXPECT_EQ(large->bytes().data(), data);
}

TEST(Header, SaysFinalizerUntilItRan) {
  GarbageCollector gc = open();
  const auto object = make(gc, 0);
  int ran = 0;
  {
    SharedMutator::Use use(gc.mutator());
    const Local<GcObject> local(use.mutator(), object);
    ASSERT_TRUE(set_finalizer(use.mutator(), local, [&](Local<GcObject> dying) {
                  ran += dying->size() == 8 ? 1 : 100;
                }).ok());
  }
  EXPECT_TRUE(has(gc, object, GcFlags::kFinalizer));
  value_or_throw(gc.collect(0));
  EXPECT_TRUE(value_or_throw(gc.header(object)).has_finalizer());

  EXPECT_TRUE(value_or_throw(gc.finalize(object)));

  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(has(gc, object, GcFlags::kFinalizer));
  EXPECT_FALSE(value_or_throw(gc.finalize(object)));
  value_or_throw(gc.force_full_collection());
  SharedMutator::Use use(gc.mutator());
  const Local<GcObject> local(use.mutator(), object);
  EXPECT_FALSE(set_finalizer(use.mutator(), local, [](Local<GcObject>) {}).ok()) << "it ran";
  EXPECT_EQ(gc.runtime().statistics().finalizers.ran, 1u);
}

TEST(Header, SaysWeakRefsUntilTheLastIsGoneOrAllWereCleared) {
  GarbageCollector gc = open();
  const auto object = make(gc, 0);
  const auto other = make(gc, 0);
  int told = 0;
  const auto weak = [&](const Handle<GcObject>& to) {
    SharedMutator::Use use(gc.mutator());
    return Weak<GcObject>(Local<GcObject>(use.mutator(), to), [&] { ++told; });
  };
  std::vector<Weak<GcObject>> held;
  EXPECT_FALSE(has(gc, object, GcFlags::kWeakRefs));
  held.push_back(weak(object));
  held.push_back(weak(object));
  value_or_throw(gc.collect(1));
  EXPECT_TRUE(has(gc, object, GcFlags::kWeakRefs));
  held.pop_back();
  EXPECT_TRUE(has(gc, object, GcFlags::kWeakRefs));
  held.pop_back();
  EXPECT_FALSE(has(gc, object, GcFlags::kWeakRefs));

  held = {};
  held.push_back(weak(object));
  held.push_back(weak(other));
  held.push_back(weak(object));

  EXPECT_EQ(value_or_throw(gc.clear_weak_refs(object)), 2u);

  EXPECT_TRUE(held[0].is_null() && held[2].is_null());
  EXPECT_FALSE(held[1].is_null());
  EXPECT_FALSE(has(gc, object, GcFlags::kWeakRefs));
  EXPECT_TRUE(has(gc, other, GcFlags::kWeakRefs));
  value_or_throw(gc.force_full_collection());
  {
    SharedMutator::Use use(gc.mutator());
    run_finalizers(use.mutator());
  }
  EXPECT_EQ(told, 0) << "clearing tells nobody";
}

TEST(Header, SaysImmutableOnceSealedAndStoresLeaveTheValue) {
  GarbageCollector gc = open();
  const auto object = make(gc, 1);
  value_or_throw(object->writable_bytes())[0] = std::byte{7};
  ASSERT_TRUE(gc.reference_tracker().add_reference(object, 0, object).ok());

  ASSERT_TRUE(gc.seal(object).ok());

  for (std::uint32_t k = 0; k < 9; ++k) {
    EXPECT_TRUE(has(gc, object, GcFlags::kImmutable));
    EXPECT_EQ(object->writable_bytes().failure().code, ErrorCode::kBadArgument);
    EXPECT_FALSE(gc.reference_tracker().remove_reference(object, 0).ok());
    EXPECT_EQ(object->bytes()[0], std::byte{7});
    EXPECT_EQ(object->reference(0), object.get());
    value_or_throw(gc.collect(k % 3));
  }
}

TEST(Header, SaysRememberedWhileAnEdgeLeadsToSomethingYounger) {
  GarbageCollector gc = open();
  const auto old = make(gc, 1, 1'000);
  value_or_throw(gc.force_full_collection());
  ASSERT_EQ(value_or_throw(gc.header(old)).generation, 2u);
  EXPECT_FALSE(has(gc, old, GcFlags::kRemembered));
  {
    const auto young = make(gc, 0);
    ASSERT_TRUE(gc.reference_tracker().add_reference(old, 0, young).ok());
  }
  EXPECT_TRUE(has(gc, old, GcFlags::kRemembered));
  value_or_throw(gc.collect(0));
  EXPECT_TRUE(has(gc, old, GcFlags::kRemembered)) << "the edge is there";
  EXPECT_EQ(old->reference(0)->size(), 8u);

  ASSERT_TRUE(gc.reference_tracker().remove_reference(old, 0).ok());
  value_or_throw(gc.collect(0));

  EXPECT_FALSE(has(gc, old, GcFlags::kRemembered));
}

}  // namespace
}  // namespace tenure
