#include "core/gc/evacuation.hpp"

#include <gtest/gtest.h>

#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

using Evacuation = HeapTest;

TEST_F(Evacuation, CopiesASharedObjectOnce) {
  const ObjectIndex shared = make(0, 3);
  const Root left(*this, make(1));
  const Root right(*this, make(1));
  slots_of(left.get())[0] = shared;
  slots_of(right.get())[0] = shared;

  const CollectionReport report = collect_young();

  EXPECT_EQ(slots_of(left.get())[0], slots_of(right.get())[0]);
  EXPECT_EQ(report.objects_promoted, 3u);
  EXPECT_EQ(count(), 3u);
}

TEST_F(Evacuation, FollowsCycles) {
  const Root a(*this, make(1));
  const ObjectIndex b = make(1);
  slots_of(a.get())[0] = b;
  slots_of(b)[0] = a.get();

  collect_young();

  EXPECT_EQ(slots_of(slots_of(a.get())[0])[0], a.get());
}

TEST_F(Evacuation, ReadsALargeArrayToItsLastReference) {
  constexpr std::uint32_t kReferences = 5'000;  // some of the pieces that it is read in
  const Root array(*this, make(kReferences));
  for (std::uint32_t k = 0; k < kReferences; ++k) {
    slots_of(array.get())[k] = make(0, 2 + k % 3);
  }

  const CollectionReport report = collect_young();

  EXPECT_EQ(report.objects_copied + report.objects_promoted, kReferences + 1);
  for (std::uint32_t k = 0; k < kReferences; ++k) {
    ASSERT_EQ(detail::header_of(slots_of(array.get())[k]).size, 2 + k % 3) << "slot " << k;
    ASSERT_FALSE(heap.young().is_in_nursery(slots_of(array.get())[k]));
  }
  expect_sound();
}

TEST_F(Evacuation, CopiesWhatIsInTheObjectToItsLastGranule) {
  for (const std::uint32_t granules : {2u, 3u, 15u, 16u, 17u, 18u, 500u, 4000u}) {
    const Root root(*this, make(0, granules));
    auto* words = reinterpret_cast<std::uint64_t*>(detail::data_of(root.get()));
    for (std::uint32_t k = 0; k + 1 < granules; ++k) {
      words[k] = granules * 10'000 + k;
    }

    collect_young();

    words = reinterpret_cast<std::uint64_t*>(detail::data_of(root.get()));
    for (std::uint32_t k = 0; k + 1 < granules; ++k) {
      ASSERT_EQ(words[k], granules * 10'000 + k);
    }
  }
}

TEST_F(Evacuation, ForgetsACardOnceItHoldsNothingYounger) {
  const Root old(*this, make_old(1));
  store(old.get(), 0, make(0));
  const std::uint32_t card = card_of(granule_of(old.get()) + 1);
  collect_young();
  ASSERT_TRUE(heap.cards().remembered().has(card)) << "its target is in generation 1";

  collect_young(1);

  EXPECT_EQ(heap.generation_of(slots_of(old.get())[0]), 2u);
  EXPECT_FALSE(heap.cards().remembered().has(card));
}

TEST_F(Evacuation, LeavesGenerationsThatWereNotAskedForAlone) {
  const Root root(*this, make(0));
  collect_young();
  const ObjectIndex before = root.get();
  ASSERT_EQ(heap.generation_of(before), 1u);

  const CollectionReport report = collect_young(0);

  EXPECT_EQ(root.get(), before);
  EXPECT_EQ(report.objects_copied + report.objects_promoted, 0u);
}

TEST_F(Evacuation, LeavesAPinnedObjectWhereItIsAndCleansAroundIt) {
  (void)make(0, 10);
  const Root pinned(*this, make(1, 4));
  const ObjectIndex child = make(0, 7);
  (void)make(0, 10);
  slots_of(pinned.get())[0] = child;
  const Pin pin(*this, pinned.get());
  const ObjectIndex before = pinned.get();

  const CollectionReport report = collect_young();

  EXPECT_EQ(pinned.get(), before);
  EXPECT_EQ(report.objects_held, 1u);
  EXPECT_EQ(count(), 2u);
  EXPECT_NE(slots_of(pinned.get())[0], child) << "what it refers to moves";
  EXPECT_EQ(heap.generation_of(slots_of(pinned.get())[0]), 1u);
}

TEST_F(Evacuation, CutsNoBufferFromARegionThatIsHeldBack) {
  const Root pinned(*this, make(0, 4));
  const Pin pin(*this, pinned.get());
  collect_young();

  while (const std::optional<BufferRun> run = heap.take_buffer(1)) {
    EXPECT_NE(run->first / kGranulesPerRegion, region_of(pinned.get()));
    write_filler(run->first, run->limit - run->first);
  }
  expect_sound();
}

TEST_F(Evacuation, UsesAHeldRegionAgainOnceNothingHoldsIt) {
  {
    const Root pinned(*this, make(0, 4));
    const Pin pin(*this, pinned.get());
    collect_young();
  }
  collect_young();

  std::uint32_t buffers = 0;
  while (const std::optional<BufferRun> run = heap.take_buffer(1)) {
    write_filler(run->first, run->limit - run->first);
    ++buffers;
  }
  EXPECT_EQ(buffers, 1_MiB / 32_KiB);
}

HeapOptions tight() {
  HeapOptions options = small_heap();
  options.limit = 2_MiB;  // the nursery takes half: a half, and no more, can be copied
  options.nursery_reserve = 1_MiB;
  return options;
}
class TightEvacuation : public HeapTest {
 protected:
  TightEvacuation() : HeapTest(tight()) {}
};

TEST_F(TightEvacuation, HoldsBackWhatFindsNoRoomAndLosesNothing) {
  // A list through all of the nursery, then another, while the first still lives.
  Root first(*this, make(1, 32));
  ObjectIndex last = first.get();
  std::uint32_t length = 1;
  for (; length < 3'000; ++length) {
    const ObjectIndex next = make(1, 32);
    slots_of(last)[0] = next;
    last = next;
  }
  collect_young();
  Root second(*this, make(1, 32));
  last = second.get();
  for (std::uint32_t k = 1; k < 3'000; ++k) {
    const ObjectIndex next = make(1, 32);
    slots_of(last)[0] = next;
    last = next;
  }

  const CollectionReport report = collect_young();

  EXPECT_GT(report.objects_held, 0u);
  for (const Root* root : {&first, &second}) {
    std::uint32_t seen = 0;
    for (ObjectIndex at = root->get(); at != ObjectIndex::kNull; at = slots_of(at)[0]) {
      ++seen;
    }
    EXPECT_EQ(seen, 3'000u);
  }
  EXPECT_EQ(count(), 6'000u);
}

class SparseEvacuation : public HeapTest {
 protected:
  static HeapOptions sparse() {
    HeapOptions options = tight();
    options.compaction = false;
    return options;
  }
  SparseEvacuation() : HeapTest(sparse()) {}
};

TEST_F(SparseEvacuation, PromotesEarlyWhereOnlyTheOldestHasRoom) {
  // Old objects until the limit; all but one in a hundred die, so that their regions stay.
  std::vector<std::unique_ptr<Root>> kept;
  for (std::uint32_t k = 0;; ++k) {
    const ObjectIndex old = heap.take_born_old(type_with(1), 32);
    if (old == ObjectIndex::kNull) {
      break;
    }
    if (k % 100 == 0) {
      kept.push_back(std::make_unique<Root>(*this, old));
    }
  }
  collect_full();
  ASSERT_EQ(heap.committed(), heap.limit());
  const Root young(*this, make(1, 32));
  ObjectIndex last = young.get();
  constexpr std::uint32_t kLength = 2'000;
  for (std::uint32_t k = 1; k < kLength; ++k) {
    const ObjectIndex next = make(1, 32);
    slots_of(last)[0] = next;
    last = next;
  }

  const CollectionReport report = collect_young();

  EXPECT_EQ(report.objects_held, 0u);
  EXPECT_EQ(report.promoted_early[0], kLength);
  EXPECT_EQ(report.promoted_from[0], kLength);
  EXPECT_EQ(report.objects_promoted, kLength);
  EXPECT_EQ(report.objects_copied, 0u);
  EXPECT_EQ(report.bytes_promoted, Bytes{kLength * 32 * 8});
  EXPECT_EQ(heap.generation_of(young.get()), heap.oldest());
  EXPECT_EQ(count(), kLength + kept.size());
}

TEST_F(TightEvacuation, MarksThroughWhatIsHeldBack) {
  const Root root(*this, make(1, 4));
  const Pin pin(*this, root.get());
  const ObjectIndex old = make_old(0);
  slots_of(root.get())[0] = old;

  collect_full();

  EXPECT_EQ(slots_of(root.get())[0], old);
  EXPECT_EQ(count(), 2u);
}

}  // namespace
}  // namespace tenure::testing
