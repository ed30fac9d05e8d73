#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tenure/write_barrier.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

using Objects = RuntimeTest;

TEST_F(Objects, AreZeroedAndConstructed) {
  const Local<Node> node = make<Node>(*mutator);

  EXPECT_EQ(node->value, 0);
  EXPECT_FALSE(node->left);
  EXPECT_FALSE(node->right);
}

TEST_F(Objects, StoredPastTheBarrierAreKeptOnceTheBarrierWasTold) {
  const Local<Node> old = make_node(1);
  collect_full();
  const Local<Node> young = make_node(7);
  auto* const slots = reinterpret_cast<ObjectIndex*>(detail::data_of(old.index()));
  slots[0] = young.index();
  const Result<void> untold = verify_heap(runtime);
  EXPECT_FALSE(untold.ok()) << "what nobody told of is not remembered";

  record_write(*mutator, old.index(), 0);

  EXPECT_TRUE(verify_heap(runtime).ok());
  collect_young();
  EXPECT_EQ(old->left->value, 7);
}

TEST_F(Objects, TakeTheirArgumentsAndRootsAmongThem) {
  const Local<Node> child = make_node(7);

  const Local<Node> parent = make<Node>(*mutator, child, nullptr, 9);

  EXPECT_EQ(parent->left->value, 7);
  EXPECT_EQ(parent->value, 9);
}

TEST_F(Objects, SurviveAYoungCollectionAndMove) {
  const Local<Node> list = make_list(1000);
  const Node* const before = list.get();

  const CollectionReport report = collect_young();

  EXPECT_NE(list.get(), before);
  EXPECT_EQ(length_of(list.get()), 1000);
  EXPECT_EQ(report.objects_copied, 1000u);
}

TEST_F(Objects, AreGoneAfterAYoungCollectionWhenNothingHoldsThem) {
  { const Local<Node> list = make_list(1000); }

  collect_young();

  EXPECT_EQ(objects(), 0u);
}

TEST_F(Objects, PassThroughEveryGenerationInOrder) {
  const Local<Node> node = make_node(1);
  std::vector<std::uint64_t> in_middle;

  std::vector<std::uint32_t> path;
  for (int k = 0; k < 7; ++k) {
    for (std::uint32_t generation = 0; generation < 3; ++generation) {
      if (objects_in(generation) == 1) {
        path.push_back(generation);
      }
    }
    value_or_throw(runtime.collect_up_to(1));
  }

  EXPECT_EQ(path, (std::vector<std::uint32_t>{0, 0, 0, 1, 1, 1, 2}));
}

TEST_F(Objects, OfTheOldestGenerationStayWhereTheyAre) {
  const Local<Node> list = make_list(100);
  collect_full();
  const Node* const before = list.get();

  collect_full();
  collect_young();

  EXPECT_EQ(list.get(), before);
  EXPECT_EQ(objects_in(2), 100u);
}

TEST_F(Objects, HeldByTheOldestGenerationAloneSurviveYoungCollections) {
  const Local<Node> old = make_node(1);
  collect_full();
  old->left = make_list(50);

  for (int k = 0; k < 100; ++k) {
    collect_young();
  }

  EXPECT_EQ(length_of(old->left.get()), 50);
}

TEST_F(Objects, AreFreedByAFullCollectionWhenTheyAreOld) {
  {
    const Local<Node> list = make_list(1000);
    collect_full();
    ASSERT_EQ(objects_in(2), 1000u);
  }

  const CollectionReport report = collect_full();

  EXPECT_EQ(objects(), 0u);
  EXPECT_GE(report.bytes_freed.count(), 24'000u);
}

TEST_F(Objects, InACycleAreFreed) {
  {
    const Local<Node> a = make_node(1);
    const Local<Node> b = make_node(2);
    a->left = b;
    b->left = a;
    collect_full();
  }

  collect_full();

  EXPECT_EQ(objects(), 0u);
}

TEST_F(Objects, AreCollectedWithoutBeingAskedWhenTheNurseryIsFull) {
  for (int k = 0; k < 200'000; ++k) {
    (void)make_node(k);
  }

  const Statistics statistics = runtime.statistics();
  EXPECT_GE(statistics.young_collections, 3u);
  EXPECT_EQ(
      statistics
          .collections_by_trigger[static_cast<std::size_t>(CollectionTrigger::kExplicitRequest)],
      0u);
}

TEST_F(Objects, FreedCellsAreUsedAgainBeforeTheHeapGrows) {
  {
    const Local<Node> garbage = make_list(20'000);
    collect_full();
  }
  const Local<Node> keep = make_list(100);
  collect_full();
  const Bytes before = runtime.statistics().heap_committed;

  const Local<Node> list = make_list(20'000);
  collect_full();

  EXPECT_LE(runtime.statistics().heap_committed, before + 1_MiB);
}

TEST_F(Objects, MakeAMillionGenerationsOfAList) {
  Local<Node> head(*mutator);
  for (std::int64_t k = 0; k < 300'000; ++k) {
    // A window of the last ten: each node drops the tail of the eleventh.
    const Local<Node> node = make_node(k);
    node->left = head;
    head = node;
    Node* tail = head.get();
    for (int depth = 0; depth < 9 && tail->left; ++depth) {
      tail = tail->left.get();
    }
    tail->left = nullptr;
  }
  collect_full();

  EXPECT_EQ(objects(), 10u);
}

TEST_F(Objects, LeavesNeedNoDescription) {
  const Local<Plain> plain = make<Plain>(*mutator, 5);
  collect_full();

  EXPECT_EQ(plain->value, 5);
}

struct Big {
  Ref<Node> node;
  std::array<std::byte, 60'000> bytes;
  static auto tenure_type() { return describe("Big", &Big::node); }
};

TEST_F(Objects, AboveTheThresholdAreBornOldAndHoldWhatTheyReferTo) {
  const Local<Node> node = make_node(3);
  const Local<Big> big = make<Big>(*mutator, node, std::array<std::byte, 60'000>{});
  ASSERT_EQ(objects_in(2), 1u);

  collect_young();

  EXPECT_EQ(big->node->value, 3);
  EXPECT_EQ(big->node.get(), node.get());
}

TEST_F(Objects, AboveTheThresholdAreFreedByAFullCollection) {
  const Bytes before = runtime.statistics().heap_committed;
  for (int k = 0; k < 20; ++k) {
    (void)make<Big>(*mutator);
  }
  ASSERT_GT(runtime.statistics().heap_committed, before);

  collect_full();

  EXPECT_EQ(objects(), 0u);
  EXPECT_EQ(runtime.statistics().heap_committed, before);
}

TEST_F(Objects, ThatDoNotFitTheHeapAreRefusedWithFigures) {
  const Local<RefArray<Node>> most = make_array<Node>(*mutator, 10'000'000);
  try {
    (void)make_array<Node>(*mutator, 10'000'000);
    FAIL() << "two arrays of 40 MB in a heap of 64 MiB";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), ErrorCode::kOutOfMemory);
    const std::string text = failure.what();
    EXPECT_NE(text.find("38.1 MiB"), std::string::npos) << text;
    EXPECT_NE(text.find("64 MiB"), std::string::npos) << text;
    EXPECT_NE(text.find("Node[]"), std::string::npos) << text;
  }
  EXPECT_EQ(most->size(), 10'000'000u);
}

TEST_F(Objects, FitAgainOnceOthersAreDropped) {
  for (int k = 0; k < 5; ++k) {
    const Local<RefArray<Node>> array = make_array<Node>(*mutator, 10'000'000);
    EXPECT_EQ(array->size(), 10'000'000u);
  }
}

struct Allocating {
  explicit Allocating(Mutator& mutator) { (void)make<Node>(mutator); }
  std::int64_t value = 0;
};
static_assert(Managed<Allocating>);

TEST_F(Objects, MayNotAllocateInTheirConstructors) {
  Config config = small_config();
  config.collect_every = 1;
  EXPECT_DEATH(
      {
        Runtime other = value_or_throw(Runtime::open(config));
        Mutator attached(other);
        (void)make<Allocating>(attached, attached);
      },
      "constructor of an object allocated another");
}

}  // namespace
}  // namespace tenure::testing
