// A runtime's pools asleep: what tensors and leases see of it.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/filled_payloads.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class SleepTest : public RuntimeTest {
 protected:
  Local<Tensor> make_filled(std::int64_t kibibytes, std::uint64_t seed) {
    Local<Tensor> tensor = value_or_throw(make_tensor(*mutator, {kibibytes, 256}));
    fill_from_seed(tensor->data(), tensor->size(), seed);
    return tensor;
  }
  PoolStatistics device_pool() { return runtime.statistics().pools.at(0); }
};

TEST_F(SleepTest, BringsTensorsBackWhereTheyWere) {
  std::vector<Local<Tensor>> tensors;
  for (std::uint64_t k = 0; k < 20; ++k) {
    tensors.push_back(make_filled(100 + static_cast<std::int64_t>(k) * 300, k));
  }
  const std::byte* const first = tensors[0]->data();

  const SleepReport slept = value_or_throw(runtime.sleep(MemoryKind::kDevice));
  EXPECT_EQ(device_pool().reserved, 0_B);
  const WakeReport woken = value_or_throw(runtime.wake(MemoryKind::kDevice));

  EXPECT_EQ(slept.kept, woken.brought_back);
  EXPECT_EQ(tensors[0]->data(), first);
  for (std::uint64_t k = 0; k < 20; ++k) {
    EXPECT_TRUE(is_from_seed(tensors[k]->data(), tensors[k]->size(), k)) << k;
  }
}

TEST_F(SleepTest, CollectsTensorsMeanwhile) {
  const Local<Tensor> kept = make_filled(8 << 10, 2);
  { const Local<Tensor> dead = make_filled(8 << 10, 1); }
  ASSERT_TRUE(runtime.sleep(MemoryKind::kDevice).ok());

  EXPECT_EQ(collect_full().payloads_retired, 1u);

  EXPECT_EQ(value_or_throw(runtime.wake(MemoryKind::kDevice)).brought_back, 8_MiB);
  EXPECT_TRUE(is_from_seed(kept->data(), kept->size(), 2));
}

TEST_F(SleepTest, RefusesLeasesOfThatKindAlone) {
  ASSERT_TRUE(runtime.sleep(MemoryKind::kDevice).ok());

  EXPECT_EQ(runtime.lease(1_KiB).failure().code, ErrorCode::kAsleep);
  EXPECT_EQ(make_tensor(*mutator, {5}).failure().code, ErrorCode::kAsleep);
  EXPECT_TRUE(runtime.lease(1_KiB, {.kind = MemoryKind::kPinned}).ok());
  EXPECT_EQ(runtime.sleep(MemoryKind::kDevice).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(runtime.wake(MemoryKind::kPinned).failure().code, ErrorCode::kBadArgument);
  ASSERT_TRUE(runtime.wake(MemoryKind::kDevice).ok());
  EXPECT_TRUE(runtime.lease(1_KiB).ok());
}

TEST_F(SleepTest, LetsOthersCollectWhileItCopies) {
  const Local<Tensor> kept = make_filled(64 << 10, 3);
  std::thread other([&] {
    Mutator mine(runtime);
    for (int k = 0; k < 2000; ++k) {
      (void)make<Plain>(mine);
      if (k % 100 == 0) {
        ASSERT_TRUE(runtime.collect(Collect::kYoung).ok());
      }
    }
  });
  for (int k = 0; k < 5; ++k) {
    ASSERT_TRUE(runtime.sleep(MemoryKind::kDevice).ok());
    ASSERT_TRUE(runtime.wake(MemoryKind::kDevice).ok());
  }
  {
    const Away away(*mutator);
    other.join();
  }

  EXPECT_TRUE(is_from_seed(kept->data(), kept->size(), 3));
}

TEST_F(SleepTest, ClosesAsleep) {
  const PayloadLease lease = value_or_throw(runtime.lease(10_MiB));
  ASSERT_TRUE(runtime.sleep(MemoryKind::kDevice).ok());

  EXPECT_EQ(runtime.close().leases_outstanding, 1u);

  EXPECT_EQ(runtime.wake(MemoryKind::kDevice).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(runtime.sleep(MemoryKind::kDevice).failure().code, ErrorCode::kClosed);
}

TEST(Sleep, WorksOnTheHostToo) {
  Config config = small_config();
  config.device = "host";
  Runtime runtime = value_or_throw(Runtime::open(config));
  PayloadLease lease = value_or_throw(runtime.lease(20_MiB, {.kind = MemoryKind::kHost}));
  fill_from_seed(lease.data(), lease.size(), 4);

  ASSERT_TRUE(runtime.sleep(MemoryKind::kHost, {.contents = SleepContents::kInFile}).ok());
  EXPECT_EQ(runtime.statistics().pools.at(0).reserved, 0_B);
  ASSERT_TRUE(runtime.wake(MemoryKind::kHost).ok());

  EXPECT_TRUE(is_from_seed(lease.data(), lease.size(), 4));
}

TEST(Sleep, IsRefusedWherePayloadsAreChecked) {
  Config config = small_config();
  config.check = Check::kPayload;
  Runtime runtime = value_or_throw(Runtime::open(config));
  const PayloadLease lease = value_or_throw(runtime.lease(1_MiB));

  EXPECT_EQ(runtime.sleep(MemoryKind::kDevice).failure().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tenure::testing
