// The spaces of the heap one by one: blocks, cells, runs, survivors' regions.
#include <gtest/gtest.h>

#include <set>

#include "core/heap/card_scan.hpp"
#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

using Blocks = HeapTest;

TEST_F(Blocks, ComeAloneAndInRunsWithoutOverlap) {
  std::set<std::uint32_t> taken;
  for (std::uint32_t count = 1; count <= kBlocksPerRegion; ++count) {
    const std::uint32_t first = heap.blocks().take(count, Content::kReferences).value();
    for (std::uint32_t block = first; block < first + count; ++block) {
      EXPECT_TRUE(taken.insert(block).second) << "block " << block << " twice";
      EXPECT_EQ(block / kBlocksPerRegion, first / kBlocksPerRegion) << "a run across regions";
    }
  }
}

TEST_F(Blocks, KeepLeavesAndReferencesInRegionsOfTheirOwn) {
  const std::uint32_t leaf = heap.blocks().take(1, Content::kLeaves).value();
  const std::uint32_t other = heap.blocks().take(1, Content::kReferences).value();

  EXPECT_NE(leaf / kBlocksPerRegion, other / kBlocksPerRegion);
  EXPECT_EQ(heap.cage().regions()[leaf / kBlocksPerRegion].leaf, 1);
}

TEST_F(Blocks, GiveTheirRegionBackOnceAllAreFree) {
  const Bytes before = heap.committed();
  const std::uint32_t first = heap.blocks().take(kBlocksPerRegion, Content::kLeaves).value();
  ASSERT_GT(heap.committed(), before);

  heap.blocks().give_back(first, 7);
  EXPECT_GT(heap.committed(), before);
  heap.blocks().give_back(first + 7, kBlocksPerRegion - 7);

  EXPECT_EQ(heap.committed(), before);
}

TEST_F(Blocks, AreUsedAgain) {
  const std::uint32_t first = heap.blocks().take(4, Content::kLeaves).value();
  const std::uint32_t second = heap.blocks().take(4, Content::kLeaves).value();
  heap.blocks().give_back(first, 4);

  EXPECT_EQ(heap.blocks().take(3, Content::kLeaves).value(), first);
  EXPECT_NE(second, first);
}

using Cells = HeapTest;

TEST_F(Cells, AreDistinctAndHoldTheirObject) {
  std::set<std::uint32_t> taken;
  for (int k = 0; k < 5'000; ++k) {
    const std::uint64_t granules = 2 + static_cast<std::uint64_t>(k) % 50;
    const std::uint32_t at = granule_of(make_old(0, granules));
    const auto above = taken.lower_bound(at);
    EXPECT_TRUE(above == taken.end() || *above >= at + granules);
    taken.insert(at);
  }
  expect_sound();
}

TEST_F(Cells, OfDeadObjectsAreFoundAgainByTheSweep) {
  std::vector<ObjectIndex> objects;
  for (int k = 0; k < 2'000; ++k) {
    objects.push_back(make_old(0, 4));
  }
  const Root root(*this, objects[1]);  // keeps its block
  const Bytes committed = heap.committed();

  collect_full();
  EXPECT_EQ(count(), 1u);
  std::set<ObjectIndex> again;
  for (int k = 0; k < 400; ++k) {
    again.insert(make_old(0, 4));
  }

  EXPECT_EQ(again.size(), 400u);
  EXPECT_FALSE(again.contains(root.get()));
  EXPECT_LE(heap.committed(), committed);
  expect_sound();
}

TEST_F(Cells, BytesInUseAreCounted) {
  for (int k = 0; k < 100; ++k) {
    (void)make_old(0, 4);
  }
  heap.flush_born_old();
  EXPECT_EQ(heap.used(2), Bytes{100 * 4 * kGranuleBytes});

  collect_full();

  EXPECT_EQ(heap.used(2), 0_B);
}

using Runs = HeapTest;

TEST_F(Runs, OfBlocksAndOfRegionsHoldWhatNoCellDoes) {
  const std::uint64_t blocks = 3 * kGranulesPerBlock;
  const std::uint64_t regions = 5 * std::uint64_t{kGranulesPerRegion} / 2;
  const Root in_blocks(*this, make_old(0, blocks));
  const Root in_regions(*this, make_old(1, regions));

  EXPECT_EQ(heap.row(in_blocks.get()).kind, RegionKind::kBlocks);
  EXPECT_EQ(heap.row(in_regions.get()).kind, RegionKind::kLargeHead);
  EXPECT_EQ(heap.used(2), Bytes{(blocks + 3 * std::uint64_t{kGranulesPerRegion}) * kGranuleBytes});
  collect_full();
  EXPECT_EQ(count(), 2u);
}

TEST_F(Runs, OfTheDeadGoBackAtOnce) {
  const Bytes before = heap.committed();
  (void)make_old(0, kGranulesPerRegion * 3);
  (void)make_old(1, kGranulesPerBlock * 3);
  ASSERT_GT(heap.committed(), before);

  collect_full();

  EXPECT_EQ(heap.committed(), before);
  EXPECT_EQ(heap.used(2), 0_B);
}

TEST_F(Runs, AreRefusedPastTheLimit) {
  EXPECT_EQ(heap.take_born_old(type_with(0), 32u << 20), ObjectIndex::kNull);
  EXPECT_EQ(heap.take_born_old(type_with(0), std::uint64_t{1} << 32), ObjectIndex::kNull);
}

using Cards = HeapTest;

// Every slot of every object is found on exactly the card it lies on, whatever the space.
TEST_F(Cards, GiveEverySlotOnce) {
  std::vector<ObjectIndex> objects{make_old(200, 101), make_old(5'000, 2'501),
                                   make_old(90'000, 45'001)};
  for (int k = 0; k < 300; ++k) {
    objects.push_back(make_old(1 + static_cast<std::uint32_t>(k) % 7, 5));
  }
  std::vector<std::unique_ptr<Root>> roots;
  for (int k = 0; k < 300; ++k) {
    roots.push_back(
        std::make_unique<Root>(*this, make(1 + static_cast<std::uint32_t>(k * 37) % 400)));
  }
  collect_young();  // promotion age 1: survivors' regions of generation 1
  for (const auto& root : roots) {
    objects.push_back(root->get());
  }
  heap.flush_born_old();

  std::set<ObjectIndex*> found;
  std::set<std::uint32_t> cards;
  for (const ObjectIndex object : objects) {
    for (std::uint32_t at = granule_of(object); at <= granule_of(object) + slot_count(object) / 2;
         ++at) {
      cards.insert(card_of(at));
    }
  }
  for (const std::uint32_t card : cards) {
    for_each_slot_on_card(heap.cage(), card, [&](ObjectIndex& slot) {
      EXPECT_EQ(card_of(detail::granule_at(&slot)), card);
      EXPECT_TRUE(found.insert(&slot).second) << "a slot twice";
    });
  }
  for (const ObjectIndex object : objects) {
    for (std::uint32_t k = 0; k < slot_count(object); ++k) {
      ASSERT_TRUE(found.contains(&slots_of(object)[k]));
    }
  }
  while (!roots.empty()) {
    roots.pop_back();
  }
}

using Nursery = HeapTest;

TEST_F(Nursery, HandsOutBuffersUntilItIsUsedUp) {
  std::uint32_t buffers = 0;
  while (const std::optional<BufferRun> run = heap.take_buffer(1)) {
    ++buffers;
    write_filler(run->first, run->limit - run->first);
  }
  EXPECT_EQ(buffers, 1_MiB / 32_KiB);

  collect_young();

  const BufferRun again = heap.take_buffer(1).value();
  write_filler(again.first, again.limit - again.first);
}

TEST_F(Nursery, CutsALargerBufferForALargerObject) {
  const BufferRun run = heap.take_buffer(Young::kBufferGranules + 1).value();

  EXPECT_EQ(run.limit - run.first, 2 * Young::kBufferGranules);
  EXPECT_EQ(run.first / kGranulesPerRegion, (run.limit - 1) / kGranulesPerRegion);
  write_filler(run.first, run.limit - run.first);
  expect_sound();
}

TEST_F(Nursery, ChangesItsSizeAtOnceWhileNothingWasAllocated) {
  heap.young().resize_nursery(512_KiB);

  EXPECT_EQ(heap.young().nursery_size(), 512_KiB);
}

TEST_F(Nursery, GrowsAndShrinksFromTheNextCollectionOn) {
  const BufferRun begun = heap.take_buffer(1).value();
  write_filler(begun.first, begun.limit - begun.first);
  heap.young().resize_nursery(2_MiB);
  EXPECT_EQ(heap.young().nursery_size(), 1_MiB);
  collect_young();
  EXPECT_EQ(heap.young().nursery_size(), 2_MiB);

  heap.young().resize_nursery(512_KiB);
  collect_young();

  EXPECT_EQ(heap.young().nursery_size(), 512_KiB);
}

// The nursery's regions, each used, then those from `first` on held back as if nothing found room.
class HeldNursery : public Nursery {
 protected:
  void fill() {
    while (const std::optional<BufferRun> run = heap.take_buffer(1)) {
      write_filler(run->first, run->limit - run->first);
    }
  }
  void hold_from(std::uint32_t first) {
    heap.young().condemn(0);
    const RegionRun nursery = heap.young().nursery();
    for (std::uint32_t region = nursery.first + first; region < nursery.first + kRegions;
         ++region) {
      heap.young().hold_back(region);
    }
    heap.young().finish([](std::uint32_t) {});
  }
  void collect_all() {
    heap.young().condemn(0);
    heap.young().finish([](std::uint32_t) {});
  }

  static constexpr std::uint32_t kRegions = 4;  // of 256 KiB
};

TEST_F(HeldNursery, CountsWhatItHoldsBackBehindItsSize) {
  const Bytes before = heap.committed();
  fill();
  heap.young().resize_nursery(256_KiB);
  hold_from(2);

  EXPECT_EQ(heap.young().nursery_size(), 256_KiB);
  EXPECT_EQ(heap.committed(), before - 256_KiB);
  EXPECT_EQ(heap.young().nursery_used(), 512_KiB);

  heap.young().resize_nursery(768_KiB);  // one of those that are held is within it
  EXPECT_EQ(heap.young().nursery_size(), 768_KiB);
  EXPECT_EQ(heap.committed(), before);

  collect_all();
  EXPECT_EQ(heap.committed(), before - 256_KiB);
  EXPECT_EQ(heap.young().nursery_used(), 0_MiB);
}

TEST_F(HeldNursery, IsBlockedWhereAllOfItIsHeldBack) {
  fill();
  hold_from(1);
  EXPECT_FALSE(heap.young().is_blocked());
  collect_all();
  fill();
  hold_from(0);
  EXPECT_TRUE(heap.young().is_blocked());
  EXPECT_FALSE(heap.take_buffer(1));
  collect_all();
  EXPECT_FALSE(heap.young().is_blocked());
}

}  // namespace
}  // namespace tenure::testing
