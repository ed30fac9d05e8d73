// Evacuations by several workers: on shapes that are hard to share, and on random graphs whose model
// is compared after each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/support/graph_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr std::uint32_t kWorkers = 4;

HeapOptions roomy() {
  return {.generations = 3,
          .promotion_age = 2,
          .nursery = 16_MiB,
          .nursery_reserve = 16_MiB,
          .limit = 128_MiB};
}

class TeamEvacuation : public GraphTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  TeamEvacuation() : GraphTest(roomy(), GetParam()) {}

  /// Evacuates by the whole team from the first object on, and compares.
  EvacuationStats collect_together(std::uint32_t last, Promotion promotion = Promotion::kByAge) {
    retire();
    heap.flush_born_old();
    const EvacuationStats stats = evacuate(heap, last, promotion, workers, Bytes{});
    expect_sound();
    reached = compare();
    return stats;
  }

  Team workers{kWorkers};
  std::uint64_t reached = 0;
};

TEST_P(TeamEvacuation, CopiesEachObjectOfARandomGraphOnce) {
  constexpr std::uint32_t kNodes = 40'000;
  std::vector<ObjectIndex> nodes;
  for (std::uint32_t k = 0; k < kNodes; ++k) {
    nodes.push_back(make_node(draw(5)));
  }
  for (const ObjectIndex node : nodes) {
    for (std::uint32_t k = 0; k < slot_count(node); ++k) {
      link(node, k, nodes[draw(kNodes)]);
    }
  }
  for (std::uint32_t k = 0; k < kRoots; ++k) {
    root(k) = nodes[draw(kNodes)];
  }
  const std::uint64_t before = compare();

  for (const std::uint32_t last : {0u, 0u, 1u, 1u, 1u, 1u}) {
    const EvacuationStats stats = collect_together(last);
    EXPECT_EQ(reached, before);
    EXPECT_LE(stats.objects_copied + stats.objects_promoted, before);
  }
  EXPECT_EQ(heap.generation_of(root(0)), 2u) << "after as many survivals as two ages ask for";
}

TEST_P(TeamEvacuation, SharesAnArrayInPieces) {
  constexpr std::uint32_t kLength = 15'000;
  root(0) = make_node(kLength);
  ASSERT_TRUE(heap.young().is_in_nursery(root(0)));
  for (std::uint32_t k = 0; k < kLength; ++k) {
    const ObjectIndex leaf = make_node(k % 2);
    link(root(0), k, leaf);
    if (k % 2 == 1) {
      link(leaf, 0, make_node(0));
    }
  }

  const EvacuationStats stats = collect_together(0);

  EXPECT_EQ(stats.workers, kWorkers);
  EXPECT_EQ(stats.objects_copied, 1 + kLength + kLength / 2);
}

TEST_P(TeamEvacuation, EndsOnAListThatOneWorkerMustFollow) {
  constexpr std::uint32_t kLength = 100'000;
  root(0) = make_node(1);
  ObjectIndex last = root(0);
  for (std::uint32_t k = 1; k < kLength; ++k) {
    const ObjectIndex next = make_node(1);
    link(last, 0, next);
    last = next;
  }

  EXPECT_EQ(collect_together(0).objects_copied, kLength);
  EXPECT_EQ(collect_together(0).objects_promoted, kLength);
}

TEST_P(TeamEvacuation, RemembersEachCardThatNamesSomethingYoungerOnce) {
  constexpr std::uint32_t kHolders = 3'000;
  root(0) = make_node(kHolders);
  for (std::uint32_t k = 0; k < kHolders; ++k) {
    link(root(0), k, make_node(3));
  }
  collect_together(0, Promotion::kAllToOldest);
  for (std::uint32_t k = 0; k < kHolders; ++k) {
    link(slots_of(root(0))[k], draw(3), make_node(1));
  }

  collect_together(0);  // the verifier misses a card that is not remembered

  std::vector<std::uint32_t> cards = heap.cards().remembered().cards();
  std::sort(cards.begin(), cards.end());
  EXPECT_GT(cards.size(), 100u);
  EXPECT_EQ(std::adjacent_find(cards.begin(), cards.end()), cards.end());
}

TEST_P(TeamEvacuation, LeavesPinnedObjectsToOneWorkerEach) {
  constexpr std::uint32_t kNodes = 4'000;
  std::vector<ObjectIndex> pinned;
  std::vector<detail::PinRow*> pins;
  root(0) = make_node(kNodes);
  root(1) = make_node(kNodes);
  for (std::uint32_t k = 0; k < kNodes; ++k) {
    const ObjectIndex node = make_node(1);
    link(root(0), k, node);
    link(root(1), kNodes - 1 - k, node);
    link(node, 0, make_node(0));
    if (k % 8 == 0) {
      pins.push_back(heap.roots().pins().pin(node));
      pinned.push_back(node);
    }
  }

  const EvacuationStats stats = collect_together(0);

  EXPECT_EQ(stats.objects_held, pinned.size());
  EXPECT_EQ(stats.objects_copied, 2 + 2 * kNodes - pinned.size());
  for (std::size_t k = 0; k < pinned.size(); ++k) {
    ASSERT_EQ(slots_of(root(0))[8 * k], pinned[k]);
    heap.roots().pins().unpin(pins[k]);
  }
}

TEST_P(TeamEvacuation, AgreesWithTheModelThroughRandomStores) {
  for (std::uint32_t round = 0; round < 12; ++round) {
    for (std::uint32_t k = 0; k < 4'000; ++k) {
      const ObjectIndex fresh = make_node(draw(40) == 0 ? 200 + draw(3'000) : 1 + draw(5));
      const ObjectIndex other = wander();
      if (other != ObjectIndex::kNull) {
        link(fresh, draw(slot_count(fresh)), other);
      }
      const ObjectIndex holder = wander();
      if (holder == ObjectIndex::kNull || draw(1'000) == 0) {
        root(draw(kRoots)) = fresh;
      } else {
        link(holder, draw(slot_count(holder)), fresh);
      }
    }
    collect_together(draw(2), draw(4) == 0 ? Promotion::kAllToOldest : Promotion::kByAge);
  }
  EXPECT_GT(reached, 1'000u);
}

TEST_P(TeamEvacuation, CallsNobodyForLittle) {
  root(0) = make_node(1);
  retire();

  EXPECT_EQ(evacuate(heap, 0, Promotion::kByAge, workers).workers, 1u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TeamEvacuation, ::testing::Range<std::uint64_t>(1, 5));

// Room for a part of what lives: workers race for it, and what finds none stays.
class TightTeamEvacuation : public GraphTest {
 protected:
  TightTeamEvacuation()
      : GraphTest({.generations = 3,
                   .promotion_age = 1,
                   .nursery = 4_MiB,
                   .nursery_reserve = 4_MiB,
                   .limit = 6_MiB},
                  1) {}
};

TEST_F(TightTeamEvacuation, HoldsBackWhatFindsNoRoomAndLosesNothing) {
  Team workers{kWorkers};
  root(0) = make_node(1'000);
  for (std::uint32_t k = 0; k < 1'000; ++k) {
    ObjectIndex at = root(0);
    for (std::uint32_t depth = 0; depth < 100; ++depth) {
      const ObjectIndex next = make_node(1);
      link(at, depth == 0 ? k : 0, next);
      at = next;
    }
  }
  ASSERT_TRUE(heap.young().is_in_nursery(slots_of(root(0))[999]));
  const std::uint64_t before = compare();
  retire();

  const EvacuationStats stats = evacuate(heap, 0, Promotion::kByAge, workers, Bytes{});

  expect_sound();
  EXPECT_GT(stats.objects_held, 0u);
  EXPECT_GT(stats.objects_promoted, 0u);
  EXPECT_EQ(stats.objects_held + stats.objects_promoted, before);
  EXPECT_EQ(compare(), before);
}

}  // namespace
}  // namespace tenure::testing
