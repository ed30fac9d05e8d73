// Memory is behind regions before they are taken, where a heap grows, and only there.
#include "core/runtime/pretoucher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/backend/platform.hpp"

namespace tenure {
namespace {

constexpr std::uint32_t kInUse = 32 * 8;  // of which a 32nd are eight regions

class PretoucherTest : public ::testing::Test {
 protected:
  PretoucherTest() { cage.discard_free(); }
  ~PretoucherTest() override { cage.close_heap(heap); }

  void take_one() {
    cage.give_back(cage.take(1, {.heap = heap, .kind = RegionKind::kBump}).value());
  }
  // Free regions with memory behind them; what was got ready is given back by this.
  [[nodiscard]] std::uint64_t ready() {
    return cage.discard_free().count() / (std::uint64_t{kGranulesPerRegion} * kGranuleBytes);
  }

  Cage& cage = *value_or_throw(Cage::instance(host_platform()));
  HeapId heap = value_or_throw(cage.open_heap());
};

TEST_F(PretoucherTest, GoesAheadOfAHeapThatGrows) {
  Pretoucher pretoucher(cage);
  take_one();
  pretoucher.follow(kInUse);

  std::uint64_t most = 0;
  const auto given_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (most < 7 && std::chrono::steady_clock::now() < given_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    take_one();  // fresh again after what `ready` gave back
    pretoucher.follow(kInUse);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    most = std::max(most, ready());
  }

  EXPECT_GE(most, 7u) << "of eight ahead, one of which may have been taken";
}

TEST_F(PretoucherTest, LeavesAHeapAloneThatDoesNotGrow) {
  take_one();
  Pretoucher pretoucher(cage);  // what was taken before is none of its business
  take_one();                   // used before

  pretoucher.follow(kInUse);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pretoucher.end();

  EXPECT_LE(ready(), 1u);
}

TEST_F(PretoucherTest, LeavesFreeMemoryAloneOnceItRests) {
  Pretoucher pretoucher(cage);
  for (int k = 0; k < 50; ++k) {
    take_one();
    pretoucher.follow(kInUse);
    pretoucher.rest();
    (void)ready();  // gives all of it back
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_EQ(ready(), 0u) << "it went on, at " << k;
  }
}

TEST_F(PretoucherTest, DoesNothingOnceItEnded) {
  Pretoucher pretoucher(cage);
  pretoucher.end();
  take_one();

  pretoucher.follow(kInUse);
  pretoucher.end();

  EXPECT_LE(ready(), 1u);
}

}  // namespace
}  // namespace tenure
