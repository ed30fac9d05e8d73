#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Threads : public RuntimeTest {
 protected:
  /// Runs `work(mutator, number)` on so many threads, each attached, and waits for them away.
  template <class Work>
  void on_threads(int count, Work work) {
    std::vector<std::thread> threads;
    for (int k = 0; k < count; ++k) {
      threads.emplace_back([this, work, k] {
        Mutator own(runtime);
        work(own, k);
      });
    }
    const Away away(*mutator);
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
};

TEST_F(Threads, AllocateAndCollectBesideEachOther) {
  std::atomic<int> wrong{0};
  on_threads(4, [&wrong](Mutator& own, int number) {
    Local<Node> head(own);
    for (std::int64_t k = 0; k < 30'000; ++k) {
      Local<Node> node = make<Node>(own);
      node->value = number * 1'000'000 + k;
      node->left = head;
      head = node;
      if (k % 100 == 99) {
        head = nullptr;
      }
    }
    for (const Node* node = head.get(); node != nullptr; node = node->left.get()) {
      wrong += node->value / 1'000'000 != number ? 1 : 0;
    }
  });

  EXPECT_EQ(wrong, 0);
  EXPECT_GE(runtime.statistics().young_collections, 2u);
}

TEST_F(Threads, SeeWhatOthersPublishInAnOldObject) {
  const Handle<RefArray<Node>> shared(make_array<Node>(*mutator, 4));
  collect_full();
  on_threads(4, [&shared](Mutator& own, int number) {
    for (std::int64_t k = 0; k < 20'000; ++k) {
      const Local<Node> node = make<Node>(own);
      node->value = k;
      (*shared)[static_cast<std::uint32_t>(number)] = node;
    }
  });

  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    EXPECT_EQ((*shared)[slot]->value, 19'999);
  }
}

TEST_F(Threads, ThatAreAwayDoNotHoldUpACollection) {
  std::atomic<bool> is_away{false};
  std::atomic<bool> may_return{false};
  std::thread other([&] {
    Mutator own(runtime);
    const Local<Node> node = make<Node>(own);
    node->value = 5;
    {
      const Away away(own);
      is_away = true;
      while (!may_return) {
        std::this_thread::yield();
      }
    }
    EXPECT_EQ(node->value, 5);
  });
  while (!is_away) {
    std::this_thread::yield();
  }

  const CollectionReport report = collect_full();

  EXPECT_EQ(report.objects_promoted, 1u);
  may_return = true;
  other.join();
}

TEST_F(Threads, ThatPollAreStopped) {
  std::atomic<bool> done{false};
  std::atomic<bool> started{false};
  std::thread other([&] {
    Mutator own(runtime);
    started = true;
    while (!done) {
      own.poll();
    }
  });
  while (!started) {
    std::this_thread::yield();
  }

  for (int k = 0; k < 20; ++k) {
    collect_young();
  }

  done = true;
  other.join();
  EXPECT_EQ(runtime.statistics().young_collections, 20u);
}

TEST_F(Threads, ComeAndGoDuringCollections) {
  on_threads(4, [this](Mutator& own, int) {
    for (int k = 0; k < 50; ++k) {
      const Away away(own);
      std::thread([this] {
        Mutator brief(runtime);
        const Local<Node> node = make<Node>(brief);
        const Handle<Node> kept(node);
        (void)runtime.collect(Collect::kYoung);
      }).join();
    }
  });

  collect_full();

  EXPECT_EQ(objects(), 0u);
  EXPECT_EQ(runtime.statistics().mutators, 1u);
  EXPECT_EQ(runtime.statistics().handles, 0u);
}

TEST_F(Threads, CollectWithoutAMutatorOfTheirOwn) {
  const Local<Node> node = make_node(1);
  const Away away(*mutator);

  std::thread([this] { EXPECT_TRUE(runtime.collect(Collect::kFull).ok()); }).join();

  EXPECT_EQ(runtime.statistics().full_collections, 1u);
}

TEST_F(Threads, AskingTogetherShareCollections) {
  std::atomic<int> ready{0};
  on_threads(4, [this, &ready](Mutator& own, int) {
    ++ready;
    while (ready < 4) {
      own.poll();
    }
    for (int k = 0; k < 50; ++k) {
      EXPECT_TRUE(runtime.collect(Collect::kFull).ok());
    }
  });

  EXPECT_LE(runtime.statistics().full_collections, 200u);
  EXPECT_GE(runtime.statistics().full_collections, 50u);
}

TEST_F(Threads, DropHandlesWithoutAMutator) {
  Handle<Node> handle(make_node(1));

  std::thread([&handle] { handle.reset(); }).join();
  collect_full();

  EXPECT_EQ(objects(), 0u);
}

TEST_F(Threads, WithoutAMutatorMayNotStoreReferences) {
  // A process of its own: a fork of one with a collector's threads may not begin threads under TSan.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Local<Node> node = make_node(1);
  collect_full();

  EXPECT_DEATH(std::thread([&node] { node->left = node; }).join(), "thread that has no mutator");
}

TEST_F(Threads, MayNotAttachTwice) {
  EXPECT_DEATH(Mutator second(runtime), "two mutators to one runtime");
}

TEST_F(Threads, MayWorkInTwoHeapsAtOnce) {
  Runtime other = value_or_throw(Runtime::open(small_config()));
  Mutator in_other(other);
  const Local<Node> here = make_node(1);
  const Local<Node> there = make<Node>(in_other);
  collect_full();
  value_or_throw(other.collect());

  for (int k = 0; k < 1000; ++k) {
    here->left = make_node(k);
    there->left = make<Node>(in_other);
    there->left->value = k;
    if (k % 100 == 0) {
      collect_young();
      value_or_throw(other.collect(Collect::kYoung));
    }
  }
  collect_young();
  value_or_throw(other.collect(Collect::kYoung));

  EXPECT_EQ(here->left->value, 999);
  EXPECT_EQ(there->left->value, 999);
}

// Whether a use without waiting is one, on another thread.
bool may_use_at_once(SharedMutator& shared) {
  bool is_there = false;
  std::thread([&] {
    SharedMutator::Use use(shared, std::try_to_lock);
    is_there = use.is_there();
    if (is_there) {
      const Local<Node> node = make<Node>(use.mutator());
      is_there = static_cast<bool>(node);
    }
  }).join();
  return is_there;
}

TEST_F(Threads, UseASharedMutatorAtOnceWhereNobodyElseDoes) {
  Runtime other = value_or_throw(Runtime::open());
  SharedMutator shared(other);

  EXPECT_TRUE(may_use_at_once(shared));
  {
    const SharedMutator::Use use(shared);
    EXPECT_FALSE(may_use_at_once(shared));
  }
  EXPECT_TRUE(may_use_at_once(shared));
}

TEST_F(Threads, DoNotWaitInASharedMutatorForAStop) {
  Runtime other = value_or_throw(Runtime::open());
  SharedMutator shared(other);
  bool used = true;
  const RootCallbackId id =
      other.add_root_callback([&](RootVisitor&) { used = may_use_at_once(shared); });

  value_or_throw(other.collect());

  EXPECT_FALSE(used);
  EXPECT_TRUE(may_use_at_once(shared));
  other.remove_root_callback(id);
}

}  // namespace
}  // namespace tenure::testing
