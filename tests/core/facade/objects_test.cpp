// The kinds of the dynamic door: what each holds, and what it refers to.
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

TEST(Payloads, AreZeroInWhateverMemoryTheyLie) {
  GarbageCollector gc = open({.device = "host"});  // which answers for the other kinds, readably
  for (const MemoryKind memory :
       {MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kUnified, MemoryKind::kDevice}) {
    for (int round = 0; round < 2; ++round) {
      const auto object =
          value_or_throw(gc.allocate(ObjectType::kVector, 100'000, {.memory = memory}));
      std::byte* const data = object->payload()->data();
      ASSERT_EQ(std::count(data, data + 100'000, std::byte{0}), 100'000) << to_string(memory);
      std::fill(data, data + 100'000, std::byte{0xFF});
      ASSERT_TRUE(gc.heap_manager().deallocate_object(object).ok());
    }
  }
}

StructLayout point() {
  return value_or_throw(StructLayout::declare("Point", {.size = 24, .references = 2},
                                              {{"next", 1}, {"owner", 0}},
                                              {{"x", ElementType::kFloat64, 0},
                                               {"tag", ElementType::kInt32, 8},
                                               {"marks", ElementType::kUint8, 12, 12}}));
}

TEST(PermanentObjects, AreNeitherCollectedNorMovedAndKeepWhatTheyReferTo) {
  GarbageCollector gc = open({.young_gen_size_mb = 1, .debug_mode = true, .permanent_size_mb = 1});
  std::vector<Weak<GcObject>> weak;
  const GcObject* address = nullptr;
  {
    const auto permanent =
        value_or_throw(gc.allocate(ObjectType::kArray, 100, {.references = 1, .permanent = true}));
    const auto child = make(gc, 0, 33);
    ASSERT_TRUE(gc.reference_tracker().add_reference(permanent, 0, child).ok());
    SharedMutator::Use use(gc.mutator());
    weak.emplace_back(Local<GcObject>(use.mutator(), permanent));
    address = permanent.get();
  }
  for (std::uint32_t k = 0; k < 12; ++k) {
    k % 4 == 3 ? value_or_throw(gc.heap_manager().compact_heap())
               : value_or_throw(gc.collect(k % 4));
    SharedMutator::Use use(gc.mutator());
    const Local<GcObject> object = weak[0].lock(use.mutator());
    ASSERT_EQ(object.get(), address);
    ASSERT_EQ(object->reference(0)->size(), 33u);
  }

  EXPECT_EQ(gc.get_statistics().permanent_objects, 1u);
  EXPECT_EQ(gc.get_statistics().total_objects, 2u);
  const auto fill = [&] { return gc.allocate(ObjectType::kArray, 30'000, {.permanent = true}); };
  std::uint64_t made = 0;
  while (fill().ok()) ++made;
  EXPECT_EQ(made, 34u) << "of 1 MiB";
  EXPECT_NE(fill().failure().message.find("permanent_size_mb"), std::string::npos);
  EXPECT_EQ(fill().failure().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(gc.shutdown().handles_outstanding, 0u);
}

TEST(Structs, HaveTheSlotsAndFieldsThatWereDeclared) {
  GarbageCollector gc = open();
  const StructLayout layout = point();
  const auto object = value_or_throw(gc.allocate_struct(layout));
  const auto other = value_or_throw(gc.allocate_struct(layout));

  ASSERT_TRUE(layout.set(object, "x", 2.5).ok());
  ASSERT_TRUE(layout.set(object, "tag", std::int32_t{-7}).ok());
  const std::uint32_t next = value_or_throw(layout.slot("next"));
  ASSERT_TRUE(gc.reference_tracker().add_reference(object, next, other).ok());
  for (std::uint32_t k = 0; k < 9; ++k) {
    value_or_throw(gc.collect(k % 3));
  }

  EXPECT_EQ(value_or_throw(layout.get<double>(object, "x")), 2.5);
  EXPECT_EQ(value_or_throw(layout.get<std::int32_t>(object, "tag")), -7);
  EXPECT_EQ(value_or_throw(layout.get<double>(other, "x")), 0.0);
  EXPECT_EQ(object->reference(next), other.get());
  EXPECT_EQ(object->type(), ObjectType::kStruct);
  EXPECT_EQ(gc.get_statistics().objects_by_type,
            (std::map<std::string, std::uint64_t>{{"struct", 2}}));
  EXPECT_EQ(type_field_name(layout.type(), next + 1), "Point.next");
  const auto refused = [](const auto& result) {
    return !result.ok() && result.failure().code == ErrorCode::kBadArgument;
  };
  EXPECT_TRUE(refused(layout.get<float>(object, "x"))) << "another type";
  EXPECT_TRUE(refused(layout.get<double>(object, "z"))) << "no such field";
  EXPECT_TRUE(refused(layout.slot("x")));
  EXPECT_TRUE(refused(layout.get<double>(make(gc, 2, 24), "x"))) << "another layout";
  ASSERT_TRUE(gc.seal(object).ok());
  EXPECT_TRUE(refused(layout.set(object, "x", 1.0)));
}

TEST(Structs, ThatOverlapOrReachOutsideAreRefusedWhenDeclared) {
  const auto refused = [](const char* with, std::vector<StructSlot> slots,
                          std::vector<StructField> fields) {
    const auto made = StructLayout::declare("S", {.size = 16, .references = 2}, std::move(slots),
                                            std::move(fields));
    return !made.ok() && made.failure().code == ErrorCode::kBadArgument &&
           made.failure().message.find(with) != std::string::npos;
  };
  EXPECT_TRUE(refused("outside", {{"a", 2}}, {}));
  EXPECT_TRUE(refused("overlap", {{"a", 1}, {"b", 1}}, {}));
  EXPECT_TRUE(refused("another's", {{"a", 0}, {"a", 1}}, {}));
  EXPECT_TRUE(refused("another's", {{"a", 0}}, {{"a", ElementType::kInt8, 0}}));
  EXPECT_TRUE(refused("without a name", {}, {{"", ElementType::kInt8, 0}}));
  EXPECT_TRUE(refused("outside", {}, {{"a", ElementType::kFloat64, 16}}));
  EXPECT_TRUE(refused("outside", {}, {{"a", ElementType::kFloat64, 8, 2}}));
  EXPECT_TRUE(refused("outside", {}, {{"a", ElementType::kFloat64, 0, ~std::uint64_t{0}}}));
  EXPECT_TRUE(refused("aligned", {}, {{"a", ElementType::kFloat64, 4}}));
  EXPECT_TRUE(
      refused("overlap", {}, {{"a", ElementType::kFloat64, 0}, {"b", ElementType::kInt32, 4}}));
  EXPECT_TRUE(StructLayout::declare("S", {.size = 16, .references = 2}, {{"a", 0}, {"b", 1}},
                                    {{"x", ElementType::kComplex128, 0}})
                  .ok());
}

TEST(References, OfRandomGraphsLeadWhereTheyShouldThroughCollections) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const auto generations = static_cast<std::uint32_t>(1 + seed % 8);
    GarbageCollector gc = open({.num_generations = generations,
                                .young_gen_size_mb = 1,
                                .enable_write_barriers = seed % 3 != 0,
                                .enable_compaction = generations > 1,
                                .debug_mode = true});
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
        value_or_throw(gc.collect(static_cast<std::uint32_t>(random() % generations)));
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
  GarbageCollector other = open();
  const auto foreign = make(other, 1);
  EXPECT_EQ(tracker.add_reference(object, 0, foreign).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(tracker.add_reference(foreign, 0, object).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(gc.header(foreign).failure().code, ErrorCode::kBadArgument);
  EXPECT_FALSE(gc.allocate_closure("c", kCode, std::vector{foreign}).ok());
}

}  // namespace
}  // namespace tenure
