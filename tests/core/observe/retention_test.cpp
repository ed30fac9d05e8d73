// Retained sizes, cycles and differences on graphs made by hand, against what is found by trying.
#include "tenure/retention.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/random_snapshot.hpp"

namespace tenure::testing {
namespace {

constexpr std::uint64_t kSeeds = 60;

// What is garbage without all of `gone`, those included.
HeldBytes lost_without(const HeapSnapshot& snapshot, std::uint32_t gone) {
  const std::vector<bool> reached = reachable_without(snapshot, gone);
  HeldBytes lost;
  for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
    if (!reached[object]) {
      lost += snapshot.own(object);
    }
  }
  return lost;
}

TEST(Retention, EqualsWhatIsLostByTakingEachObjectAway) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const HeapSnapshot snapshot = random_snapshot(seed, 5 + static_cast<std::uint32_t>(seed) * 4);
    const Retention retention = find_retention(snapshot);

    for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
      ASSERT_EQ(retention.retained[object], lost_without(snapshot, object))
          << "object " << object << ", seed " << seed;
    }
  }
}

TEST(Retention, NamesTheNearestDominator) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const HeapSnapshot snapshot = random_snapshot(seed, 60);
    const Retention retention = find_retention(snapshot);
    std::vector<std::vector<bool>> without;
    for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
      without.push_back(reachable_without(snapshot, object));
    }

    // The nearest one is dominated by all others.
    for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
      std::set<std::uint32_t> dominators;
      for (std::uint32_t other = 0; other < snapshot.objects.size(); ++other) {
        if (other != object && !without[other][object]) {
          dominators.insert(other);
        }
      }
      const std::uint32_t nearest = retention.dominator[object];
      ASSERT_EQ(nearest == kNoObject, dominators.empty()) << "seed " << seed;
      for (const std::uint32_t other : dominators) {
        ASSERT_TRUE(other == nearest || !without[other][nearest]) << "seed " << seed;
      }
    }
  }
}

TEST(Retention, AddsPayloadsOfEachKindApart) {
  HeapSnapshot snapshot = long_list(3);
  snapshot.payloads = {{1, MemoryKind::kHost, SiteId::kUnknown, 100_B},
                       {2, MemoryKind::kDevice, SiteId::kUnknown, 7000_B}};

  const Retention retention = find_retention(snapshot);

  EXPECT_EQ(retention.retained[0].payloads, (std::array{100_B, 0_B, 0_B, 7000_B}));
  EXPECT_EQ(retention.retained[2].payloads, (std::array{0_B, 0_B, 0_B, 7000_B}));
  EXPECT_EQ(retention.retained[0].total(), Bytes{48 + 7100});
}

TEST(Retention, TakesAListOfAMillion) {
  constexpr std::uint32_t kObjects = 1'000'000;
  HeapSnapshot snapshot = long_list(kObjects);
  snapshot.edges.push_back({0, 0});  // and back to its head: one cycle
  ++snapshot.first_edge.back();

  const Retention retention = find_retention(snapshot);
  const std::vector<ObjectCycle> cycles = find_cycles(snapshot);

  EXPECT_EQ(retention.retained[0].objects, kObjects);
  EXPECT_EQ(retention.retained[kObjects - 1].objects, 1u);
  EXPECT_EQ(retention.dominator[kObjects - 1], kObjects - 2);
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(cycles[0].objects.size(), kObjects);
  EXPECT_EQ(retention_chain(snapshot, kObjects - 1).size(), kObjects);
}

TEST(Retention, OfATypeCountsWhatItsTopmostObjectsRetain) {
  HeapSnapshot snapshot = long_list(4);  // Item -> Item -> Other -> Item
  snapshot.types.push_back({.name = "Other", .fields = {}, .is_array = false});
  snapshot.objects[2].type = 1;

  const std::vector<TypeTotals> totals = totals_by_type(snapshot, find_retention(snapshot));

  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].type, "Item");
  EXPECT_EQ(totals[0].held.objects, 3u);
  EXPECT_EQ(totals[0].retained.objects, 4u);
  EXPECT_EQ(totals[1].held.objects, 1u);
  EXPECT_EQ(totals[1].retained.objects, 2u);
}

TEST(Retention, OfATypeIsTheSameBeyondSixtyFourTypes) {
  HeapSnapshot snapshot = long_list(200);
  snapshot.types.clear();
  for (std::uint32_t k = 0; k < 100; ++k) {
    snapshot.types.push_back({.name = "T" + std::to_string(k), .fields = {}, .is_array = false});
  }
  for (std::uint32_t k = 0; k < 200; ++k) {
    snapshot.objects[k].type = k % 100;
  }

  for (const TypeTotals& row : totals_by_type(snapshot, find_retention(snapshot))) {
    EXPECT_EQ(row.held.objects, 2u);
    EXPECT_EQ(row.retained.objects, 200 - std::stoul(row.type.substr(1))) << row.type;
  }
}

TEST(Totals, ByTypeAndByAgeAddUpToTheWhole) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const HeapSnapshot snapshot = random_snapshot(seed, 80);
    HeldBytes by_type;
    for (const TypeTotals& row : totals_by_type(snapshot)) {
      by_type += row.held;
    }
    HeldBytes by_age;
    for (const AgeTotals& row : totals_by_age(snapshot)) {
      by_age += row.held;
    }

    EXPECT_EQ(by_type, snapshot.total());
    EXPECT_EQ(by_age, snapshot.total());
  }
}

TEST(Cycles, AreObjectsThatLeadToEachOther) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const HeapSnapshot snapshot = random_snapshot(seed, 40);
    const auto count = static_cast<std::uint32_t>(snapshot.objects.size());
    std::vector<std::vector<bool>> leads(count, std::vector<bool>(count, false));
    for (std::uint32_t object = 0; object < count; ++object) {
      for (const SnapshotEdge& edge : snapshot.references(object)) {
        leads[object][edge.target] = true;
      }
    }
    for (std::uint32_t by = 0; by < count; ++by) {
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          leads[a][b] = leads[a][b] || (leads[a][by] && leads[by][b]);
        }
      }
    }
    std::set<std::vector<std::uint32_t>> expected;
    for (std::uint32_t a = 0; a < count; ++a) {
      std::vector<std::uint32_t> members;
      for (std::uint32_t b = 0; b < count; ++b) {
        if (leads[a][b] && leads[b][a]) {
          members.push_back(b);
        }
      }
      if (!members.empty()) {
        expected.insert(members);
      }
    }

    std::set<std::vector<std::uint32_t>> found;
    for (const ObjectCycle& cycle : find_cycles(snapshot)) {
      HeldBytes held;
      for (const std::uint32_t object : cycle.objects) {
        held += snapshot.own(object);
      }
      EXPECT_EQ(held, cycle.held);
      found.insert(cycle.objects);
    }
    ASSERT_EQ(found, expected) << "seed " << seed;
  }
}

TEST(Cycles, ALoneRootIsNone) { EXPECT_TRUE(find_cycles(long_list(1)).empty()); }

TEST(Comparison, SaysWhatChanged) {
  HeapSnapshot before = long_list(10);
  HeapSnapshot after = long_list(25);
  after.types.push_back({.name = "New", .fields = {}, .is_array = false});
  after.objects[20].type = 1;
  after.payloads = {{20, MemoryKind::kDevice, SiteId::kUnknown, 1000_B}};
  before.types.push_back({.name = "Same", .fields = {}, .is_array = false});
  before.objects[9].type = 1;
  after.types.push_back({.name = "Same", .fields = {}, .is_array = false});
  after.objects[24].type = 2;

  const std::vector<TypeChange> changes = compare(totals_by_type(before), totals_by_type(after));

  ASSERT_EQ(changes.size(), 2u) << "what is the same is left out";
  EXPECT_EQ(changes[0].type, "New");
  EXPECT_EQ(changes[0].growth(), 1016);
  EXPECT_EQ(changes[0].before, HeldBytes{});
  EXPECT_EQ(changes[1].type, "Item");
  EXPECT_EQ(changes[1].before.objects, 9u);
  EXPECT_EQ(changes[1].after.objects, 23u);
  EXPECT_EQ(compare(totals_by_type(after), totals_by_type(before)).back().growth(), -1016);
}

}  // namespace
}  // namespace tenure::testing
