// Compaction as a program sees it: when it comes by itself, when it is asked for, what it refuses,
// and that everything held on to follows.
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Compacting : public RuntimeTest {
 protected:
  explicit Compacting(const Config& config = small_config()) : RuntimeTest(config) {}

  /// So many old nodes, of which `keeps(number)` says which live on.
  template <class Keeps>
  void scatter(std::int64_t count, Keeps keeps) {
    std::vector<Handle<Node>> all;
    for (std::int64_t k = 0; k < count; ++k) {
      all.emplace_back(make_node(k));
    }
    collect_full();
    for (std::int64_t k = 0; k < count; ++k) {
      if (keeps(k)) {
        kept.push_back(std::move(all[static_cast<std::size_t>(k)]));
      }
    }
  }
  [[nodiscard]] std::vector<const Node*> addresses() const {
    std::vector<const Node*> found;
    for (const Handle<Node>& node : kept) {
      found.push_back(node.get());
    }
    return found;
  }
  std::vector<Handle<Node>> kept;
};

TEST_F(Compacting, ComesByItselfInAFullCollectionOfASparseHeap) {
  scatter(20'000, [](std::int64_t k) { return k % 10 == 0; });
  const Bytes before = runtime.statistics().heap_committed;

  const CollectionReport report = collect_full();

  EXPECT_GT(report.fragmentation, 0.8);
  EXPECT_GT(report.objects_compacted, 1'000u);
  const Statistics after = runtime.statistics();
  EXPECT_LT(after.fragmentation, 0.1);
  EXPECT_LT(after.heap_committed, before);
  EXPECT_EQ(after.compactions, 1u);
  EXPECT_EQ(after.objects_compacted, report.objects_compacted);
  EXPECT_EQ(after.bytes_compacted, report.bytes_compacted);
  EXPECT_EQ(report.bytes_compacted, report.objects_compacted * 24_B);
  for (std::size_t k = 0; k < kept.size(); ++k) {
    ASSERT_EQ(kept[k]->value, static_cast<std::int64_t>(10 * k));
  }
}

TEST_F(Compacting, IsMeasuredFromAFreshHeapOn) {
  EXPECT_EQ(runtime.statistics().fragmentation, 0.0);
  scatter(20'000, [](std::int64_t) { return true; });
  EXPECT_EQ(runtime.statistics().fragmentation, 0.0);
}

TEST_F(Compacting, FollowsLocalsHandlesFieldsArraysCallbacksAndTensors) {
  scatter(20'000, [](std::int64_t k) { return k % 10 == 0; });
  const Local<Node> local(*mutator, kept[100]);
  const Local<RefArray<Node>> array = make_array<Node>(*mutator, kept.size());
  Node* named = kept[300].get();
  ObjectIndex index = kept[301].index();
  runtime.add_root_callback([&](RootVisitor& visitor) {
    visitor.visit(named);
    visitor.visit(index);
  });
  const Local<Tensor> tensor = value_or_throw(make_tensor(*mutator, {100}));
  tensor->data()[7] = std::byte{42};
  for (std::uint32_t k = 0; k < kept.size(); ++k) {
    (*array)[k] = kept[k].get();
    kept[k]->left = kept[kept.size() - 1 - k];
  }
  const std::vector<const Node*> before = addresses();

  const CollectionReport report = value_or_throw(runtime.compact());

  ASSERT_GT(report.objects_compacted, 1'000u);
  EXPECT_NE(addresses(), before);
  EXPECT_EQ(local.get(), kept[100].get());
  EXPECT_EQ(named, kept[300].get());
  EXPECT_EQ(index, kept[301].index());
  EXPECT_EQ(tensor->data()[7], std::byte{42});
  for (std::uint32_t k = 0; k < kept.size(); ++k) {
    ASSERT_EQ((*array)[k].get(), kept[k].get());
    ASSERT_EQ(kept[k]->left.get(), kept[kept.size() - 1 - k].get());
    ASSERT_EQ(kept[k]->value, 10 * k);
  }
}

// A heap of 16 MiB: 10 MiB of nodes of which every 24th lives on, so that every block has one; then
// an array of 10 MiB is wanted.
Config tight(bool compaction) {
  Config config = small_config();
  config.nursery = 256_KiB;
  config.heap_limit = 16_MiB;
  config.old_start = 16_MiB;
  config.compaction = compaction;
  return config;
}
constexpr std::int64_t kTightNodes = 430'000;
constexpr std::uint64_t kTightLength = (10u << 20) / sizeof(Ref<Node>);

class TightHeap : public Compacting {
 protected:
  TightHeap() : Compacting(tight(true)) {}
};

TEST_F(TightHeap, GivesALargeObjectTheRoomThatHolesHadTaken) {
  scatter(kTightNodes, [](std::int64_t k) { return k % 24 == 0; });

  const Local<RefArray<Node>> array = make_array<Node>(*mutator, kTightLength);

  EXPECT_EQ(array->size(), kTightLength);
  EXPECT_GT(runtime.statistics().compactions, 0u);
}

class Fixed : public Compacting {
 protected:
  static Config fixed() {
    Config config = small_config();
    config.compaction = false;
    return config;
  }
  Fixed() : Compacting(fixed()) {}
};

TEST_F(Fixed, LeavesOldAddressesAloneForEver) {
  scatter(20'000, [](std::int64_t k) { return k % 10 == 0; });
  const std::vector<const Node*> before = addresses();

  for (int k = 0; k < 20; ++k) {
    collect_young();
    collect_full();
  }

  EXPECT_EQ(addresses(), before);
  EXPECT_GT(runtime.statistics().fragmentation, 0.8);
  EXPECT_EQ(runtime.statistics().compactions, 0u);
}

TEST_F(Fixed, RefusesToCompactOnRequest) {
  const Result<CollectionReport> report = runtime.compact();

  ASSERT_FALSE(report);
  EXPECT_EQ(report.failure().code, ErrorCode::kUnsupported);
}

class TightFixedHeap : public Compacting {
 protected:
  TightFixedHeap() : Compacting(tight(false)) {}
};

TEST_F(TightFixedHeap, FindsNoRoomForALargeObjectBehindHoles) {
  scatter(kTightNodes, [](std::int64_t k) { return k % 24 == 0; });

  EXPECT_THROW((void)make_array<Node>(*mutator, kTightLength), Failure);
}

TEST(CompactingOneGeneration, IsRefusedBecauseNothingMovesThere) {
  Config config = small_config();
  config.generations = 1;
  Runtime runtime = value_or_throw(Runtime::open(config));

  const Result<CollectionReport> report = runtime.compact();

  ASSERT_FALSE(report);
  EXPECT_EQ(report.failure().code, ErrorCode::kUnsupported);
}

TEST_F(Compacting, IsRefusedOnceTheRuntimeIsClosed) {
  mutator.reset();
  runtime.close();

  EXPECT_EQ(runtime.compact().failure().code, ErrorCode::kClosed);
}

TEST_F(Compacting, GoesOnBesideMutatorsThatPinAndStore) {
  constexpr int kThreads = 3;
  const Away away(*mutator);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      Mutator own(runtime);
      Local<RefArray<Node>> table = make_array<Node>(own, 500);
      for (std::int64_t k = 0; k < 40'000; ++k) {
        const Local<Node> node = make<Node>(own);
        node->value = k;
        const auto place = static_cast<std::uint32_t>(k * 7 % 500);
        node->left = (*table)[place];
        if (k % 4 != 0) {
          node->left = nullptr;
        }
        (*table)[place] = node;
        if (k % 1'000 == 0) {
          const Pinned<Node> pin((*table)[static_cast<std::uint32_t>(k % 499)]);
          const Node* const address = pin.get();
          own.poll();
          ASSERT_EQ(pin.get(), address);
        }
        if (k % 5'000 == static_cast<std::int64_t>(thread)) {
          ASSERT_TRUE(runtime.compact().ok());
        }
      }
      for (std::uint32_t place = 0; place < 500; ++place) {
        ASSERT_EQ((*table)[place]->value * 7 % 500, place);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace tenure::testing
