// Packing by itself: which blocks are chosen, what moves, and that everything that names a moved
// object follows.
#include "core/gc/compaction.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr std::uint32_t kCell = 4;  // granules; its blocks have 512 cells, and nothing over
constexpr std::uint32_t kPerBlock = cells_per_block(kCell);

class CompactionTest : public HeapTest {
 protected:
  explicit CompactionTest(const HeapOptions& options = small_heap()) : HeapTest(options) {}

  /// Fills `blocks` blocks with objects of one reference, one block behind the other.
  void fill(std::uint32_t blocks, std::uint32_t references = 1) {
    for (std::uint32_t k = 0; k < blocks * kPerBlock; ++k) {
      objects.push_back(make_old(references, kCell));
      mark_value(objects.back(), k);
    }
  }
  /// Keeps those for which `keeps(number)` is true, by roots in the order of their making.
  template <class Keeps>
  void keep(Keeps keeps) {
    for (std::uint32_t k = 0; k < objects.size(); ++k) {
      if (keeps(k)) {
        roots.push_back(std::make_unique<Root>(*this, objects[k]));
        numbers.push_back(k);
      }
    }
  }
  // Roots are a chain: the newest ends first.
  void drop_roots() {
    while (!roots.empty()) {
      roots.pop_back();
    }
    numbers.clear();
  }
  ~CompactionTest() override { drop_roots(); }

  static void mark_value(ObjectIndex object, std::uint64_t value) { last_word(object) = value; }
  static std::uint64_t& last_word(ObjectIndex object) {
    return reinterpret_cast<std::uint64_t*>(detail::data_of(object))[kCell - 2];
  }
  void expect_kept() {
    for (std::size_t k = 0; k < roots.size(); ++k) {
      ASSERT_EQ(last_word(roots[k]->get()), numbers[k]);
    }
  }
  CollectionReport collect(Compact how) {
    retire();
    const CollectionReport report =
        collector.collect_full(CollectionTrigger::kExplicitRequest, how);
    expect_sound();
    return report;
  }
  std::set<std::uint32_t> blocks_of_roots() {
    std::set<std::uint32_t> blocks;
    for (const auto& root : roots) {
      blocks.insert(block_of(root->get()));
    }
    return blocks;
  }
  [[nodiscard]] double fragmentation() const { return heap.fragmentation().ratio(); }

  std::vector<ObjectIndex> objects;
  std::vector<std::unique_ptr<Root>> roots;
  std::vector<std::uint64_t> numbers;
};

using Compaction = CompactionTest;

TEST_F(Compaction, FindsNoHolesInAFreshHeap) {
  EXPECT_EQ(fragmentation(), 0.0);
  fill(3);
  heap.flush_born_old();
  EXPECT_EQ(fragmentation(), 0.0);
  fill(1);
  (void)make_old(1, kCell);
  heap.flush_born_old();

  EXPECT_EQ(fragmentation(), 0.0) << "the block that is being filled is no waste";
}

TEST_F(Compaction, MeasuresHalfOnceEveryOtherObjectDied) {
  fill(20);
  keep([](std::uint32_t k) { return k % 2 == 0; });

  const CollectionReport report = collect(Compact::kNever);

  EXPECT_EQ(report.objects_compacted, 0u);
  EXPECT_DOUBLE_EQ(fragmentation(), 0.5);
}

TEST_F(Compaction, PacksWhatIsLeftIntoFullBlocks) {
  fill(20);
  keep([](std::uint32_t k) { return k % 2 == 0; });

  const CollectionReport report = collect(Compact::kWhenSparse);

  EXPECT_DOUBLE_EQ(report.fragmentation, 0.5);
  EXPECT_EQ(report.objects_compacted, 10 * kPerBlock / 2);
  EXPECT_EQ(report.bytes_compacted, report.objects_compacted * kCell * Bytes{kGranuleBytes});
  EXPECT_EQ(report.blocks_emptied, 10u);
  EXPECT_EQ(blocks_of_roots().size(), 10u);
  EXPECT_EQ(fragmentation(), 0.0);
  EXPECT_EQ(count(), 10 * kPerBlock);
  expect_kept();
}

TEST_F(Compaction, HappensAboveTheThresholdAndNotBelow) {
  // Of each block's 512 cells 148 or 159 die: 0.289 or 0.311.
  for (const std::uint32_t dead : {148u, 159u}) {
    fill(30);
    keep([dead](std::uint32_t k) { return k % kPerBlock >= dead; });

    const CollectionReport report = collect(Compact::kWhenSparse);

    EXPECT_NEAR(report.fragmentation, dead / 512.0, 1e-9);
    EXPECT_EQ(report.objects_compacted > 0, dead == 159) << dead << " dead of each 512";
    drop_roots();
    objects.clear();
    collect(Compact::kNever);
  }
}

TEST_F(Compaction, EmptiesTheSparsestBlocks) {
  fill(4);
  // In blocks 0 to 3 live 500, 10, 400 and 20 of 512.
  keep([](std::uint32_t k) {
    constexpr std::uint32_t kLive[] = {500, 10, 400, 20};
    return k % kPerBlock < kLive[k / kPerBlock];
  });
  const std::uint32_t fullest = block_of(objects[0]);
  const std::uint32_t second = block_of(objects[2 * kPerBlock]);

  const CollectionReport report = collect(Compact::kAlways);

  EXPECT_EQ(report.objects_compacted, 30u);
  EXPECT_EQ(blocks_of_roots(), (std::set{fullest, second}));
  expect_kept();
}

TEST_F(Compaction, LeavesBlocksWithAPinAlone) {
  fill(20);
  keep([](std::uint32_t k) { return k % 2 == 0; });
  const ObjectIndex pinned = objects[7 * kPerBlock + 4];
  const Pin pin(*this, pinned);
  const auto own = [&](const auto& root) { return block_of(root->get()) == block_of(pinned); };
  const auto before = std::count_if(roots.begin(), roots.end(), own);

  const CollectionReport report = collect(Compact::kWhenSparse);

  EXPECT_GT(report.objects_compacted, 0u);
  EXPECT_GE(std::count_if(roots.begin(), roots.end(), own), before) << "others may move there";
  EXPECT_EQ(last_word(pinned), 7 * kPerBlock + 4);
}

TEST_F(Compaction, LeavesEveryObjectWhereNothingCanBeSaved) {
  fill(20);
  keep([](std::uint32_t k) { return k % kPerBlock < 500; });

  const CollectionReport report = collect(Compact::kAlways);

  EXPECT_EQ(report.objects_compacted, 0u) << "12 holes a block hold no block's 500 objects";
}

TEST_F(Compaction, KeepsLeavesAmongLeaves) {
  fill(6, 0);
  fill(6, 1);
  keep([](std::uint32_t k) { return k % 3 == 0; });

  collect(Compact::kAlways);

  std::set<std::uint32_t> kinds;
  for (const auto& root : roots) {
    ASSERT_EQ(heap.row(root->get()).leaf == 1, slot_count(root->get()) == 0);
  }
}

TEST_F(Compaction, RewritesSlotsOfSmallObjectsOfArraysAndOfHeldYoungOnes) {
  fill(20);
  keep([](std::uint32_t k) { return k % 5 == 0; });
  const Root array(*this, make_old(200'000, 100'001));
  const Root run(*this, make_old(5'000, 2'501));
  const Root young(*this, make(1, 4));
  const Pin pin(*this, young.get());
  for (std::uint32_t k = 0; k < roots.size(); ++k) {
    slots_of(array.get())[k * 90] = roots[k]->get();
    slots_of(run.get())[k] = roots[k]->get();
    slots_of(roots[k]->get())[0] = roots[roots.size() - 1 - k]->get();
  }
  slots_of(young.get())[0] = roots[77]->get();

  const CollectionReport report = collect(Compact::kWhenSparse);

  ASSERT_GT(report.objects_compacted, 0u);
  EXPECT_EQ(heap.generation_of(young.get()), 0u);
  EXPECT_EQ(slots_of(young.get())[0], roots[77]->get());
  for (std::uint32_t k = 0; k < roots.size(); ++k) {
    ASSERT_EQ(slots_of(array.get())[k * 90], roots[k]->get());
    ASSERT_EQ(slots_of(run.get())[k], roots[k]->get());
    ASSERT_EQ(slots_of(roots[k]->get())[0], roots[roots.size() - 1 - k]->get());
  }
  expect_kept();
}

TEST_F(Compaction, RemembersTheCardsOfWhatMovedAndStillNamesYoungObjects) {
  fill(20);
  keep([](std::uint32_t k) { return k % 5 == 0; });
  const Root young(*this, make(0, 4));
  std::optional<Pin> pin(std::in_place, *this, young.get());
  // Few, so that the cards they move to are not remembered already for a neighbour's sake.
  constexpr std::size_t kApart = 97;
  for (std::size_t k = 0; k < roots.size(); k += kApart) {
    store(roots[k]->get(), 0, young.get());
  }

  const CollectionReport report = collect(Compact::kWhenSparse);  // verifies every card

  ASSERT_GT(report.objects_compacted, 0u);
  pin.reset();
  collect_young();
  EXPECT_NE(heap.generation_of(young.get()), 0u) << "it moved, once it was free to";
  for (std::size_t k = 0; k < roots.size(); k += kApart) {
    ASSERT_EQ(slots_of(roots[k]->get())[0], young.get());
  }
}

TEST_F(Compaction, RewritesHandlesAndOwners) {
  fill(20);
  keep([](std::uint32_t k) { return k % 5 == 0; });
  std::vector<detail::HandleCell*> handles;
  for (const auto& root : roots) {
    handles.push_back(heap.roots().handles().take(root->get()));
    detail::header_of(root->get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kOwner);
    last_word(root->get()) = 0;
    heap.owners().add(heap.oldest(), root->get());
  }

  const CollectionReport report = collect(Compact::kWhenSparse);  // verifies owners' rows

  ASSERT_GT(report.objects_compacted, 0u);
  for (std::size_t k = 0; k < roots.size(); ++k) {
    ASSERT_EQ(detail::handle_object(handles[k]), roots[k]->get());
    heap.roots().handles().drop(handles[k]);
    detail::header_of(roots[k]->get()).meta &= ~static_cast<std::uint32_t>(ObjectFlag::kOwner);
  }
  heap.owners().in(heap.oldest()).clear();
}

TEST_F(Compaction, GivesEmptiedRegionsBack) {
  fill(64);
  keep([](std::uint32_t k) { return k % 10 == 0; });
  const Bytes before = heap.committed();

  collect(Compact::kWhenSparse);

  // What filled 64 blocks fills 7: of four regions one is left.
  EXPECT_EQ(before - heap.committed(), 3 * 256_KiB);
  EXPECT_EQ(blocks_of_roots().size(), 7u);
}

TEST_F(Compaction, TakesFreeBlocksOfRegionsThatStayAndNotOfThoseThatEmpty) {
  // The first region: three blocks of wide cells, and others that die. The second: twelve full blocks,
  // and four that die. What is left of the wide has no holes to go to but a free block.
  constexpr std::uint32_t kWide = 10;
  const ObjectIndex wide = make_old(1, kWide);
  for (std::uint32_t k = 1; k < 3 * cells_per_block(kWide); ++k) {
    (void)make_old(1, kWide);
  }
  fill(kBlocksPerRegion - 3);
  objects.clear();
  fill(kBlocksPerRegion);
  keep([](std::uint32_t k) { return k >= 4 * kPerBlock; });
  const Root few(*this, wide);
  ASSERT_NE(region_of(few.get()), region_of(roots[0]->get()));
  const Bytes before = heap.committed();

  const CollectionReport report = collect(Compact::kAlways);

  EXPECT_EQ(report.objects_compacted, 1u);
  EXPECT_EQ(region_of(few.get()), region_of(roots[0]->get()));
  EXPECT_EQ(before - heap.committed(), 256_KiB);
}

TEST_F(Compaction, LeavesHolesThatAreFoundAgain) {
  fill(20);
  const Bytes committed = heap.committed();
  keep([](std::uint32_t k) { return k % 2 == 0; });
  collect(Compact::kWhenSparse);

  // The emptied half of the heap takes as many objects as died.
  objects.clear();
  fill(10);

  EXPECT_EQ(heap.committed(), committed);
  heap.flush_born_old();
  expect_sound();
  expect_kept();
}

class LimitedCompaction : public CompactionTest {
 protected:
  static HeapOptions limited() {
    HeapOptions options = small_heap();
    options.compact_most = 5 * 256 * kCell * Bytes{kGranuleBytes};  // five half-filled blocks
    return options;
  }
  LimitedCompaction() : CompactionTest(limited()) {}
};

TEST_F(LimitedCompaction, MovesNoMoreThanItMayAndGoesOnTheNextTime) {
  fill(20);
  keep([](std::uint32_t k) { return k % 2 == 0; });

  EXPECT_EQ(collect(Compact::kWhenSparse).blocks_emptied, 5u);
  EXPECT_EQ(collect(Compact::kWhenSparse).blocks_emptied, 5u);
  EXPECT_EQ(collect(Compact::kWhenSparse).blocks_emptied, 0u);

  EXPECT_EQ(fragmentation(), 0.0);
  expect_kept();
}

class FixedHeap : public CompactionTest {
 protected:
  static HeapOptions fixed() {
    HeapOptions options = small_heap();
    options.compaction = false;
    return options;
  }
  FixedHeap() : CompactionTest(fixed()) {}
};

TEST_F(FixedHeap, MovesNothingEver) {
  fill(20);
  keep([](std::uint32_t k) { return k % 10 == 0; });

  for (int k = 0; k < 10; ++k) {
    EXPECT_EQ(collect(Compact::kAlways).objects_compacted, 0u);
  }

  for (std::size_t k = 0; k < roots.size(); ++k) {
    ASSERT_EQ(roots[k]->get(), objects[numbers[k]]);
  }
}

// Objects of all sizes and shapes, linked at random, some pinned: after each compaction every edge
// leads to the object that it led to, by number.
class RandomCompaction : public CompactionTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static HeapOptions roomy() {
    HeapOptions options = small_heap();
    options.limit = 128_MiB;
    return options;
  }
  RandomCompaction() : CompactionTest(roomy()), random(GetParam()) {}
  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); }

  // The number stands in the last granule, which holds no reference.
  static std::uint64_t& number_of(ObjectIndex object) {
    const std::uint32_t granules = detail::header_of(object).size;
    return reinterpret_cast<std::uint64_t*>(detail::data_of(object))[granules - 2];
  }
  // Pins hold the nursery's regions back, up to all of them.
  bool has_room(std::uint32_t granules) {
    if (buffer.first + granules <= buffer.limit) {
      return true;
    }
    const std::optional<BufferRun> run = heap.take_buffer(granules);
    if (run) {
      retire();
      buffer = *run;
    }
    return run.has_value();
  }
  ObjectIndex make_numbered(std::uint64_t number) {
    constexpr std::uint32_t kReferences[] = {0, 1, 2, 5, 8, 30, 400, 5'000, 70'000};
    const std::uint32_t references = kReferences[draw(draw(40) == 0 ? 9 : 6)];
    const std::uint32_t granules = 2 + (references + 1) / 2 + draw(draw(10) == 0 ? 300 : 4);
    const bool is_young = draw(3) == 0 && granules < 1'000 && has_room(granules);
    const ObjectIndex object =
        is_young ? make(references, granules) : make_old(references, granules);
    std::memset(detail::data_of(object), 0, (granules - 1) * kGranuleBytes);
    number_of(object) = number;
    return object;
  }

  std::mt19937_64 random;
};

TEST_P(RandomCompaction, KeepsEveryEdge) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  std::vector<std::vector<std::uint64_t>> edges;  // by number, by slot; 0: none
  std::vector<detail::HandleCell*> handles;       // by number; null: not held
  edges.emplace_back();
  handles.push_back(nullptr);
  std::vector<std::pair<ObjectIndex, detail::PinRow*>> pins;
  HandleTable& table = heap.roots().handles();
  std::uint64_t moved = 0;

  for (int round = 0; round < 5; ++round) {
    for (int k = 0; k < 3'000; ++k) {
      const ObjectIndex object = make_numbered(edges.size());
      edges.emplace_back(slot_count(object));
      handles.push_back(table.take(object));
    }
    for (int k = 0; k < 6'000; ++k) {
      const std::uint64_t from = 1 + draw(static_cast<std::uint32_t>(edges.size() - 1));
      const std::uint64_t to = 1 + draw(static_cast<std::uint32_t>(edges.size() - 1));
      if (handles[from] == nullptr || handles[to] == nullptr || edges[from].empty()) {
        continue;
      }
      const std::uint32_t slot = draw(static_cast<std::uint32_t>(edges[from].size()));
      store(detail::handle_object(handles[from]), slot, detail::handle_object(handles[to]));
      edges[from][slot] = to;
    }
    for (std::uint64_t k = 1; k < handles.size(); ++k) {
      if (handles[k] != nullptr && draw(2) == 0) {
        table.drop(std::exchange(handles[k], nullptr));
      } else if (handles[k] != nullptr && draw(200) == 0) {
        const ObjectIndex object = detail::handle_object(handles[k]);
        pins.emplace_back(object, heap.roots().pins().pin(object));
      }
    }
    if (draw(3) == 0) {
      for (auto& [object, pin] : std::exchange(pins, {})) {
        heap.roots().pins().unpin(pin);
      }
    }
    if (draw(2) == 0) {
      collect_young(draw(2));
    }
    moved += collect(Compact::kAlways).objects_compacted;

    for (const auto& [object, pin] : pins) {
      ASSERT_EQ(pin->object.load(), object);
      ASSERT_TRUE(detail::header_of(object).has(ObjectFlag::kPinned));
    }
    // What handles and pins reach is there, whole, and what each slot names is what it named.
    std::vector<ObjectIndex> places(edges.size(), ObjectIndex::kNull);
    std::vector<ObjectIndex> order;
    const auto reach = [&](ObjectIndex object) {
      const std::uint64_t number = number_of(object);
      ASSERT_GT(number, 0u);
      ASSERT_LT(number, edges.size());
      if (places[number] == ObjectIndex::kNull) {
        places[number] = object;
        order.push_back(object);
      }
      ASSERT_EQ(places[number], object) << "two copies of object " << number;
    };
    for (std::uint64_t k = 1; k < handles.size(); ++k) {
      if (handles[k] != nullptr) {
        ASSERT_EQ(number_of(detail::handle_object(handles[k])), k);
        reach(detail::handle_object(handles[k]));
      }
    }
    for (const auto& [object, pin] : pins) {
      reach(object);
    }
    for (std::size_t k = 0; k < order.size(); ++k) {
      const std::uint64_t number = number_of(order[k]);
      for (std::uint32_t slot = 0; slot < edges[number].size(); ++slot) {
        const ObjectIndex child = slots_of(order[k])[slot];
        if (edges[number][slot] == 0) {
          ASSERT_EQ(child, ObjectIndex::kNull);
        } else {
          ASSERT_EQ(number_of(child), edges[number][slot]);
          reach(child);
        }
      }
    }
    ASSERT_EQ(count(), order.size()) << "round " << round;
  }
  EXPECT_GT(moved, 0u);
  for (auto& [object, pin] : pins) {
    heap.roots().pins().unpin(pin);
  }
  for (detail::HandleCell* const handle : handles) {
    if (handle != nullptr) {
      table.drop(handle);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomCompaction, ::testing::Range(1u, 21u));

}  // namespace
}  // namespace tenure::testing
