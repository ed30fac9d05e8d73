// Finalizers as a program sees them: once, off the pause, whatever the generation, whatever they throw.
#include "tenure/finalizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tenure/weak.hpp"
#include "tenure/weak_map.hpp"
#include "tests/support/generations_fixture.hpp"

namespace tenure::testing {
namespace {

class FinalizersTest : public GenerationsTest {
 protected:
  // Closing runs the finalizers that are left, and they note in `ran`.
  ~FinalizersTest() override {
    mutator.reset();
    runtime.close();
  }

  /// A node whose finalizer notes its value.
  Local<Node> make_noted(std::int64_t value) {
    const Local<Node> node = make_node(value);
    EXPECT_TRUE(set_finalizer(*mutator, node, [this](Local<Node> dying) {
                  ran.push_back(dying->value);
                }).ok());
    return node;
  }
  FinalizerStatistics statistics() { return runtime.statistics().finalizers; }

  std::vector<std::int64_t> ran;
};
INSTANTIATE_TEST_SUITE_P(Generations, FinalizersTest, every_shape());

TEST_P(FinalizersTest, RunOnceAfterADeathInWhateverGeneration) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    ran.clear();
    std::optional<Local<Node>> node(make_noted(7));
    (*node)->left = make_list(5);
    raise_to(generation);
    run_finalizers(*mutator);
    ASSERT_TRUE(ran.empty()) << "it lives";
    node.reset();

    const CollectionReport report = collect_up_to(generation);
    EXPECT_EQ(report.finalizers_queued, 1u) << "generation " << generation;
    EXPECT_TRUE(ran.empty()) << "no user's code in a stop";
    EXPECT_EQ(statistics().waiting, 1u);
    collect_full();
    collect_up_to(0);
    EXPECT_EQ(run_finalizers(*mutator), 1u);
    collect_full();
    EXPECT_EQ(run_finalizers(*mutator), 0u);

    EXPECT_EQ(ran, std::vector<std::int64_t>{7});
    EXPECT_EQ(objects(), 0u) << "it went with all it held";
  }
  EXPECT_EQ(statistics().ran, oldest() + 1);
}

TEST_P(FinalizersTest, AreNotQueuedByACollectionOfYoungerGenerationsAlone) {
  std::optional<Local<Node>> node(make_noted(7));
  raise_to(oldest());
  node.reset();

  for (std::uint32_t last = 0; last < oldest(); ++last) {
    collect_up_to(last);
    ASSERT_EQ(statistics().waiting, 0u);
    ASSERT_EQ(statistics().set, 1u);
  }
  collect_full();

  EXPECT_EQ(statistics().waiting, 1u);
  EXPECT_EQ(statistics().set, 0u);
}

TEST_P(FinalizersTest, RunInAnAllocatingMutatorsTurnAndInAPoll) {
  make_noted(1);
  collect_full();
  for (int k = 0; k < 100'000 && ran.empty(); ++k) {
    (void)make_node(0);
  }
  EXPECT_EQ(ran.size(), 1u);

  make_noted(2);
  collect_full();
  mutator->poll();

  EXPECT_EQ(ran, (std::vector<std::int64_t>{1, 2}));
}

TEST_P(FinalizersTest, FindTheirObjectWholeWithAllItReaches) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    std::int64_t length = 0;
    {
      const Local<Node> node = make_node(7);
      node->left = make_list(1'000);
      ASSERT_TRUE(set_finalizer(*mutator, node, [&](Mutator& own, Local<Node> dying) {
                    (void)make<Node>(own);  // it may allocate
                    length = length_of(dying->left.get());
                  }).ok());
      raise_to(generation);
    }
    collect_up_to(generation);
    collect_full();
    run_finalizers(*mutator);

    EXPECT_EQ(length, 1'000) << "generation " << generation;
  }
}

struct Wrapper {
  Ref<Tensor> tensor;
  static auto tenure_type() { return describe("Wrapper", &Wrapper::tensor); }
};

TEST_P(FinalizersTest, FindTheBytesOfTensorsThatOnlyTheirObjectLeadsTo) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    int found = 0;
    {
      const Local<Wrapper> wrapper = make<Wrapper>(*mutator);
      const Local<Tensor> tensor =
          value_or_throw(make_tensor(*mutator, Shape{4}, {.element = ElementType::kUint8}));
      *tensor->data() = std::byte{77};
      wrapper->tensor = tensor;
      ASSERT_TRUE(set_finalizer(*mutator, wrapper, [&](Local<Wrapper> dying) {
                    found = std::to_integer<int>(*dying->tensor->data());
                  }).ok());
      raise_to(generation);
    }
    EXPECT_EQ(collect_up_to(generation).payloads_retired, 0u);
    EXPECT_EQ(collect_full().payloads_retired, 0u);
    run_finalizers(*mutator);

    EXPECT_EQ(found, 77);
    EXPECT_EQ(collect_full().payloads_retired, 1u);
  }
}

TEST_P(FinalizersTest, FindNoWeakWayToWhatDiedWithTheirObject) {
  // The object in every generation, what it leads to in every one not younger.
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    WeakMap<Node, Node> map(*mutator);
    std::optional<Local<Node>> inner(make_node(2));
    raise_to(generation);
    std::optional<Local<Node>> outer(make_node(1));
    (*outer)->left = *inner;
    const Weak<Node> to_inner(*inner);
    const Weak<Node> to_outer(*outer);
    map.set(*outer, *inner);
    map.set(*inner, make_node(3));
    bool saw_weak_way = true;
    ASSERT_TRUE(set_finalizer(*mutator, *outer, [&](Local<Node> dying) {
                  saw_weak_way = !to_inner.is_null() || !to_outer.is_null() || map.size() > 0 ||
                                 dying->left->value != 2;
                }).ok());
    outer.reset();
    inner.reset();

    collect_full();
    run_finalizers(*mutator);

    EXPECT_FALSE(saw_weak_way) << "generation " << generation;
  }
}

TEST_P(FinalizersTest, MayBringTheirObjectBackOnceAndItsNextDeathIsFinal) {
  std::optional<Handle<Node>> saved;
  std::optional<Local<Node>> node(make_node(7));
  int calls = 0;
  const auto save = [&](Local<Node> dying) {
    ++calls;
    saved.emplace(dying);
  };
  ASSERT_TRUE(set_finalizer(*mutator, *node, save).ok());
  (*node)->left = make_list(3);
  node.reset();
  collect_full();
  run_finalizers(*mutator);

  ASSERT_TRUE(saved);
  for (std::uint32_t last = 0; last <= oldest(); ++last) {
    collect_up_to(last);
  }
  EXPECT_EQ((*saved)->value, 7);
  EXPECT_EQ(length_of((*saved)->left.get()), 3);
  const Weak<Node> weak(*saved);
  const Result<void> again = set_finalizer(*mutator, Local<Node>(*mutator, *saved), save);
  EXPECT_FALSE(again.ok()) << "none runs twice for one object";
  saved.reset();
  collect_full();
  run_finalizers(*mutator);

  EXPECT_TRUE(weak.is_null());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(objects(), 0u);
}

TEST_P(FinalizersTest, DoNotRunAgainForWhatAnotherObjectBringsBack) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    std::vector<Handle<Node>> saved;
    const auto save = [&](Local<Node> dying) { saved.emplace_back(dying); };
    ASSERT_TRUE(set_finalizer(*mutator, make_node(1), save).ok());
    collect_full();
    run_finalizers(*mutator);
    ASSERT_EQ(saved.size(), 1u);
    {
      const Local<Node> second = make_node(2);
      second->left = saved[0];
      ASSERT_TRUE(set_finalizer(*mutator, second, save).ok());
      raise_to(generation);
    }
    saved.clear();
    collect_full();
    run_finalizers(*mutator);

    ASSERT_EQ(saved.size(), 1u);
    const Local<Node> first(*mutator, saved[0]->left);
    ASSERT_EQ(first->value, 1);
    EXPECT_FALSE(set_finalizer(*mutator, first, save).ok()) << "generation " << generation;
  }
}

TEST_P(FinalizersTest, RunForAllOfACycleInTheOrderInWhichTheyWereSet) {
  for (std::uint32_t generation = 0; generation <= oldest(); ++generation) {
    ran.clear();
    {
      std::vector<Handle<Node>> ring;
      for (std::int64_t k = 0; k < 20; ++k) {
        ring.emplace_back(make_noted(k));
      }
      for (std::size_t k = 0; k < ring.size(); ++k) {
        ring[k]->left = ring[(k + 7) % ring.size()];
      }
      raise_to(generation);
    }
    collect_up_to(generation);
    run_finalizers(*mutator);

    ASSERT_EQ(ran.size(), 20u);
    EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
    collect_full();
    EXPECT_EQ(objects(), 0u);
  }
}

TEST_P(FinalizersTest, ThatThrowAreCountedAndTheOthersRun) {
  make_noted(1);
  ASSERT_TRUE(set_finalizer(*mutator, make_node(2), [](Local<Node>) {
                throw std::runtime_error("the file is gone");
              }).ok());
  ASSERT_TRUE(set_finalizer(*mutator, make_node(3), [](Local<Node>) { throw 3; }).ok());
  make_noted(4);
  collect_full();

  EXPECT_EQ(run_finalizers(*mutator), 4u);

  EXPECT_EQ(ran, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(statistics().ran, 4u);
  EXPECT_EQ(statistics().failed, 2u);
  EXPECT_EQ(statistics().failure, "an exception that is no std::exception");
  collect_full();
  EXPECT_EQ(objects(), 0u);
}

TEST_P(FinalizersTest, AreReplacedAndTakenBack) {
  const auto token = std::make_shared<int>(0);
  std::optional<Local<Node>> replaced(make_node(1));
  std::optional<Local<Node>> removed(make_noted(2));
  ASSERT_TRUE(set_finalizer(*mutator, *replaced, [token](Local<Node>) {}).ok());
  ASSERT_TRUE(set_finalizer(*mutator, *replaced, [this](Local<Node>) { ran.push_back(9); }).ok());
  EXPECT_EQ(token.use_count(), 1) << "the one before is gone";
  collect_up_to(0);

  EXPECT_TRUE(remove_finalizer(*mutator, *removed));
  EXPECT_FALSE(remove_finalizer(*mutator, *removed));
  EXPECT_FALSE(set_finalizer(*mutator, Local<Node>(*mutator), [](Local<Node>) {}).ok());
  removed.reset();
  replaced.reset();
  collect_full();
  run_finalizers(*mutator);

  EXPECT_EQ(ran, std::vector<std::int64_t>{9});
}

TEST_P(FinalizersTest, DoNotNest) {
  int depth = 0;
  int deepest = 0;
  for (int k = 0; k < 10; ++k) {
    ASSERT_TRUE(set_finalizer(*mutator, make_node(k), [&](Mutator& own, Local<Node>) {
                  deepest = std::max(deepest, ++depth);
                  EXPECT_EQ(run_finalizers(own), 0u);
                  collect_full();
                  own.poll();
                  --depth;
                }).ok());
  }
  collect_full();
  run_finalizers(*mutator);

  EXPECT_EQ(deepest, 1);
  EXPECT_EQ(statistics().ran, 10u);
}

TEST_P(FinalizersTest, FollowTheirObjectThroughACompaction) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "with one generation nothing moves";
  }
  std::vector<Handle<Node>> kept;
  for (int k = 0; k < 5'000; ++k) {
    const Local<Node> node = make_noted(k);
    if (k % 10 == 0) {
      kept.emplace_back(node);
    }
  }
  collect_full();
  run_finalizers(*mutator);
  ASSERT_EQ(ran.size(), 4'500u);
  ASSERT_TRUE(runtime.compact().ok());
  ran.clear();
  kept.clear();
  collect_full();
  run_finalizers(*mutator);

  ASSERT_EQ(ran.size(), 500u);
  for (std::size_t k = 0; k < ran.size(); ++k) {
    ASSERT_EQ(ran[k], static_cast<std::int64_t>(10 * k));
  }
}

TEST_P(FinalizersTest, RunAtTheEndForAllThatAreSetOrWaiting) {
  const Handle<Node> living(make_noted(1));
  const Weak<Node> weak(Local<Node>(*mutator, living));
  make_noted(2);
  const Handle<Node> other(make_noted(3));
  const Handle<Node> last(make_node(4));
  ASSERT_TRUE(set_finalizer(*mutator, Local<Node>(*mutator, last), [&](Mutator& own, Local<Node>) {
                EXPECT_TRUE(weak.is_null());
                (void)make<Node>(own);
                throw std::runtime_error("at the end");
              }).ok());
  collect_full();
  ASSERT_EQ(statistics().waiting, 1u);
  ASSERT_EQ(statistics().set, 3u);

  const CloseReport report = runtime.close();

  EXPECT_EQ(ran, (std::vector<std::int64_t>{2, 1, 3}));
  EXPECT_EQ(report.finalizers_run, 4u);
  EXPECT_EQ(report.finalizers_failed, 1u);
  EXPECT_EQ(report.finalizers_left, 0u);
  EXPECT_EQ(runtime.close().finalizers_run, 0u) << "twice is as good as once";
}

TEST_P(FinalizersTest, RunAtTheEndWithoutAMutatorAndWithOneThatIsAway) {
  make_noted(1);
  mutator.reset();
  EXPECT_EQ(runtime.close().finalizers_run, 1u);

  runtime = value_or_throw(Runtime::open(config_of(GetParam())));
  mutator.emplace(runtime);
  make_noted(2);
  {
    const Away away(*mutator);
    EXPECT_EQ(runtime.close().finalizers_run, 1u);
  }
  EXPECT_EQ(ran, (std::vector<std::int64_t>{1, 2}));
}

// Sets itself on a fresh object each time that it runs.
struct Again {
  void operator()(Mutator& own, const Local<Node>&) const {
    EXPECT_TRUE(set_finalizer(own, make<Node>(own), Again{}).ok());
  }
};

TEST_P(FinalizersTest, ThatSetOthersForEverAreReportedAtTheEnd) {
  ASSERT_TRUE(set_finalizer(*mutator, make_node(1), Again{}).ok());

  const CloseReport report = runtime.close();

  EXPECT_GT(report.finalizers_run, 1u);
  EXPECT_EQ(report.finalizers_left, 1u);
}

TEST_P(FinalizersTest, RunOnceEachOverManyThreads) {
  constexpr int kThreads = 3;
  constexpr int kEach = 2'000;
  std::vector<std::atomic<int>> calls(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      Mutator own(runtime);
      for (int k = 0; k < kEach; ++k) {
        const Local<Node> node = make<Node>(own);
        node->value = thread * kEach + k;
        ASSERT_TRUE(set_finalizer(own, node, [&calls](Local<Node> dying) {
                      ++calls[static_cast<std::size_t>(dying->value)];
                    }).ok());
        if (k % 64 == 0) {
          own.poll();
        }
      }
    });
  }
  for (int k = 0; k < 20; ++k) {
    collect_up_to(0);
    collect_full();
    mutator->poll();
  }
  {
    const Away away(*mutator);
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  collect_full();
  run_finalizers(*mutator);

  for (const std::atomic<int>& count : calls) {
    ASSERT_EQ(count, 1);
  }
}

class UnderStress : public RuntimeTest {
 protected:
  static Config config() {
    Config config = small_config();
    config.collect_every = 1;
    return config;
  }
  UnderStress() : RuntimeTest(config()) {}
};

TEST_F(UnderStress, FinalizersAndWeakReferencesHoldWithACollectionAtEachAllocation) {
  WeakMap<Node, Node> map(*mutator);
  const Local<Node> key = make_node(0);
  map.set(key, make_node(1));
  std::vector<Weak<Node>> weak;
  int calls = 0;
  for (int k = 0; k < 300; ++k) {
    const Local<Node> node = make_node(k);
    weak.emplace_back(node);
    ASSERT_TRUE(set_finalizer(*mutator, node, [&, k](Mutator& own, Local<Node> dying) {
                  ++calls;
                  const Local<Node> other = make<Node>(own);
                  EXPECT_EQ(dying->value, k);
                  EXPECT_TRUE(weak[static_cast<std::size_t>(k)].is_null());
                }).ok());
  }
  collect_full();
  run_finalizers(*mutator);

  EXPECT_EQ(calls, 300);
  EXPECT_EQ(map.find(*mutator, key)->value, 1);
}

}  // namespace
}  // namespace tenure::testing
