// Pins as a program sees them: an address that stays, whatever collects, for as long as one is held.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "core/heap/object_access.hpp"
#include "core/model/region.hpp"
#include "core/runtime/state.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Pins : public RuntimeTest {
 protected:
  const RegionRow& row_of(ObjectIndex object) {
    return runtime.state().heap().cage().regions()[region_of(object)];
  }
  bool has_flag(ObjectIndex object) { return detail::header_of(object).has(ObjectFlag::kPinned); }
  /// Garbage around, so that what is not pinned moves.
  void litter() {
    for (int k = 0; k < 1'000; ++k) {
      (void)make_node(-1);
    }
  }
  /// A sparse oldest generation: of 2,000 fresh objects there every fifth lives on.
  void scatter() {
    std::vector<Handle<Node>> old;
    for (int k = 0; k < 2'000; ++k) {
      old.emplace_back(make_node(k));
    }
    collect_full();
    for (std::size_t k = 0; k < old.size(); k += 5) {
      scattered.push_back(old[k]);
    }
    if (scattered.size() > 4'000) {
      scattered.erase(scattered.begin(), scattered.begin() + 2'000);
    }
  }
  void expect_fixed_over_fifty_of_each(const Pinned<Node>& pin, std::int64_t value) {
    const Node* const address = pin.get();
    for (int k = 0; k < 50; ++k) {
      litter();
      for (std::uint32_t last = 0; last < runtime.config().generations; ++last) {
        ASSERT_TRUE(runtime.collect_up_to(last).ok());
        ASSERT_EQ(pin.get(), address) << "after a collection up to " << last;
      }
      scatter();
      const CollectionReport report = value_or_throw(runtime.compact());
      ASSERT_GT(report.objects_compacted, 0u);
      ASSERT_EQ(pin.get(), address) << "after a compaction";
      ASSERT_EQ(address->value, value);
      ASSERT_EQ(address->left->value, value + 1) << "what a pinned object refers to lives";
    }
  }
  std::vector<Handle<Node>> scattered;

  Local<Node> make_pair(std::int64_t value) {
    const Local<Node> node = make_node(value);
    node->left = make_node(value + 1);
    return node;
  }
};

TEST_F(Pins, KeepAnObjectOfTheNurseryInPlace) {
  const Pinned<Node> pin(make_pair(7));
  ASSERT_EQ(row_of(pin.index()).kind, RegionKind::kNursery);

  expect_fixed_over_fifty_of_each(pin, 7);
}

TEST_F(Pins, KeepASurvivorInPlace) {
  const Handle<Node> node(make_pair(7));
  collect_young();
  const Pinned<Node> pin(node);
  ASSERT_EQ(row_of(pin.index()).kind, RegionKind::kBump);

  expect_fixed_over_fifty_of_each(pin, 7);
}

TEST_F(Pins, KeepAnObjectInItsCell) {
  const Handle<Node> node(make_pair(7));
  collect_full();
  const Pinned<Node> pin(node);
  ASSERT_EQ(row_of(pin.index()).kind, RegionKind::kBlocks);

  expect_fixed_over_fifty_of_each(pin, 7);
}

TEST_F(Pins, KeepARunInPlace) {
  const Handle<RefArray<Node>> array(make_array<Node>(*mutator, 20'000));
  (*array)[19'999] = make_node(7);
  const Pinned<RefArray<Node>> pin(array);
  RefArray<Node>* const address = pin.get();

  for (int k = 0; k < 50; ++k) {
    collect_young();
    collect_full();
    ASSERT_TRUE(runtime.compact().ok());
    ASSERT_EQ(pin.get(), address);
    ASSERT_EQ((*address)[19'999]->value, 7);
  }
}

TEST_F(Pins, AreRoots) {
  std::optional<Pinned<Node>> pin(make_list(10));
  collect_full();
  EXPECT_EQ(objects(), 10u);

  pin.reset();
  collect_full();

  EXPECT_EQ(objects(), 0u);
}

TEST_F(Pins, Nest) {
  const Handle<Node> node(make_node(7));
  std::optional<Pinned<Node>> first{node};
  std::optional<Pinned<Node>> second{node};
  const Node* const address = node.get();

  first.reset();
  collect_young();
  EXPECT_EQ(node.get(), address) << "one pin of two is left";
  EXPECT_EQ(runtime.statistics().pinned_objects, 1u);

  second.reset();
  collect_young();
  EXPECT_NE(node.get(), address) << "no pin is left";
  EXPECT_EQ(node->value, 7);
  EXPECT_EQ(runtime.statistics().pinned_objects, 0u);
}

TEST_F(Pins, AreCountedByCopyAndNotByMove) {
  const Handle<Node> node(make_node(7));
  std::optional<Pinned<Node>> first{node};
  std::optional<Pinned<Node>> copy{*first};
  Pinned<Node> moved(std::move(*first));
  PinTable& pins = runtime.state().heap().roots().pins();
  EXPECT_EQ(pins.pins_of(node.index()), 2u);

  first.reset();
  EXPECT_EQ(pins.pins_of(node.index()), 2u);
  copy.reset();
  EXPECT_EQ(pins.pins_of(node.index()), 1u);
  moved = Pinned<Node>();
  EXPECT_EQ(pins.pins_of(node.index()), 0u);
}

TEST_F(Pins, SetTheHeadersFlagAndTheNextCollectionClearsIt) {
  const Local<Node> node = make_node(7);
  {
    const Pinned<Node> pin(node);
    EXPECT_TRUE(has_flag(node.index()));
    EXPECT_EQ(row_of(node.index()).pins, 1u);
    collect_young();
    EXPECT_TRUE(has_flag(node.index()));
  }

  collect_young();

  EXPECT_FALSE(has_flag(node.index()));
  EXPECT_EQ(row_of(node.index()).pins, 0u);
}

TEST_F(Pins, HoldAgainWhatWasLetGoOfBeforeACollection) {
  const Local<Node> node = make_node(7);
  { const Pinned<Node> first(node); }
  const Pinned<Node> second(node);

  collect_young();

  EXPECT_EQ(second.get(), node.get());
  EXPECT_TRUE(has_flag(node.index()));
}

TEST_F(Pins, OfNothingAreNull) {
  const Pinned<Node> pin{Local<Node>(*mutator)};

  EXPECT_FALSE(pin);
  EXPECT_EQ(runtime.statistics().pinned_objects, 0u);
}

TEST_F(Pins, OutliveTheirRuntimeAsNull) {
  const Pinned<Node> pin(make_node(7));
  mutator.reset();
  const CloseReport report = runtime.close();
  EXPECT_EQ(report.pins_outstanding, 1u);
  { const Runtime ended = std::move(runtime); }

  EXPECT_FALSE(pin);
  const Pinned<Node> copy(pin);
  EXPECT_FALSE(copy);
}

TEST_F(Pins, GoBackToTheRuntimeOfTheirObject) {
  Runtime other = value_or_throw(Runtime::open(small_config()));
  const Local<Node> node = make_node(7);
  const Mutator inner(other);  // the thread's newest

  const Pinned<Node> pin(node);

  EXPECT_EQ(runtime.statistics().pinned_objects, 1u);
  EXPECT_EQ(other.statistics().pinned_objects, 0u);
}

TEST_F(Pins, MayBeDroppedByAThreadWithoutAMutatorWhileOthersCollect) {
  std::vector<Pinned<Node>> pins;
  std::vector<const Node*> addresses;
  for (int k = 0; k < 500; ++k) {
    pins.emplace_back(make_node(k));
    addresses.push_back(pins.back().get());
  }
  std::atomic<bool> done{false};
  std::thread dropper([&] {
    for (std::size_t k = 0; k < pins.size(); k += 2) {
      pins[k].reset();
    }
    done = true;
  });

  do {
    litter();
    collect_young();
    collect_full();
  } while (!done);
  dropper.join();
  collect_full();

  EXPECT_EQ(runtime.statistics().pinned_objects, 250u);
  EXPECT_EQ(objects(), 250u);
  for (std::size_t k = 1; k < pins.size(); k += 2) {
    ASSERT_EQ(pins[k].get(), addresses[k]);
    ASSERT_EQ(addresses[k]->value, static_cast<std::int64_t>(k));
  }
}

TEST_F(Pins, AreTakenWhileSomebodyWantsAStop) {
  std::atomic<bool> done{false};
  std::thread collecting([&] {
    for (int k = 0; k < 200; ++k) {
      (void)runtime.collect(k % 4 == 0 ? Collect::kFull : Collect::kYoung);
    }
    done = true;
  });

  while (!done) {
    const Local<Node> node = make_node(7);
    // No safepoint between the pointer and the pin: the object is where it was.
    const Node* const address = node.get();
    const Pinned<Node> pin(node);
    mutator->poll();
    ASSERT_EQ(pin.get(), address);
    ASSERT_EQ(node.get(), address);
    ASSERT_EQ(address->value, 7);
  }
  collecting.join();
}

}  // namespace
}  // namespace tenure::testing
