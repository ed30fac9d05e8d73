// From where payloads may be handed back, through the front door: finalizers, the ends of threads, the
// child of a fork.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tenure/finalizer.hpp"
#include "tenure/runtime.hpp"
#include "tests/support/child.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure {
namespace {

using testing::in_child;

std::uint64_t live_blocks(const Runtime& runtime) {
  std::uint64_t blocks = 0;
  for (const PoolStatistics& pool : runtime.statistics().pools) blocks += pool.live_blocks;
  return blocks;
}

PayloadLease lease(Runtime& runtime, Bytes size) {
  return value_or_throw(runtime.lease(size, {.kind = MemoryKind::kHost}));
}

class PayloadReturns : public ::testing::Test {
 protected:
  Runtime runtime = value_or_throw(Runtime::open({.device = "host"}));
};

TEST_F(PayloadReturns, ComeFromFinalizers) {
  Mutator mutator(runtime);
  std::vector<PayloadLease> leases;
  for (std::uint64_t k = 0; k < 100; ++k) {
    leases.push_back(lease(runtime, Bytes{1000 + k}));
    const Local<testing::Plain> plain = make<testing::Plain>(mutator);
    value_or_throw(set_finalizer(
        mutator, plain, [&leases, k](const Local<testing::Plain>&) { leases[k].release(); }));
  }

  value_or_throw(runtime.collect(Collect::kFull));
  run_finalizers(mutator);

  EXPECT_EQ(live_blocks(runtime), 0u);
}

thread_local PayloadLease kept_to_the_end;

TEST_F(PayloadReturns, ComeFromTheLastDestructorsOfAThread) {
  for (int k = 0; k < 8; ++k) {
    std::thread([&] {
      kept_to_the_end = lease(runtime, Bytes{4096});
      const PayloadLease other = lease(runtime, Bytes{4096});
    }).join();
  }

  EXPECT_EQ(live_blocks(runtime), 0u);
}

TEST_F(PayloadReturns, ComeFromTheChildOfAForkThatGoesOnLeasing) {
  value_or_throw(runtime.collect(Collect::kFull));  // the collector's threads are there
  std::atomic<bool> over{false};
  std::atomic<bool> begun{false};
  std::thread other([&] {
    while (!over) {
      const PayloadLease got = lease(runtime, Bytes{3'000'000});
      runtime.trim();
      begun = true;
    }
  });
  while (!begun) std::this_thread::yield();

  for (int k = 0; k < 20 && !HasFailure(); ++k) {
    PayloadLease held = lease(runtime, Bytes{5000});
    EXPECT_EQ(in_child([&] {
                held.release();
                std::vector<PayloadLease> fresh;
                for (std::uint64_t n = 1; n < 20; ++n) {
                  fresh.push_back(lease(runtime, Bytes{n << 20}));
                  std::memset(fresh.back().data(), 1, n << 20);
                }
                fresh.resize(10);
                runtime.trim();
                if (runtime.collect().ok()) return 1;
                if (runtime.close().leases_outstanding < fresh.size()) return 2;
                return fresh[0].data() == nullptr ? 0 : 3;
              }),
              "well")
        << "fork " << k;
  }

  over = true;
  other.join();
}

TEST_F(PayloadReturns, ForkWhileThePoolsOfOtherRuntimesAreMade) {
  std::atomic<bool> over{false};
  std::atomic<int> made{0};
  std::thread other([&] {
    while (!over) {
      Runtime another = value_or_throw(Runtime::open({.device = "host"}));
      (void)lease(another, Bytes{5000});
      ++made;
    }
  });
  while (made == 0) std::this_thread::yield();

  for (int k = 0; k < 100 || made < 20; ++k) {
    ASSERT_EQ(in_child([] { return 0; }), "well") << "fork " << k;
  }

  over = true;
  other.join();
}

TEST_F(PayloadReturns, LetTheChildOfAForkEndItsRuntime) {
  value_or_throw(runtime.collect(Collect::kFull));
  EXPECT_EQ(in_child([&] {
              const PayloadLease left = lease(runtime, Bytes{5000});
              { const Runtime ended = std::move(runtime); }
              return left.data() == nullptr ? 0 : 1;
            }),
            "well");
  EXPECT_TRUE(runtime.is_open());
}

}  // namespace
}  // namespace tenure
