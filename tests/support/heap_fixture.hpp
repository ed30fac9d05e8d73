// A heap by itself, without a runtime: objects are laid by hand, roots are locals of a core of its
// own, and every collection is verified.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/gc/collector.hpp"
#include "core/gc/verifier.hpp"
#include "core/heap/heap.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/serial_marker.hpp"
#include "tenure/make.hpp"
#include "tenure/type.hpp"

namespace tenure::testing {

inline HeapOptions small_heap() {
  return {.generations = 3,
          .promotion_age = 1,
          .nursery = 1_MiB,
          .nursery_reserve = 4_MiB,
          .limit = 32_MiB};
}

class HeapTest : public ::testing::Test {
 protected:
  explicit HeapTest(const HeapOptions& options = small_heap())
      : heap_owner(value_or_throw(Heap::open(host_platform(), options))), heap(*heap_owner) {
    heap.roots().attach(core);
  }
  ~HeapTest() override { heap.roots().detach(core); }

  /// An object of the nursery with so many references, and so many granules in all.
  ObjectIndex make(std::uint32_t references, std::uint32_t granules = 0) {
    const std::uint32_t size = std::max({kSmallestObject, 1 + (references + 1) / 2, granules});
    if (buffer.first + size > buffer.limit) {
      write_filler(buffer.first, buffer.limit - buffer.first);
      buffer = heap.take_buffer(size).value();
    }
    const ObjectIndex object = object_on(buffer.first);
    buffer.first += size;
    detail::write_zeroed(object, type_with(references), size);
    return object;
  }
  /// An object of the oldest generation.
  ObjectIndex make_old(std::uint32_t references, std::uint64_t granules = kSmallestObject) {
    const ObjectIndex object = heap.take_born_old(type_with(references), granules);
    EXPECT_NE(object, ObjectIndex::kNull);
    return object;
  }
  /// A store with its barrier, in an object that is not in the nursery.
  void store(ObjectIndex holder, std::uint32_t slot, ObjectIndex value) {
    slots_of(holder)[slot] = value;
    const std::uint32_t card = card_of(granule_of(holder) + 1 + slot / 2);
    if (!heap.young().is_in_nursery(holder)) {
      heap.cards().deliver(card);
    }
  }

  CollectionReport collect_young(std::uint32_t last = 0) {
    retire();
    const CollectionReport report =
        collector.collect_young(last, CollectionTrigger::kExplicitRequest);
    expect_sound();
    return report;
  }
  CollectionReport collect_full() {
    retire();
    const CollectionReport report = collector.collect_full(CollectionTrigger::kExplicitRequest);
    expect_sound();
    return report;
  }
  void expect_sound() {
    const Result<void> verified = verify(heap);
    EXPECT_TRUE(verified.ok()) << (verified.ok() ? "" : verified.failure().message);
  }
  std::string fault() {
    retire();
    const Result<void> verified = verify(heap);
    return verified.ok() ? "" : verified.failure().message;
  }
  std::uint64_t count() {
    std::uint64_t objects = 0;
    heap.for_each_object([&](ObjectIndex) { ++objects; });
    return objects;
  }

  /// Keeps an object for a scope, and follows it.
  class Root {
   public:
    Root(HeapTest& test, ObjectIndex object) : test_(test) {
      link_ = {test.core.locals, object};
      test.core.locals = &link_;
    }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    ~Root() { test_.core.locals = link_.below; }
    [[nodiscard]] ObjectIndex get() const { return link_.object; }

   private:
    HeapTest& test_;
    detail::LocalLink link_;
  };

  /// Pins an object for a scope.
  class Pin {
   public:
    Pin(HeapTest& test, ObjectIndex object)
        : pins_(test.heap.roots().pins()), row_(pins_.pin(object)) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { pins_.unpin(row_); }

   private:
    PinTable& pins_;
    detail::PinRow* row_;
  };

  void retire() {
    write_filler(buffer.first, buffer.limit - buffer.first);
    buffer = {};
  }

  static TypeId type_with(std::uint32_t references) {
    static std::map<std::uint32_t, TypeId> types;
    const auto known = types.find(references);
    if (known != types.end()) {
      return known->second;
    }
    std::vector<std::uint32_t> offsets(references);
    for (std::uint32_t k = 0; k < references; ++k) {
      offsets[k] = 4 * k;
    }
    const TypeId type =
        register_type({.name = "test", .offsets = offsets.data(), .reference_count = references});
    types.emplace(references, type);
    return type;
  }

  std::unique_ptr<Heap> heap_owner;
  Heap& heap;
  detail::MutatorCore core;
  BufferRun buffer;
  SerialMarker marker;
  Team team{1};
  Collector collector{heap, marker, team};
};

}  // namespace tenure::testing
