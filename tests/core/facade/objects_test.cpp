// The kinds of the dynamic door: what each holds, what it refers to, and what its header says.
#include "tenure/facade/objects.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <complex>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tenure/facade/garbage_collector.hpp"
#include "tenure/finalizer.hpp"
#include "tenure/object.hpp"
#include "tenure/pinned.hpp"
#include "tenure/runtime.hpp"
#include "tenure/weak.hpp"

namespace tenure {
namespace {

GarbageCollector open(const GcConfiguration& configuration = {.young_gen_size_mb = 1,
                                                              .debug_mode = true}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

Handle<GcObject> make(GarbageCollector& gc, std::uint32_t references, std::uint64_t size = 8) {
  return value_or_throw(gc.allocate(ObjectType::kArray, size, {.references = references}));
}

bool has(GarbageCollector& gc, const Handle<GcObject>& object, GcFlags flag) {
  return has(value_or_throw(gc.header(object)).flags, flag);
}

void code() {}
const void* const kCode = reinterpret_cast<const void*>(&code);

TEST(Kinds, AreCountedByTypeAfterEachStepOfARandomRun) {
  GarbageCollector gc = open();
  std::mt19937_64 random(5);
  std::vector<Handle<GcObject>> held;
  for (int step = 0; step < 2'000; ++step) {
    const auto type = static_cast<ObjectType>(random() % kObjectTypes);
    const std::uint64_t size = type == ObjectType::kScalar    ? 8
                               : type == ObjectType::kComplex ? 16
                                                              : random() % 200;
    if (type == ObjectType::kUnitValue) {
      value_or_throw(gc.allocate(type, 0));
    } else if (type == ObjectType::kFunction) {
      held.push_back(value_or_throw(gc.allocate_function("f", kCode)));
    } else if (type == ObjectType::kClosure) {
      held.push_back(value_or_throw(gc.allocate_closure("c", kCode, {})));
    } else {
      held.push_back(value_or_throw(gc.allocate(type, size)));
    }
    if (random() % 4 == 0) {
      held.erase(held.begin() +
                     static_cast<std::ptrdiff_t>(random() % std::max<std::size_t>(held.size(), 1)),
                 held.end());
      value_or_throw(gc.force_full_collection());
    }
    if (step % 20 != 0) {
      continue;
    }
    value_or_throw(gc.force_full_collection());
    std::map<std::string, std::uint64_t> expected;
    for (const Handle<GcObject>& object : held) {
      ++expected[std::string(to_string(object->type()))];
    }
    ASSERT_EQ(gc.get_statistics().objects_by_type, expected) << "seed 5, step " << step;
  }
}

TEST(Kinds, KeepTheirValuesThroughEveryPromotion) {
  GarbageCollector gc = open({.num_generations = 4, .young_gen_size_mb = 1});
  auto scalar =
      value_or_throw(ScalarObject::of(value_or_throw(gc.allocate(ObjectType::kScalar, 8))));
  auto complex =
      value_or_throw(ComplexObject::of(value_or_throw(gc.allocate(ObjectType::kComplex, 16))));
  const auto text = value_or_throw(StringObject::of(value_or_throw(gc.allocate_string("grüße"))));
  auto vector = value_or_throw(VectorObject::of(
      value_or_throw(gc.allocate(ObjectType::kVector, 80, {.element = ElementType::kFloat64}))));
  const auto array = value_or_throw(ArrayObject::of(make(gc, 3)));
  ASSERT_TRUE(scalar.set(2.5).ok());
  ASSERT_TRUE(complex.set({1, -1}).ok());
  value_or_throw(vector.elements<double>())[9] = 9.5;
  ASSERT_TRUE(gc.reference_tracker().add_reference(array.handle(), 1, text.handle()).ok());
  const double* const elements = value_or_throw(vector.elements<double>()).data();

  for (int k = 0; k < 12; ++k) {
    value_or_throw(gc.collect(k % 4 == 3 ? 3 : static_cast<std::uint32_t>(k) % 4));
    ASSERT_EQ(scalar.get(), 2.5);
    ASSERT_EQ(complex.get(), std::complex<double>(1, -1));
    ASSERT_EQ(text.text(), "grüße");
    ASSERT_EQ(value_or_throw(vector.elements<double>())[9], 9.5);
    ASSERT_EQ(array[1], text.handle().get());
  }

  EXPECT_EQ(value_or_throw(gc.header(scalar.handle())).generation, 3u);
  EXPECT_EQ(value_or_throw(vector.elements<double>()).data(), elements);
  EXPECT_EQ(value_or_throw(vector.elements<double>()).size(), 10u);
  EXPECT_FALSE(vector.elements<float>().ok());
  EXPECT_FALSE(ScalarObject::of(text.handle()).ok());
  EXPECT_FALSE(ScalarObject::of({}).ok());
}

TEST(Kinds, CostAMarkingNothingForTheLengthOfAVector) {
  const auto marked = [](std::uint64_t bytes) {
    GarbageCollector gc = open();
    const auto kept = value_or_throw(gc.allocate(ObjectType::kVector, bytes));
    const CollectionReport report = value_or_throw(gc.force_full_collection());
    return std::pair(report.objects_marked, report.bytes_promoted);
  };

  EXPECT_EQ(marked(1 << 16), marked(64 << 20));
}

TEST(Strings, AreNotWrittenTo) {
  GarbageCollector gc = open();
  const auto text = value_or_throw(gc.allocate_string("constant"));

  EXPECT_EQ(text->writable_bytes().failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(value_or_throw(StringObject::of(text)).text(), "constant");
  EXPECT_TRUE(has(gc, text, GcFlags::kImmutable));
  EXPECT_FALSE(gc.allocate_string("\xC0\xAF").ok()) << "overlong";
  EXPECT_FALSE(gc.allocate_string("\xED\xA0\x80").ok()) << "a surrogate";
  EXPECT_FALSE(gc.allocate_string("\xE2\x82").ok()) << "cut short";
  EXPECT_TRUE(gc.allocate_string("\xF0\x9F\x8C\xB3").ok());
  EXPECT_EQ(value_or_throw(gc.allocate(ObjectType::kString, 3))->writable_bytes().failure().code,
            ErrorCode::kBadArgument);
  const std::string large(100'000, 'x');
  EXPECT_EQ(value_or_throw(StringObject::of(value_or_throw(gc.allocate_string(large)))).text(),
            large);
}

TEST(UnitValues, AreOneObjectThatNothingCounts) {
  GarbageCollector gc = open();
  const auto one = value_or_throw(gc.allocate(ObjectType::kUnitValue, 0));
  auto two = value_or_throw(gc.allocate(ObjectType::kUnitValue, 0));

  EXPECT_EQ(one.get(), two.get());
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
  EXPECT_TRUE(gc.get_statistics().objects_by_type.empty());
  two.reset();
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(value_or_throw(gc.allocate(ObjectType::kUnitValue, 0)).get(), one.get());
  EXPECT_FALSE(gc.allocate(ObjectType::kUnitValue, 8).ok());
}

TEST(Closures, KeepWhatTheyCapturedForAsLongAsTheyLive) {
  GarbageCollector gc = open();
  std::vector<Handle<GcObject>> captures{make(gc, 0, 100), value_or_throw(gc.allocate_string("a"))};
  Handle<GcObject> closure = value_or_throw(gc.allocate_closure("fold", kCode, captures));
  captures.clear();

  value_or_throw(gc.collect(0));
  value_or_throw(gc.force_full_collection());

  EXPECT_EQ(gc.get_statistics().total_objects, 3u);
  {
    const auto view = value_or_throw(FunctionObject::of(closure));
    EXPECT_EQ(view.code(), kCode);
    EXPECT_EQ(view.name(), "fold");
    ASSERT_EQ(view.captures(), 2u);
    EXPECT_EQ(view.capture(0)->size(), 100u);
  }
  EXPECT_FALSE(gc.reference_tracker().remove_reference(closure, 0).ok()) << "it is sealed";
  closure.reset();
  value_or_throw(gc.force_full_collection());
  EXPECT_EQ(gc.get_statistics().total_objects, 0u);
  EXPECT_FALSE(gc.allocate_function("none", nullptr).ok());
  EXPECT_FALSE(gc.allocate(ObjectType::kFunction, 8).ok());
}

TEST(Payloads, HaveTheElementTypeShapeAndMemoryAskedFor) {
  GarbageCollector gc = open({.device = "sim:1GiB"});
  const auto matrix = value_or_throw(gc.allocate(
      ObjectType::kMatrix, 48,
      {.memory = MemoryKind::kPinned, .element = ElementType::kFloat32, .shape = {3, 4}}));

  ASSERT_NE(matrix->payload(), nullptr);
  EXPECT_EQ(matrix->payload()->element_type(), ElementType::kFloat32);
  EXPECT_EQ(matrix->payload()->kind(), MemoryKind::kPinned);
  EXPECT_EQ(matrix->payload()->extent(0), 3);
  EXPECT_EQ(matrix->payload()->extent(1), 4);
  EXPECT_TRUE(std::all_of(matrix->bytes().begin(), matrix->bytes().end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
  const auto device =
      value_or_throw(gc.allocate(ObjectType::kTensor, 64, {.memory = MemoryKind::kDevice}));
  EXPECT_TRUE(device->bytes().empty());
  EXPECT_FALSE(device->writable_bytes().ok());
  const auto refused = [&](ObjectType type, std::uint64_t size, const AllocateOptions& options) {
    return gc.allocate(type, size, options).failure().code == ErrorCode::kBadArgument;
  };
  EXPECT_TRUE(refused(ObjectType::kMatrix, 48, {.shape = {48}})) << "one extent";
  EXPECT_TRUE(refused(ObjectType::kMatrix, 48, {.shape = {6, 9}})) << "54 bytes";
  EXPECT_TRUE(refused(ObjectType::kVector, 10, {.element = ElementType::kInt64}))
      << "no whole number";
  EXPECT_TRUE(refused(ObjectType::kScalar, 8, {.shape = {8}})) << "no elements";
  EXPECT_TRUE(refused(ObjectType::kArray, 8, {.references = 65'537}));
  EXPECT_TRUE(refused(ObjectType::kString, 8, {.references = 1}));
}

TEST(References, OfRandomGraphsLeadWhereTheyShouldThroughCollections) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    GarbageCollector gc = open();
    std::mt19937_64 random(seed);
    constexpr std::size_t kObjects = 200;
    std::vector<Handle<GcObject>> objects;
    std::vector<std::vector<std::size_t>> edges(
        kObjects);  // what the test stored; kObjects: nothing
    for (std::size_t k = 0; k < kObjects; ++k) {
      const auto slots = static_cast<std::uint32_t>(random() % 6);
      const bool is_large = random() % 10 == 0;
      objects.push_back(make(gc, slots, is_large ? 40'000 : 1 + random() % 50));
      edges[k].assign(slots, kObjects);
    }
    for (int step = 0; step < 2'000; ++step) {
      const std::size_t from = random() % kObjects;
      if (!edges[from].empty()) {
        const std::size_t slot = random() % edges[from].size();
        const std::size_t to = random() % (kObjects + 1);
        edges[from][slot] = to;
        ReferenceTracker tracker = gc.reference_tracker();
        const auto number = static_cast<std::uint32_t>(slot);
        ASSERT_TRUE((to == kObjects ? tracker.remove_reference(objects[from], number)
                                    : tracker.add_reference(objects[from], number, objects[to]))
                        .ok());
      }
      if (step % 100 == 0) {
        value_or_throw(gc.collect(static_cast<std::uint32_t>(random() % 3)));
      }
    }
    for (std::size_t k = 0; k < kObjects; ++k) {
      for (std::size_t slot = 0; slot < edges[k].size(); ++slot) {
        const GcObject* const target = objects[k]->reference(static_cast<std::uint32_t>(slot));
        const std::size_t to = edges[k][slot];
        ASSERT_EQ(target, to == kObjects ? nullptr : objects[to].get()) << "seed " << seed;
      }
      const auto listed = value_or_throw(gc.references(objects[k]));
      std::vector<const GcObject*> expected;
      for (const std::size_t to : edges[k]) {
        if (to != kObjects) expected.push_back(objects[to].get());
      }
      ASSERT_EQ(listed.size(), expected.size());
      for (std::size_t n = 0; n < listed.size(); ++n) {
        ASSERT_EQ(listed[n].get(), expected[n]) << "seed " << seed;
      }
    }
  }
}

TEST(References, OutsideOfAnObjectAreRefused) {
  GarbageCollector gc = open();
  const auto object = make(gc, 2);
  ReferenceTracker tracker = gc.reference_tracker();

  EXPECT_EQ(tracker.add_reference(object, 2, object).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(tracker.add_reference(object, 0, {}).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(tracker.add_reference({}, 0, object).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(object->reference(2), nullptr);
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
