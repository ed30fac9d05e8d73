#include "core/heap/card_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

TEST(CardSetTest, HoldsEachCardOnceInTheOrderTheyCame) {
  CardSet set;
  for (const std::uint32_t card : {9u, 3u, 9u, 70'000'000u / 2, 3u}) {
    set.add(card);
  }

  EXPECT_EQ(set.cards(), (std::vector<std::uint32_t>{9, 3, 35'000'000}));
  EXPECT_TRUE(set.has(9));
  EXPECT_FALSE(set.has(10));
}

TEST(CardSetTest, IsEmptyOnceAllWereTaken) {
  CardSet set;
  set.add(5);

  EXPECT_EQ(set.take_all(), std::vector<std::uint32_t>{5});
  EXPECT_FALSE(set.has(5));
  EXPECT_TRUE(set.cards().empty());
}

using CardLogTest = HeapTest;  // which has a cage, and so card bytes

TEST_F(CardLogTest, CleansTheByteOfACardWhenItIsDrained) {
  const std::uint32_t card = card_of(granule_of(make_old(1)));
  CardBuffer log;
  detail::cage_cards[card] = detail::kCardLogged;
  log.add(card);

  heap.cards().drain(log);

  EXPECT_EQ(detail::cage_cards[card], detail::kCardClean);
  EXPECT_TRUE(heap.cards().remembered().has(card));
  EXPECT_EQ(log.count, 0u);
}

TEST_F(CardLogTest, DrainsTheLogsThatWereHandedIn) {
  const std::uint32_t card = card_of(granule_of(make_old(1)));
  auto log = std::make_unique<CardBuffer>();
  while (!log->is_full()) {
    log->add(card);
  }

  const std::unique_ptr<CardBuffer> fresh = heap.cards().exchange(std::move(log));
  EXPECT_EQ(fresh->count, 0u);
  EXPECT_FALSE(heap.cards().remembered().has(card));
  heap.cards().drain_full();

  EXPECT_TRUE(heap.cards().remembered().has(card));
}

TEST(CardLogAlone, GivesTheRescanCardsUnderMarkingAlone) {
  std::vector<RegionRow> rows(4);
  rows[0].kind = RegionKind::kBlocks;
  rows[0].flags = RegionRow::kMarking;
  rows[1].kind = RegionKind::kBump;  // a survivor's, which may be another's after the stop
  rows[2].kind = RegionKind::kLargeHead;
  rows[2].flags = RegionRow::kMarking;
  rows[3] = {.kind = RegionKind::kLargeTail, .link = 1};
  CardLog log;
  log.deliver(0);

  log.keep_rescan(rows.data());
  for (std::uint32_t region = 0; region < rows.size(); ++region) {
    log.deliver(region * kCardsPerRegion + 1);
  }

  EXPECT_EQ(log.rescan().cards(),
            (std::vector<std::uint32_t>{1, 2 * kCardsPerRegion + 1, 3 * kCardsPerRegion + 1}));
  EXPECT_TRUE(log.remembered().has(kCardsPerRegion + 1));

  log.keep_rescan(nullptr);
  EXPECT_TRUE(log.rescan().cards().empty());
}

}  // namespace
}  // namespace tenure::testing
