#include "tenure/tensor.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Tensors : public RuntimeTest {
 protected:
  using RuntimeTest::RuntimeTest;

  Local<Tensor> make_floats(const Shape& shape, MemoryKind kind = MemoryKind::kDevice) {
    return value_or_throw(make_tensor(*mutator, shape, {.kind = kind}));
  }
  PoolStatistics pool(MemoryKind kind = MemoryKind::kDevice) {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      if (pool.kind == kind) {
        return pool;
      }
    }
    return {};
  }
};

TEST_F(Tensors, AreRowMajor) {
  const Local<Tensor> tensor = make_floats({2, 3, 4});

  EXPECT_EQ(tensor->rank(), 3u);
  EXPECT_EQ(tensor->element_count(), 24);
  EXPECT_EQ(tensor->size(), 96_B);
  EXPECT_EQ(std::vector<std::int64_t>(tensor->strides().begin(), tensor->strides().end()),
            (std::vector<std::int64_t>{12, 4, 1}));
  EXPECT_TRUE(tensor->is_contiguous());
}

TEST_F(Tensors, KeepTheirBytesAndTheirAddressWhenTheyMove) {
  const Local<Tensor> tensor = make_floats({1000});
  std::byte* const bytes = tensor->data();
  std::memset(bytes, 0x5A, 4000);
  const Tensor* const before = tensor.get();

  collect_young();
  collect_full();

  EXPECT_NE(tensor.get(), before);
  EXPECT_EQ(tensor->data(), bytes);
  EXPECT_EQ(std::to_integer<int>(bytes[3999]), 0x5A);
}

TEST_F(Tensors, ReturnTheirBytesWhenAYoungCollectionFindsThemDead) {
  { const Local<Tensor> tensor = make_floats({1000}); }
  ASSERT_EQ(pool().live, 4000_B);

  const CollectionReport report = collect_young();

  EXPECT_EQ(report.payloads_retired, 1u);
  EXPECT_EQ(report.payload_bytes_retired, 4000_B);
  EXPECT_EQ(pool().live, 0_B);
}

TEST_F(Tensors, ReturnTheirBytesFromEveryGeneration) {
  for (std::uint32_t generation = 0; generation < 3; ++generation) {
    {
      const Local<Tensor> tensor = make_floats({1000});
      for (std::uint32_t k = 0; k < 3 * generation; ++k) {
        value_or_throw(runtime.collect_up_to(1));
      }
      ASSERT_EQ(objects_in(generation), 1u);
    }
    value_or_throw(runtime.collect_up_to(generation));

    EXPECT_EQ(pool().live_blocks, 0u) << "generation " << generation;
  }
}

TEST_F(Tensors, ReleaseEarlyAndOnlyOnce) {
  const Local<Tensor> tensor = make_floats({1000});

  tensor->release();
  tensor->release();

  EXPECT_EQ(tensor->data(), nullptr);
  EXPECT_EQ(pool().live_blocks, 0u);
  EXPECT_EQ(collect_full().payloads_retired, 0u);
}

TEST_F(Tensors, AreReleasedInTheirOwnRuntimeWhateverTheThreadsNewestIs) {
  const Local<Tensor> tensor = make_floats({1000});
  Runtime other = value_or_throw(Runtime::open());
  const Mutator newest(other);

  tensor->release();

  EXPECT_EQ(pool().live_blocks, 0u);
}

TEST_F(Tensors, AreNotReleasedByAThreadWithoutAMutator) {
  const Local<Tensor> tensor = make_floats({1000});
  Tensor* const bare = tensor.get();

  EXPECT_DEATH(std::thread([bare] { bare->release(); }).join(), "no mutator");
}

TEST_F(Tensors, RefuseAViewOfMoreElementsThanCanBeCounted) {
  const Local<Tensor> base = make_floats({4});
  constexpr std::array<std::int64_t, 2> kRepeated{0, 0};
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;

  const Result<Local<Tensor>> view = make_view(*mutator, base, {kHuge, kHuge}, kRepeated, 0);

  ASSERT_FALSE(view.ok());
  EXPECT_EQ(view.failure().code, ErrorCode::kBadArgument);
}

TEST_F(Tensors, DoNotTakeAnothersBytesBackWhenTheyDieReleased) {
  {
    const Local<Tensor> first = make_floats({1000});
    first->release();
  }
  const Local<Tensor> second = make_floats({1000});

  collect_full();

  EXPECT_EQ(pool().live_blocks, 1u);
  EXPECT_NE(second->data(), nullptr);
}

TEST_F(Tensors, MayBeEmptyOrScalar) {
  const Local<Tensor> empty = make_floats({3, 0, 5});
  const Local<Tensor> scalar = make_floats({});

  EXPECT_EQ(empty->size(), 0_B);
  EXPECT_EQ(empty->data(), nullptr);
  EXPECT_EQ(scalar->element_count(), 1);
  EXPECT_NE(scalar->data(), nullptr);
}

TEST_F(Tensors, OfImpossibleShapesAreRefused) {
  const auto refused = [&](const Shape& shape) {
    const Result<Local<Tensor>> made = make_tensor(*mutator, shape);
    return !made.ok() && made.failure().code == ErrorCode::kBadArgument;
  };
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

  EXPECT_TRUE(refused({-1}));
  EXPECT_TRUE(refused({kMost, kMost}));
  EXPECT_TRUE(refused({kMost}));
  EXPECT_TRUE(refused({1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_F(Tensors, OfNoBytesAreNotTooLargeWhateverTheirOtherExtents) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

  EXPECT_TRUE(make_tensor(*mutator, {kMost, kMost, 0}).ok());
}

TEST_F(Tensors, LargerThanTheDeviceAreRefusedWithFigures) {
  const Result<Local<Tensor>> made = make_tensor(*mutator, {1 << 30});

  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.failure().message.find("4 GiB"), std::string::npos) << made.failure().message;
  EXPECT_NE(made.failure().message.find("1 GiB"), std::string::npos) << made.failure().message;
}

TEST_F(Tensors, FindRoomOnceTheCollectorHasFoundTheDead) {
  // 1 GiB of device, 300 MiB each, every one dropped at once.
  for (int k = 0; k < 50; ++k) {
    const Result<Local<Tensor>> made = make_tensor(*mutator, {300 << 18});
    ASSERT_TRUE(made.ok()) << k << ": " << made.failure().message;
  }
  EXPECT_GT(
      runtime.statistics()
          .collections_by_trigger[static_cast<std::size_t>(CollectionTrigger::kDevicePressure)],
      0u);
}

TEST_F(Tensors, InCyclesFindRoomTooOnceTheyAreOld) {
  struct Holder {
    Ref<Holder> other;
    Ref<Tensor> tensor;
    static auto tenure_type() { return describe("Holder", &Holder::other, &Holder::tensor); }
  };
  for (int k = 0; k < 40; ++k) {
    const Local<Holder> a = make<Holder>(*mutator);
    const Local<Holder> b = make<Holder>(*mutator);
    a->other = b;
    b->other = a;
    const Result<Local<Tensor>> made = make_tensor(*mutator, {100 << 18});
    ASSERT_TRUE(made.ok()) << k << ": " << made.failure().message;
    a->tensor = *made;
    if (k % 3 == 0) {
      collect_full();  // so that some die old
    }
  }
}

TEST_F(Tensors, ThatAreAllAliveEndInAnErrorThatNamesWhatWasTried) {
  std::vector<Handle<Tensor>> kept;
  Result<Local<Tensor>> made = make_tensor(*mutator, {100 << 18});
  while (made.ok()) {
    kept.emplace_back(*made);
    made = make_tensor(*mutator, {100 << 18});
  }

  EXPECT_EQ(made.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(made.failure().message.find("full collection"), std::string::npos)
      << made.failure().message;
  kept.clear();
  EXPECT_TRUE(make_tensor(*mutator, {100 << 18}).ok());
}

TEST_F(Tensors, ViewsShareTheirBaseBytesAndKeepThemAlive) {
  Local<Tensor> base = make_floats({4, 6});
  std::byte* const bytes = base->data();
  const std::vector<std::int64_t> column{6};
  const Local<Tensor> view = value_or_throw(make_view(*mutator, base, {4}, column, 2));
  base = nullptr;

  collect_full();

  EXPECT_EQ(view->data(), bytes + 8);
  EXPECT_TRUE(view->is_view());
  EXPECT_FALSE(view->is_contiguous());
  EXPECT_EQ(pool().live_blocks, 1u);
}

TEST_F(Tensors, ViewsOfViewsCountFromTheFirstOnesStart) {
  const Local<Tensor> base = make_floats({10, 10});
  const std::vector<std::int64_t> rows{10, 1};
  const Local<Tensor> outer = value_or_throw(make_view(*mutator, base, {5, 10}, rows, 30));

  const Local<Tensor> inner = value_or_throw(make_view(*mutator, outer, {2, 2}, rows, 11));

  EXPECT_EQ(inner->data(), base->data() + 4 * 41);
}

TEST_F(Tensors, ViewsBeyondThePayloadAreRefused) {
  const Local<Tensor> base = make_floats({10});
  const std::vector<std::int64_t> one{1};
  const std::vector<std::int64_t> wide{std::numeric_limits<std::int64_t>::max()};

  EXPECT_TRUE(make_view(*mutator, base, {10}, one, 0).ok());
  EXPECT_FALSE(make_view(*mutator, base, {10}, one, 1).ok());
  EXPECT_FALSE(make_view(*mutator, base, {3}, wide, 0).ok());
  EXPECT_FALSE(make_view(*mutator, base, {2, 2}, one, 0).ok());
  EXPECT_FALSE(make_view(*mutator, base, {2}, one, -1).ok());
}

TEST_F(Tensors, ViewsOfAReleasedTensorHaveNoBytes) {
  const Local<Tensor> base = make_floats({10});
  const std::vector<std::int64_t> one{1};
  const Local<Tensor> view = value_or_throw(make_view(*mutator, base, {5}, one, 5));

  view->release();

  EXPECT_EQ(view->data(), nullptr);
  EXPECT_EQ(base->data(), nullptr);
}

TEST_F(Tensors, LieInThePoolOfTheirKind) {
  const Local<Tensor> host = make_floats({100}, MemoryKind::kHost);
  const Local<Tensor> device = make_floats({200}, MemoryKind::kDevice);

  EXPECT_EQ(pool(MemoryKind::kHost).live, 400_B);
  EXPECT_EQ(pool(MemoryKind::kDevice).live, 800_B);
}

TEST_F(Tensors, OrderAnotherStreamBehindTheirLastUse) {
  const StreamId other = value_or_throw(runtime.make_stream());
  for (int k = 0; k < 2; ++k) {
    const TensorOptions options{.stream = k == 0 ? other : StreamId::kDefault};
    const Local<Tensor> tensor = value_or_throw(make_tensor(*mutator, {1 << 18}, options));
    tensor->used_on(k == 0 ? StreamId::kDefault : other);
    tensor->release();
  }
  EXPECT_EQ(pool().live_blocks, 0u);
}

TEST_F(Tensors, OfAnExitedThreadAreFound) {
  const Away away(*mutator);
  std::thread([this] {
    Mutator own(runtime);
    (void)value_or_throw(make_tensor(own, {1000}));
  }).join();

  value_or_throw(runtime.collect(Collect::kFull));

  EXPECT_EQ(pool().live_blocks, 0u);
}

TEST_F(Tensors, ReturnTheirBytesWhenTheRuntimeCloses) {
  const Local<Tensor> tensor = make_floats({1000});

  const CloseReport report = runtime.close();

  EXPECT_EQ(report.payloads_returned, 1u);
  EXPECT_EQ(report.leases_outstanding, 0u);
  EXPECT_EQ(tensor->data(), nullptr);
}

TEST_F(Tensors, LeasesThatOutliveTheRuntimeAreInert) {
  PayloadLease lease = value_or_throw(runtime.lease(1_MiB));
  ASSERT_NE(lease.data(), nullptr);

  const CloseReport report = runtime.close();

  EXPECT_EQ(report.leases_outstanding, 1u);
  EXPECT_EQ(lease.data(), nullptr);
  lease.release();
}

TEST_F(Tensors, AreRefusedOnceTheRuntimeIsClosed) {
  runtime.close();

  EXPECT_EQ(make_tensor(*mutator, {10}).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(runtime.lease(1_MiB).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(runtime.collect().failure().code, ErrorCode::kClosed);
  EXPECT_THROW((void)make_node(1), Failure);
}

TEST(StrictKinds, RefuseWhatTheHostOnlyStandsInFor) {
  Config config = small_config();
  config.device = "host";
  config.strict_memory_kind = true;
  Runtime runtime = value_or_throw(Runtime::open(config));

  EXPECT_EQ(runtime.lease(1_KiB, {.kind = MemoryKind::kDevice}).failure().code,
            ErrorCode::kUnsupported);
  EXPECT_TRUE(runtime.lease(1_KiB, {.kind = MemoryKind::kHost}).ok());
}

class ManualTensors : public Tensors {
 protected:
  static Config manual() {
    Config config = small_config();
    config.mode = Mode::kManual;
    return config;
  }
  ManualTensors() : Tensors(manual()) {}
};

TEST_F(ManualTensors, AreNeverCollectedForUnasked) {
  Result<Local<Tensor>> made = make_tensor(*mutator, {300 << 18});
  for (int k = 0; made.ok() && k < 10; ++k) {
    made = make_tensor(*mutator, {300 << 18});
  }

  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.failure().message.find("manual"), std::string::npos) << made.failure().message;
  EXPECT_EQ(runtime.statistics().collections, 0u);
}

TEST_F(ManualTensors, LetObjectsBeBornOldPastAFullNursery) {
  const Local<Node> list = make_list(100'000);  // 2.4 MB over a nursery of 1 MiB

  EXPECT_EQ(runtime.statistics().collections, 0u);
  EXPECT_GT(objects_in(2), 0u);
  EXPECT_EQ(length_of(list.get()), 100'000);
  collect_full();
  EXPECT_EQ(length_of(list.get()), 100'000);
}

}  // namespace
}  // namespace tenure::testing
