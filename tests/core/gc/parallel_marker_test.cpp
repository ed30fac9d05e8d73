#include "core/gc/parallel_marker.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <thread>

#include "tests/contract/marker_contract.hpp"
#include "tests/contract/marker_scale_contract.hpp"

namespace tenure::testing {

template <std::uint32_t kMembers>
class MarkerOf : public Marker {
 public:
  void begin(const MarkJob& job) override { marker_.begin(job); }
  bool advance(std::uint64_t budget) override { return marker_.advance(budget); }
  void add(std::span<const ObjectIndex> objects) override { marker_.add(objects); }
  MarkStats complete() override { return marker_.complete(); }

 private:
  Team team_{kMembers};
  ParallelMarker marker_{team_, 0};  // the contract's graphs are small, and are for all members
};

using ParallelMarkers = ::testing::Types<MarkerOf<1>, MarkerOf<2>, MarkerOf<5>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Parallel, MarkerContract, ParallelMarkers);
INSTANTIATE_TYPED_TEST_SUITE_P(Parallel, MarkerScaleContract, ParallelMarkers);

// A tree, each object's children far from it: as many spans as there are.
PlainGraph spread_tree(std::uint32_t objects) {
  PlainGraph tree(objects, 2);
  std::vector<std::uint32_t> order(objects);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin() + 1, order.end(), std::mt19937_64(3));
  for (std::uint32_t k = 1; k < objects; ++k) {
    tree.set_slot(tree.object(order[(k - 1) / 2]), (k - 1) % 2, tree.object(order[k]));
  }
  return tree;
}

TEST(ParallelMarker, SharesTheSpansThatOneRootLeadsTo) {
  constexpr std::uint32_t kObjects = 600'000 / kShare;
  PlainGraph tree = spread_tree(kObjects);
  const ObjectIndex root = tree.object(0);
  Team team(2);
  ParallelMarker marker(team);

  // Why again and again: on a busy machine the second may not get a core before the first is done.
  for (int tries = 0; tries < 100 && marker.steals() == 0; ++tries) {
    tree.clear_marks();
    marker.begin(tree.job({&root, 1}));
    EXPECT_EQ(marker.complete().objects, kObjects);
  }

  EXPECT_GT(marker.steals(), 0u) << "one member did all";
}

TEST(ParallelMarker, LeavesAListToWhoeverFollowsIt) {
  constexpr std::uint32_t kObjects = 400'000 / kShare;
  PlainGraph list(kObjects, 1);
  std::vector<std::uint32_t> order(kObjects);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(4));
  for (std::uint32_t k = 0; k + 1 < kObjects; ++k) {
    list.set_slot(list.object(order[k]), 0, list.object(order[k + 1]));
  }
  const ObjectIndex root = list.object(order[0]);
  Team team(2);
  ParallelMarker marker(team);

  marker.begin(list.job({&root, 1}));

  EXPECT_EQ(marker.complete().objects, kObjects);
  EXPECT_LT(marker.steals(), kObjects / 100);
}

TEST(ParallelMarker, CallsTheTeamForALargeHeapOnly) {
  Team team(2);
  ParallelMarker marker(team);
  const auto team_runs_for = [&](std::uint32_t objects) {
    PlainGraph tree = spread_tree(objects);
    const ObjectIndex root = tree.object(0);
    const std::uint64_t before = marker.team_runs();
    marker.begin(tree.job({&root, 1}));
    EXPECT_EQ(marker.complete().objects, objects);
    return marker.team_runs() - before;
  };

  EXPECT_EQ(team_runs_for(ParallelMarker::kAlone / 2), 0u);
  EXPECT_GE(team_runs_for(ParallelMarker::kAlone * 8), 1u);
}

TEST(ParallelMarker, CallsNobodyWhereThereIsNothingToRead) {
  PlainGraph tree = spread_tree(1000);
  const ObjectIndex root = tree.object(0);
  Team team(2);
  ParallelMarker marker(team, 0);
  marker.begin(tree.job({&root, 1}));
  ASSERT_TRUE(marker.advance(Marker::kNoBudget));
  const std::uint64_t before = marker.team_runs();

  for (int k = 0; k < 10; ++k) {  // as weak maps and finalizers ask, round after round
    marker.add({&root, 1});
    EXPECT_TRUE(marker.advance(Marker::kNoBudget));
  }

  EXPECT_EQ(marker.team_runs(), before);
}

TEST(StealableSpanQueue, GivesEachSpanToOneTakerWhileItGrows) {
  constexpr std::uint32_t kPushed = 200'000;
  StealableSpanQueue queue;
  std::array<std::vector<std::uint32_t>, 3> taken;  // the owner's, and two thieves'
  std::atomic<bool> over{false};
  const auto steal = [&](std::vector<std::uint32_t>& into) {
    while (!over.load() || !queue.empty()) {
      if (const std::uint32_t span = queue.pop(); span != kNoSpan) {
        into.push_back(span);
      }
    }
  };
  std::thread first([&] { steal(taken[1]); });
  std::thread second([&] { steal(taken[2]); });

  for (std::uint32_t span = 1; span <= kPushed; ++span) {
    queue.push(span);
    if (span % 3 == 0) {
      if (const std::uint32_t oldest = queue.pop(); oldest != kNoSpan) {
        taken[0].push_back(oldest);
      }
    }
  }
  over.store(true);
  first.join();
  second.join();

  std::vector<std::uint32_t> all;
  for (const std::vector<std::uint32_t>& some : taken) {
    EXPECT_TRUE(std::is_sorted(some.begin(), some.end())) << "first in was not first out";
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), kPushed);
  EXPECT_TRUE(std::adjacent_find(all.begin(), all.end()) == all.end());
}

}  // namespace tenure::testing
