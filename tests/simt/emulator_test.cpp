// What the emulator has to do as a device does, and what it has to notice.
#include <device_words.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>
#include <vector>

namespace tenure::simt {

namespace {

using kernels::LaunchStatus;
using kernels::device::launch;
using kernels::device::launch_cooperative;

class EmulatorTest : public ::testing::Test {
 protected:
  EmulatorTest() { options() = {}; }
  ~EmulatorTest() override { options() = {}; }
  static void shuffle_lanes(std::uint64_t seed) {
    options() = {.workers = 2, .resident = 4, .seed = seed, .preempt = 3};
  }
  std::vector<unsigned> out = std::vector<unsigned>(1024);
};

__global__ void number_threads(unsigned* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = blockIdx.x * 1000 + threadIdx.x;
}

TEST_F(EmulatorTest, RunsEachThreadOfEachBlockOnce) {
  for (const std::uint64_t seed : {0, 1, 2}) {
    shuffle_lanes(seed);
    std::fill(out.begin(), out.end(), 0);

    ASSERT_EQ(launch(nullptr, 7, 70, number_threads, out.data()), LaunchStatus::kOk);

    for (unsigned k = 0; k < 7 * 70; ++k) {
      ASSERT_EQ(out[k], k / 70 * 1000 + k % 70);
    }
  }
}

__global__ void sum_by_shuffles(unsigned* out) {
  unsigned sum = threadIdx.x;
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(~0u, sum, distance);
  }
  const unsigned odd = __ballot_sync(~0u, static_cast<int>(threadIdx.x % 2));
  const unsigned peers = __match_any_sync(~0u, threadIdx.x % 3);
  out[threadIdx.x] = sum;
  out[32 + threadIdx.x] = odd;
  out[64 + threadIdx.x] = static_cast<unsigned>(__popc(peers));
  out[96 + threadIdx.x] = kernels::device::warp_sum(threadIdx.x);
}

TEST_F(EmulatorTest, GivesEachLaneTheResultOfAWarpsCollective) {
  shuffle_lanes(5);

  ASSERT_EQ(launch(nullptr, 1, 32, sum_by_shuffles, out.data()), LaunchStatus::kOk);

  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(out[lane], 496u);
    EXPECT_EQ(out[32 + lane], 0xAAAAAAAAu);
    EXPECT_EQ(out[64 + lane], lane % 3 == 2 ? 10u : 11u);
    EXPECT_EQ(out[96 + lane], 496u);
  }
}

__global__ void ballot_in_branches(unsigned* out) {
  const bool low = threadIdx.x < 11;
  const unsigned mask = low ? (1u << 11) - 1 : ~((1u << 11) - 1);
  out[threadIdx.x] = low ? __ballot_sync(mask, 1) : __ballot_sync(mask, 0);
}

TEST_F(EmulatorTest, LetsPartsOfAWarpGoTheirOwnWays) {
  ASSERT_EQ(launch(nullptr, 1, 32, ballot_in_branches, out.data()), LaunchStatus::kOk);

  EXPECT_EQ(out[3], (1u << 11) - 1);
  EXPECT_EQ(out[20], 0u);
}

struct Row {
  unsigned at[256];
};

__global__ void reverse(unsigned* out) {
  TENURE_SHARED(Row, row);
  row.at[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = row.at[255 - threadIdx.x];
}

TEST_F(EmulatorTest, HoldsABlockAtItsBarrier) {
  shuffle_lanes(7);

  ASSERT_EQ(launch(nullptr, 1, 256, reverse, out.data()), LaunchStatus::kOk);

  EXPECT_EQ(out[3], 252u);
  EXPECT_EQ(out[255], 0u);
}

__global__ void reverse_without_barrier(unsigned* out) {
  TENURE_SHARED(Row, row);
  row.at[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = row.at[255 - threadIdx.x];
}

// Not where races are reported: it is one.
TEST_F(EmulatorTest, ShowsPoisonWhereABarrierIsMissing) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "the thread sanitizer reports the race itself";
  }
  ASSERT_EQ(launch(nullptr, 1, 256, reverse_without_barrier, out.data()), LaunchStatus::kOk);

  EXPECT_EQ(out[0], 0xA5A5A5A5u);
}

__global__ void leave_early(unsigned* out) {
  if (threadIdx.x >= 40) {
    return;
  }
  __syncthreads();
  out[threadIdx.x] = __ballot_sync(~0u, 1);
}

TEST_F(EmulatorTest, WaitsForNoThreadThatHasEnded) {
  ASSERT_EQ(launch(nullptr, 1, 64, leave_early, out.data()), LaunchStatus::kOk);

  EXPECT_EQ(out[0], ~0u);
  EXPECT_EQ(out[39], 0xFFu);
}

__global__ void pass_on(unsigned* out) {
  for (unsigned round = 0; round < 5; ++round) {
    const unsigned left = __ldcg(&out[(blockIdx.x + gridDim.x - 1) % gridDim.x]);
    kernels::device::grid_barrier();
    if (threadIdx.x == 0) {
      out[blockIdx.x] = left + 1;
    }
    kernels::device::grid_barrier();
  }
}

TEST_F(EmulatorTest, HoldsTheGridAtItsBarrier) {
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    shuffle_lanes(seed);
    std::fill(out.begin(), out.end(), 0);

    ASSERT_EQ(launch_cooperative(nullptr, 5, 33, pass_on, out.data()), LaunchStatus::kOk);

    EXPECT_EQ(std::vector<unsigned>(out.begin(), out.begin() + 5), std::vector<unsigned>(5, 5));
  }
}

__global__ void order_of_lanes(unsigned* out) { out[atomicAdd(&out[100], 1u)] = threadIdx.x; }

TEST_F(EmulatorTest, DrawsTheOrderOfLanesFromTheSeed) {
  std::set<std::vector<unsigned>> orders;
  for (const std::uint64_t seed : {0, 1, 2, 1}) {
    options().seed = seed;
    std::fill(out.begin(), out.end(), 0);
    ASSERT_EQ(launch(nullptr, 1, 64, order_of_lanes, out.data()), LaunchStatus::kOk);
    orders.insert({out.begin(), out.begin() + 64});
  }

  EXPECT_EQ(orders.size(), 3u) << "the same seed gives the same order";
}

__global__ void claim_without_atomic(unsigned* bits, unsigned* claimed) {
  const unsigned bit = 1u << (threadIdx.x % 32);
  const unsigned word = __ldcg(&bits[threadIdx.x / 32]);
  if ((word & bit) == 0) {
    atomicExch(&bits[threadIdx.x / 32], word | bit);
    atomicAdd(claimed, 1u);
  }
}

TEST_F(EmulatorTest, LosesUpdatesThatAreNotAtomic) {
  options() = {.workers = 1, .resident = 4, .seed = 3, .preempt = 2};
  unsigned claimed = 0;

  ASSERT_EQ(launch(nullptr, 8, 128, claim_without_atomic, out.data(), &claimed), LaunchStatus::kOk);

  EXPECT_NE(claimed, 128u);
}

TEST_F(EmulatorTest, RunsALaunchWhenTheHookSays) {
  std::vector<std::function<void()>> queue;
  set_launch_hook([&](kernels::StreamHandle, std::function<void()> run) {
    queue.push_back(std::move(run));
    return queue.size() == 2 ? 98 : 0;
  });

  EXPECT_EQ(launch(nullptr, 1, 64, number_threads, out.data()), LaunchStatus::kOk);
  EXPECT_EQ(static_cast<int>(launch(nullptr, 1, 64, number_threads, out.data())), 98);
  set_launch_hook({});
  EXPECT_EQ(out[5], 0u);
  queue.front()();

  EXPECT_EQ(out[5], 5u);
}

// What the thread sanitizer has to see: it takes each lane for a thread of its own.
class EmulatorRaceTest : public EmulatorTest {
 protected:
  void SetUp() override {
    if (!kThreadSanitizer) {
      GTEST_SKIP() << "races are reported under the thread sanitizer alone";
    }
  }
  // The sanitizer's own code for a program that had a race.
  static constexpr int kHadARace = 66;
};

TEST_F(EmulatorRaceTest, IsReportedBetweenLanesOfABlock) {
  const auto run_and_exit = [&] {
    static_cast<void>(launch(nullptr, 1, 256, reverse_without_barrier, out.data()));
    std::exit(0);
  };
  EXPECT_EXIT(run_and_exit(), ::testing::ExitedWithCode(kHadARace), "data race");
}

__global__ void write_one_place(unsigned* out) {
  if (threadIdx.x == 0) {
    out[0] = blockIdx.x;
  }
}

TEST_F(EmulatorRaceTest, IsReportedBetweenBlocksThatRanOneAfterTheOther) {
  const auto run_and_exit = [&] {
    options().resident = 1;
    static_cast<void>(launch(nullptr, 3, 32, number_threads, out.data()));  // stacks were in use
    static_cast<void>(launch(nullptr, 3, 32, write_one_place, out.data()));
    std::exit(0);
  };
  EXPECT_EXIT(run_and_exit(), ::testing::ExitedWithCode(kHadARace), "data race");
}

// What stops the program.
using EmulatorDeathTest = EmulatorTest;

__global__ void diverge(unsigned* out) {
  if (threadIdx.x < 7) {
    out[threadIdx.x] = __ballot_sync(~0u, 1);
  } else {
    __syncthreads();
  }
}
TEST_F(EmulatorDeathTest, NamesWhereEachLaneWaitsInADeadlock) {
  EXPECT_DEATH(static_cast<void>(launch(nullptr, 1, 32, diverge, out.data())),
               "deadlock in block 0: \\[0 ballot ffffffff\\].*\\[7 syncthreads\\]");
}

__global__ void use_foreign_mask(unsigned* out) {
  out[threadIdx.x] = __shfl_sync(0xFFu, threadIdx.x, 0);
}
TEST_F(EmulatorDeathTest, RefusesAMaskWithoutTheLane) {
  EXPECT_DEATH(static_cast<void>(launch(nullptr, 1, 32, use_foreign_mask, out.data())),
               "lane 8 of block 0 calls shfl with a mask that lacks it");
}

__global__ void meet_alone(unsigned* out) {
  if (blockIdx.x == 0) {
    kernels::device::grid_barrier();
  }
  out[blockIdx.x] = 1;
}
TEST_F(EmulatorDeathTest, RefusesAGridBarrierThatNotAllReach) {
  EXPECT_DEATH(static_cast<void>(launch_cooperative(nullptr, 2, 32, meet_alone, out.data())),
               "grid barrier after a block of the grid has ended");
}
TEST_F(EmulatorDeathTest, RefusesAGridBarrierInAPlainLaunch) {
  EXPECT_DEATH(static_cast<void>(launch(nullptr, 1, 32, meet_alone, out.data())),
               "grid barrier outside of a cooperative launch");
}

struct TooMuch {
  unsigned at[20000];
};

__global__ void take_too_much(unsigned* out) {
  TENURE_SHARED(TooMuch, room);
  out[0] = room.at[0];
}
TEST_F(EmulatorDeathTest, RefusesMoreSharedMemoryThanABlockHas) {
  EXPECT_DEATH(static_cast<void>(launch(nullptr, 1, 1, take_too_much, out.data())),
               "shared memory of 80000 bytes");
}
TEST_F(EmulatorDeathTest, RefusesALaunchWithoutThreads) {
  EXPECT_DEATH(static_cast<void>(launch(nullptr, 0, 32, number_threads, out.data())),
               "a launch of 0 blocks");
}

}  // namespace

}  // namespace tenure::simt
