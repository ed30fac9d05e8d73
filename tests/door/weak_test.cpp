// Weak references as a program sees them: null from the collection on that finds the death.
#include "tenure/weak.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/generations_fixture.hpp"

namespace tenure::testing {
namespace {

class WeakReferences : public GenerationsTest {};
INSTANTIATE_TEST_SUITE_P(Generations, WeakReferences, every_shape());

TEST_P(WeakReferences, FollowTheirObjectThroughEveryGeneration) {
  const Local<Node> node = make_node(7);
  const Weak<Node> weak(node);

  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    ASSERT_EQ(generation_of(node.index()), generation);
    ASSERT_EQ(weak.lock(*mutator), node);
    collect_up_to(generation);
  }

  EXPECT_EQ(weak.lock(*mutator)->value, 7);
}

TEST_P(WeakReferences, AreClearedByTheCollectionThatFindsTheDeathInWhateverGeneration) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    std::optional<Local<Node>> node(make_node(7));
    const Weak<Node> weak(*node);
    raise_to(generation);
    ASSERT_EQ(generation_of(node->index()), generation);
    node.reset();

    EXPECT_FALSE(weak.is_null()) << "nobody has found it dead";
    const CollectionReport report = collect_up_to(generation);

    EXPECT_TRUE(weak.is_null()) << "generation " << generation;
    EXPECT_FALSE(weak.lock(*mutator));
    EXPECT_EQ(report.weak_cleared, 1u);
  }
  EXPECT_EQ(runtime.statistics().weak_cleared, oldest() + 1);
}

TEST_P(WeakReferences, AreNotClearedByACollectionOfYoungerGenerationsAlone) {
  std::optional<Local<Node>> node(make_node(7));
  const Weak<Node> weak(*node);
  raise_to(oldest());
  node.reset();

  for (std::uint32_t last = 0; last < oldest(); ++last) {
    collect_up_to(last);
    ASSERT_FALSE(weak.is_null());
  }
  collect_full();

  EXPECT_TRUE(weak.is_null());
}

TEST_P(WeakReferences, AreClearedWhereTheDeadReferToEachOther) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    std::optional<Local<Node>> first(make_node(1));
    std::optional<Local<Node>> second(make_node(2));
    (*first)->left = *second;
    (*second)->left = *first;
    const Weak<Node> to_first(*first);
    const Weak<Node> to_second(*second);
    raise_to(generation);
    second.reset();
    first.reset();

    collect_up_to(generation);

    EXPECT_TRUE(to_first.is_null() && to_second.is_null());
  }
}

TEST_P(WeakReferences, KeepWhatTheyWereLockedTo) {
  std::optional<Local<Node>> node(make_node(7));
  const Weak<Node> weak(*node);
  {
    const Local<Node> locked = weak.lock(*mutator);
    node.reset();
    collect_full();
    EXPECT_EQ(locked->value, 7);
    EXPECT_FALSE(weak.is_null());
  }

  collect_full();

  EXPECT_TRUE(weak.is_null());
}

TEST_P(WeakReferences, TellOfADeathOnceAndOffThePause) {
  int told = 0;
  const Weak<Node> weak(make_node(7), [&] {
    ++told;
    (void)make_node(8);  // it may allocate, and collect
    collect_full();
  });

  collect_full();
  EXPECT_TRUE(weak.is_null());
  EXPECT_EQ(told, 0) << "no user's code in a stop";

  mutator->poll();
  mutator->poll();
  collect_full();
  mutator->poll();
  EXPECT_EQ(told, 1);
}

TEST_P(WeakReferences, TellNobodyWhereTheyAreGoneBefore) {
  int told = 0;
  std::optional<Weak<Node>> before{std::in_place, make_node(7), [&] { ++told; }};
  std::optional<Weak<Node>> between{std::in_place, make_node(8), [&] { ++told; }};
  const Weak<Node> copy(*before);

  before.reset();
  collect_full();
  between.reset();
  mutator->poll();

  EXPECT_TRUE(copy.is_null());
  EXPECT_EQ(told, 0);
}

TEST_P(WeakReferences, CountACallbackThatThrowsAndGoOn) {
  int told = 0;
  const Weak<Node> bad(make_node(7), [] { throw std::runtime_error("no more"); });
  const Weak<Node> good(make_node(8), [&] { ++told; });

  collect_full();
  run_finalizers(*mutator);

  EXPECT_EQ(told, 1);
  EXPECT_EQ(runtime.statistics().finalizers.failed, 1u);
  EXPECT_EQ(runtime.statistics().finalizers.failure, "no more");
}

TEST_P(WeakReferences, CopyMoveAndAreCounted) {
  const Local<Node> node = make_node(7);
  std::optional<Weak<Node>> first{node};
  const Weak<Node> copy(*first);
  const Weak<Node> moved(std::move(*first));
  EXPECT_EQ(runtime.statistics().weak_references, 2u);

  first.reset();
  collect_full();

  EXPECT_EQ(copy.lock(*mutator), node);
  EXPECT_EQ(moved.lock(*mutator), node);
  EXPECT_TRUE(Weak<Node>().is_null());
  EXPECT_TRUE(Weak<Node>(Local<Node>(*mutator)).is_null());
}

TEST_P(WeakReferences, OutliveTheirRuntimeAsNull) {
  const Weak<Node> weak(make_node(7));
  mutator.reset();
  runtime.close();
  EXPECT_TRUE(weak.is_null());
  { const Runtime ended = std::move(runtime); }

  EXPECT_TRUE(weak.is_null());
  const Weak<Node> copy(weak);
  EXPECT_TRUE(copy.is_null());
}

TEST_P(WeakReferences, FollowACompaction) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "with one generation nothing moves";
  }
  std::vector<Handle<Node>> handles;
  std::vector<Weak<Node>> weak;
  for (int k = 0; k < 20'000; ++k) {
    const Local<Node> node = make_node(k);
    weak.emplace_back(node);
    handles.emplace_back(k % 10 == 0 ? Handle<Node>(node) : Handle<Node>());
  }
  collect_full();

  ASSERT_TRUE(runtime.compact().ok());

  for (std::size_t k = 0; k < weak.size(); ++k) {
    ASSERT_EQ(weak[k].is_null(), k % 10 != 0);
    if (k % 10 == 0) {
      ASSERT_EQ(weak[k].lock(*mutator)->value, static_cast<std::int64_t>(k));
    }
  }
}

TEST_P(WeakReferences, MayBeDroppedAndCopiedByThreadsWithoutAMutatorWhileOthersCollect) {
  constexpr std::size_t kCount = 2'000;
  std::vector<Weak<Node>> weak;
  std::vector<Handle<Node>> kept;
  for (std::size_t k = 0; k < kCount; ++k) {
    const Local<Node> node = make_node(static_cast<std::int64_t>(k));
    weak.emplace_back(node, [] {});
    if (k % 3 == 0) {
      kept.emplace_back(node);
    }
  }
  std::atomic<int> done{0};
  const auto drop = [&](std::size_t first) {
    for (std::size_t k = first; k < kCount; k += 4) {
      const Weak<Node> copy(weak[k]);
      weak[k].reset();
    }
    ++done;
  };
  std::thread left([&] { drop(0); });
  std::thread right([&] { drop(1); });

  do {
    (void)make_list(100);
    collect_up_to(0);
    collect_full();
    mutator->poll();
  } while (done < 2);
  left.join();
  right.join();
  collect_full();
  run_finalizers(*mutator);

  EXPECT_EQ(runtime.statistics().weak_references, kCount / 2);
  for (std::size_t k = 0; k < kCount; ++k) {
    if (k % 4 >= 2) {
      ASSERT_EQ(weak[k].is_null(), k % 3 != 0) << k;
    }
  }
}

TEST_P(WeakReferences, AreLockedByManyThreadsWhileOthersCollect) {
  std::optional<Handle<Node>> kept{make_node(7)};
  const Weak<Node> weak(*kept);
  std::atomic<bool> dropped{false};
  std::atomic<bool> over{false};
  const auto look = [&] {
    Mutator own(runtime);
    bool was_null = false;
    while (!over) {
      {
        const Local<Node> locked = weak.lock(own);
        EXPECT_FALSE(was_null && locked) << "it came back from the dead";
        was_null = !locked;
        if (locked && !dropped) {
          own.poll();  // it lives through a collection
          EXPECT_EQ(locked->value, 7);
        }
      }
      own.poll();
    }
  };
  std::thread left(look);
  std::thread right(look);
  for (int k = 0; k < 20; ++k) {
    collect_up_to(0);
    collect_full();
  }
  kept.reset();
  dropped = true;
  while (!weak.is_null()) {
    collect_full();
  }
  over = true;
  {
    const Away away(*mutator);
    left.join();
    right.join();
  }
}

}  // namespace
}  // namespace tenure::testing
