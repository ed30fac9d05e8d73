// Weak maps as a program sees them: a value lives as long as its key, and no key by its entry.
#include "tenure/weak_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tenure/weak.hpp"
#include "tests/support/generations_fixture.hpp"

namespace tenure::testing {
namespace {

class WeakMaps : public GenerationsTest {
 protected:
  WeakMap<Node, Node> map{*mutator};
};
INSTANTIATE_TEST_SUITE_P(Generations, WeakMaps, every_shape());

TEST_P(WeakMaps, KeepTheValueOfALivingKeyWhateverTheirGenerations) {
  for (std::uint32_t older = 0; older <= oldest(); ++older) {
    for (const bool key_first : {true, false}) {
      std::optional<Local<Node>> elder(make_node(1));
      raise_to(older);
      std::optional<Local<Node>> younger(make_node(2));
      const Handle<Node> held(key_first ? *elder : *younger);
      map.set(Local<Node>(*mutator, held), key_first ? *younger : *elder);
      younger.reset();
      elder.reset();

      for (std::uint32_t last = 0; last <= oldest(); ++last) {
        collect_up_to(last);
        const Local<Node> found = map.find(*mutator, Local<Node>(*mutator, held));
        ASSERT_TRUE(found);
        ASSERT_EQ(found->value, key_first ? 2 : 1);
      }
    }
  }
}

TEST_P(WeakMaps, DropTheEntryInTheCollectionThatFindsTheKeyDead) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    std::optional<Local<Node>> key(make_node(1));
    const Weak<Node> value([&] {
      const Local<Node> made = make_node(2);
      made->left = *key;  // which keeps nothing: an ephemeron
      map.set(*key, made);
      return Weak<Node>(made);
    }());
    raise_to(generation);
    ASSERT_EQ(map.size(), 1u);
    key.reset();

    const CollectionReport report = collect_up_to(generation);

    EXPECT_EQ(map.size(), 0u) << "generation " << generation;
    EXPECT_TRUE(value.is_null()) << "generation " << generation;
    EXPECT_EQ(report.map_entries_dropped, 1u);
  }
}

TEST_P(WeakMaps, FollowChainsOfEntriesInAnyOrder) {
  constexpr int kLength = 1'500;
  for (const int order : {0, 1, 2}) {
    // Entry k: key k, and a value that refers to key k + 1 through another object.
    std::vector<int> places(kLength);
    for (int k = 0; k < kLength; ++k) {
      places[k] = k;
    }
    if (order == 1) {
      std::reverse(places.begin(), places.end());
    } else if (order == 2) {
      std::shuffle(places.begin(), places.end(), std::mt19937(11));
    }
    std::vector<Handle<Node>> keys;
    for (int k = 0; k < kLength; ++k) {
      keys.emplace_back(make_node(k));
    }
    for (const int k : places) {
      const Local<Node> value = make_node(-k);
      if (k + 1 < kLength) {
        const Local<Node> between = make_node(0);
        between->right = keys[k + 1];
        value->left = between;
      }
      map.set(Local<Node>(*mutator, keys[k]), value);
    }
    Handle<Node> first = keys[0];
    keys.clear();

    for (std::uint32_t last = 0; last <= oldest(); ++last) {
      collect_up_to(last);
      Local<Node> key(*mutator, first);
      for (int k = 0; k < kLength; ++k) {
        const Local<Node> value = map.find(*mutator, key);
        ASSERT_TRUE(value) << "entry " << k << ", order " << order << ", up to " << last;
        ASSERT_EQ(value->value, -k);
        if (k + 1 < kLength) {
          key = value->left->right;
        }
      }
    }
    ASSERT_EQ(map.size(), static_cast<std::uint64_t>(kLength));
    first.reset();
    collect_full();
    ASSERT_EQ(map.size(), 0u) << "the chain hung on its first key";
    ASSERT_EQ(objects(), 0u);
  }
}

TEST_P(WeakMaps, HoldAnEntryForEachKeyAndForgetOnRequest) {
  const Local<Node> key = make_node(1);
  const Local<Node> other = make_node(2);
  map.set(key, make_node(10));
  map.set(key, make_node(11));
  map.set(other, Local<Node>(*mutator));

  collect_full();

  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.find(*mutator, key)->value, 11);
  EXPECT_TRUE(map.has(other));
  EXPECT_FALSE(map.find(*mutator, other)) << "its value is null";
  EXPECT_TRUE(map.erase(key));
  EXPECT_FALSE(map.erase(key));
  EXPECT_FALSE(map.has(key));
  map.clear();
  EXPECT_EQ(map.size(), 0u);
  EXPECT_EQ(runtime.statistics().map_entries, 0u);
  collect_full();
  EXPECT_EQ(objects(), 2u);
}

TEST_P(WeakMaps, EndWithTheirEntries) {
  const Local<Node> key = make_node(1);
  {
    WeakMap<Node, Node> passing(*mutator);
    passing.set(key, make_node(2));
    map.set(key, make_node(3));
    collect_full();
    EXPECT_EQ(objects(), 3u);
  }

  collect_full();

  EXPECT_EQ(objects(), 2u);
  EXPECT_EQ(map.find(*mutator, key)->value, 3);
}

TEST_P(WeakMaps, OutliveTheirRuntimeEmpty) {
  const Handle<Node> key(make_node(1));
  map.set(Local<Node>(*mutator, key), make_node(2));
  mutator.reset();
  runtime.close();
  EXPECT_EQ(map.size(), 0u);
  { const Runtime ended = std::move(runtime); }

  EXPECT_EQ(map.size(), 0u);
}

TEST_P(WeakMaps, FollowACompaction) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "with one generation nothing moves";
  }
  std::vector<Handle<Node>> keys;
  for (int k = 0; k < 10'000; ++k) {
    const Local<Node> key = make_node(k);
    map.set(key, make_node(-k));
    if (k % 10 == 0) {
      keys.emplace_back(key);
    }
  }
  collect_full();
  ASSERT_EQ(map.size(), keys.size());

  ASSERT_TRUE(runtime.compact().ok());

  for (const Handle<Node>& key : keys) {
    ASSERT_EQ(map.find(*mutator, Local<Node>(*mutator, key))->value, -key->value);
  }
}

TEST_P(WeakMaps, AgreeWithAnOracleOnRandomGraphs) {
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return random() % n; };
    constexpr std::size_t kNodes = 60;
    std::vector<std::optional<Handle<Node>>> nodes(kNodes);
    std::vector<Weak<Node>> weak(kNodes);
    std::vector<std::vector<std::size_t>> edges(kNodes);
    std::vector<std::pair<std::size_t, std::size_t>> entries;
    map.clear();
    for (std::size_t k = 0; k < kNodes; ++k) {
      const Local<Node> node = make_node(static_cast<std::int64_t>(k));
      nodes[k].emplace(node);
      weak[k] = Weak<Node>(node);
      if (k > 0 && below(3) > 0) {
        edges[k].push_back(below(k));
        node->left = *nodes[edges[k].back()];
      }
      if (below(8) == 0) {
        collect_up_to(static_cast<std::uint32_t>(below(oldest() + 1)));
      }
    }
    std::vector<bool> has_entry(kNodes);
    for (std::size_t k = 0; k < kNodes; ++k) {
      const std::size_t key = below(kNodes);
      if (!has_entry[key]) {
        has_entry[key] = true;
        entries.emplace_back(key, below(kNodes));
        map.set(Local<Node>(*mutator, *nodes[key]),
                Local<Node>(*mutator, *nodes[entries.back().second]));
      }
    }
    std::vector<bool> lives(kNodes);
    std::vector<std::size_t> unread;
    const auto reach = [&](std::size_t k) {
      if (!lives[k]) {
        lives[k] = true;
        unread.push_back(k);
      }
    };
    for (std::size_t k = 0; k < kNodes; ++k) {
      if (below(6) == 0) {
        reach(k);
      }
    }
    for (std::size_t k = 0; k < kNodes; ++k) {
      if (!lives[k]) {
        nodes[k].reset();
      }
    }
    while (!unread.empty()) {
      const std::size_t at = unread.back();
      unread.pop_back();
      for (const std::size_t to : edges[at]) {
        reach(to);
      }
      for (const auto& [key, value] : entries) {
        if (key == at) {
          reach(value);
        }
      }
    }

    for (std::uint32_t last = 0; last <= oldest(); ++last) {
      collect_up_to(last);
      for (std::size_t k = 0; k < kNodes; ++k) {
        ASSERT_TRUE(!lives[k] || !weak[k].is_null()) << "lost node " << k << ", seed " << seed;
      }
    }
    std::size_t living_entries = 0;
    for (std::size_t k = 0; k < kNodes; ++k) {
      ASSERT_EQ(weak[k].is_null(), !lives[k]) << "node " << k << ", seed " << seed;
    }
    for (const auto& [key, value] : entries) {
      if (lives[key]) {
        ++living_entries;
        const Local<Node> found = map.find(*mutator, weak[key].lock(*mutator));
        ASSERT_EQ(found, weak[value].lock(*mutator)) << "seed " << seed;
      }
    }
    ASSERT_EQ(map.size(), living_entries) << "seed " << seed;
  }
}

TEST_P(WeakMaps, AreUsedByManyThreadsWhileOthersCollect) {
  const auto work = [&] {
    Mutator own(runtime);
    const Local<Node> key = make<Node>(own);
    for (std::int64_t k = 0; k < 2'000; ++k) {
      const Local<Node> value = make<Node>(own);
      value->value = k;
      map.set(key, value);
      map.set(value, key);
      ASSERT_EQ(map.find(own, key)->value, k);
    }
  };
  std::thread left(work);
  std::thread right(work);
  for (int k = 0; k < 20; ++k) {
    collect_up_to(0);
    collect_full();
  }
  {
    const Away away(*mutator);
    left.join();
    right.join();
  }
  collect_full();

  EXPECT_EQ(map.size(), 0u);
}

}  // namespace
}  // namespace tenure::testing
