// A pool's memory goes away and comes back, at the same addresses and with the same bytes.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "host/host_backend.hpp"
#include "host/memory_files.hpp"
#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/filled_payloads.hpp"

namespace tenure {
namespace {

using testing::count_broken;
using testing::FilledPayload;
using testing::is_sound;

SimulatedOptions busy_device() {
  SimulatedOptions options;  // copies take their time, and more or less of it
  options.capacity = 64_MiB;
  options.granularity = 64_KiB;
  options.jitter = 1.0;
  options.checks_order = true;
  options.seed = 7;
  return options;
}

SleepOptions keeping(SleepContents contents) { return {.contents = contents, .directory = {}}; }

class PoolSleepTest : public ::testing::Test {
 protected:
  void TearDown() override {
    payloads.clear();
    EXPECT_TRUE(is_sound(pool));
    device.advance_until_idle();
    EXPECT_TRUE(device.order_faults().empty()) << device.order_faults().front();
  }

  FilledPayload& add(Bytes size, StreamId stream = StreamId::kDefault) {
    payloads.emplace_back(value_or_throw(pool.lease(size, stream)), payloads.size() + 1);
    return payloads.back();
  }
  /// Has a payload filled by work of a stream, at its end.
  void fill_later(const FilledPayload& payload, StreamId stream, std::uint64_t duration_ns) {
    ASSERT_TRUE(device
                    .submit(stream, duration_ns,
                            [at = payload.at, size = payload.lease.size(), seed = payload.seed] {
                              testing::fill_from_seed(at, size, seed);
                            },
                            {payload.lease.view()})
                    .ok());
  }
  SleepReport sleep(SleepContents contents) {
    return value_or_throw(pool.sleep(keeping(contents)));
  }

  SimulatedDevice device{busy_device()};
  PayloadPool pool{device, MemoryKind::kDevice};
  StreamId left = *device.make_stream();
  std::vector<FilledPayload> payloads;
};

class Keeping : public PoolSleepTest, public ::testing::WithParamInterface<SleepContents> {};

TEST_P(Keeping, BringsEveryByteBackToItsAddress) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int k = 0; k < 30; ++k) {
      const StreamId stream = random() % 2 == 0 ? left : StreamId::kDefault;
      FilledPayload& payload = add(testing::random_size(random, 1_B, 1_MiB), stream);
      fill_later(payload, stream, random() % 300'000);
    }
    for (int k = 0; k < 12; ++k) {
      payloads.erase(payloads.begin() + static_cast<std::ptrdiff_t>(random() % payloads.size()));
    }
    const Bytes mapped = device.mapped(MemoryKind::kDevice);

    const SleepReport slept = sleep(GetParam());

    EXPECT_EQ(slept.given_back, mapped);
    EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
    EXPECT_EQ(pool.statistics().reserved, 0_B);
    EXPECT_TRUE(pool.statistics().asleep);
    EXPECT_TRUE(is_sound(pool));

    const WakeReport woken = value_or_throw(pool.wake());

    EXPECT_EQ(woken.brought_back, slept.kept);
    EXPECT_EQ(woken.mapped, device.mapped(MemoryKind::kDevice));
    EXPECT_EQ(count_broken(payloads), 0u);
    EXPECT_TRUE(is_sound(pool));
  }
}

TEST_P(Keeping, WaitsForWorkThatUsesLeasesStillOut) {
  FilledPayload& payload = add(1_MiB);
  fill_later(payload, left, 2'000'000);
  payload.lease.used_on(left);

  sleep(GetParam());
  ASSERT_TRUE(pool.wake().ok());

  EXPECT_TRUE(payload.is_whole());
}

TEST_P(Keeping, BringsNothingBackOfWhatWasHandedBackMeanwhile) {
  for (int k = 0; k < 16; ++k) add(1_MiB).fill();
  sleep(GetParam());
  std::thread([&] { payloads.erase(payloads.begin() + 4, payloads.begin() + 12); }).join();

  const WakeReport woken = value_or_throw(pool.wake());

  EXPECT_EQ(woken.mapped, 8_MiB);
  EXPECT_EQ(woken.brought_back, 8_MiB);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 8_MiB);
  EXPECT_EQ(count_broken(payloads), 0u);
  add(12_MiB).fill();
  EXPECT_EQ(count_broken(payloads), 0u);
}

TEST_P(Keeping, StaysAsleepWhereOthersHaveTheMemoryAndWakesLater) {
  for (int k = 0; k < 4; ++k) {
    add(7_MiB, k % 2 == 0 ? left : StreamId::kDefault).fill();
    add(100_KiB).fill();
  }
  payloads.erase(payloads.begin() + 2);
  sleep(GetParam());
  PayloadPool other(device, MemoryKind::kUnified);
  PayloadLease taken = value_or_throw(other.lease(50_MiB, StreamId::kDefault));

  for (int tries = 0; tries < 2; ++tries) {
    const Result<WakeReport> woken = pool.wake();
    ASSERT_FALSE(woken.ok());
    EXPECT_EQ(woken.failure().code, ErrorCode::kOutOfMemory);
    EXPECT_NE(woken.failure().message.find("stays asleep"), std::string::npos);
    EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
    EXPECT_TRUE(is_sound(pool));
  }
  taken.release();
  other.trim(kUnlimited, HostWait::kAllowed);

  ASSERT_TRUE(pool.wake().ok());
  EXPECT_EQ(count_broken(payloads), 0u);
}

TEST_P(Keeping, SleepsAgainAndAgainBetweenOtherUses) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    while (payloads.size() < 20) add(testing::random_size(random, 100_B, 2_MiB)).fill();
    sleep(GetParam());
    ASSERT_TRUE(pool.wake().ok());
    ASSERT_EQ(count_broken(payloads), 0u);
    for (int k = 0; k < 8; ++k) {
      payloads.erase(payloads.begin() + static_cast<std::ptrdiff_t>(random() % payloads.size()));
    }
  }
  EXPECT_LE(pool.statistics().peak_reserved, 64_MiB);
}

TEST_P(Keeping, EndsAsleep) {
  add(10_MiB).fill();
  sleep(GetParam());

  EXPECT_EQ(pool.close(), 1u);

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
  EXPECT_EQ(payloads[0].lease.data(), nullptr);
  EXPECT_EQ(pool.wake().failure().code, ErrorCode::kClosed);
}

INSTANTIATE_TEST_SUITE_P(Bytes, Keeping,
                         ::testing::Values(SleepContents::kOnHost, SleepContents::kInFile),
                         [](const auto& contents) {
                           return contents.param == SleepContents::kOnHost ? "OnHost" : "InFile";
                         });

TEST_F(PoolSleepTest, KeepsNothingWhereContentsAreDropped) {
  FilledPayload& payload = add(10_MiB);
  payload.fill();

  EXPECT_EQ(sleep(SleepContents::kDropped).kept, 0_B);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 0_B);
  EXPECT_EQ(value_or_throw(pool.wake()).brought_back, 0_B);

  EXPECT_EQ(device.count(BackendCall::kCopy), 0u);
  EXPECT_EQ(payload.lease.data(), payload.at);
  payload.fill();
  EXPECT_TRUE(payload.is_whole());
}

TEST_F(PoolSleepTest, RefusesToDoEitherTwice) {
  EXPECT_EQ(pool.wake().failure().code, ErrorCode::kBadArgument);
  sleep(SleepContents::kOnHost);

  const Result<SleepReport> again = pool.sleep();

  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.failure().code, ErrorCode::kBadArgument);
  EXPECT_NE(again.failure().message.find("asleep already"), std::string::npos);
  EXPECT_TRUE(pool.wake().ok());
  EXPECT_EQ(pool.wake().failure().code, ErrorCode::kBadArgument);
}

TEST_F(PoolSleepTest, LeasesNothingMeanwhileAndSaysWhy) {
  add(1_MiB).fill();
  sleep(SleepContents::kOnHost);

  for (const Bytes size : {1_B, 1_MiB, 60_MiB}) {
    const Result<PayloadLease> lease = pool.lease(size, StreamId::kDefault);
    ASSERT_FALSE(lease.ok());
    EXPECT_EQ(lease.failure().code, ErrorCode::kAsleep);
    EXPECT_NE(lease.failure().message.find("wake it"), std::string::npos);
    EXPECT_FALSE(pool.try_lease(size, left).owns());
  }
  EXPECT_EQ(pool.trim(), 0_B);
  ASSERT_TRUE(pool.wake().ok());
  EXPECT_TRUE(pool.lease(1_MiB, StreamId::kDefault).ok());
}

TEST_F(PoolSleepTest, TakesBackFromThreadsThatDoNotKnow) {
  for (int k = 0; k < 64; ++k) add(300_KiB).fill();
  std::atomic<std::size_t> next{32};
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < 64; i = next++) payloads[i].lease.release();
    });
  }
  for (int k = 0; k < 8; ++k) {
    sleep(k % 2 == 0 ? SleepContents::kOnHost : SleepContents::kInFile);
    ASSERT_TRUE(pool.wake().ok());
  }
  for (std::thread& thread : threads) thread.join();
  payloads.erase(payloads.begin() + 32, payloads.end());

  EXPECT_EQ(count_broken(payloads), 0u);
}

TEST_F(PoolSleepTest, LeavesAPlanThatIsFollowed) {
  PayloadPool planning(device, MemoryKind::kUnified, PoolOptions{.plans = true});
  std::vector<FilledPayload> live;
  const auto fill = [&] {
    for (std::uint32_t k = 0; k < 20; ++k) {
      live.emplace_back(value_or_throw(planning.lease(1_MiB, StreamId::kDefault, SiteId{k})), k);
      live.back().fill();
    }
  };
  fill();
  live.clear();
  planning.offer(make_plan(*planning.take_iteration()));
  fill();
  ASSERT_GT(planning.statistics().planned_leases, 0u);

  ASSERT_TRUE(planning.sleep().ok());
  ASSERT_TRUE(planning.wake().ok());

  EXPECT_EQ(count_broken(live), 0u);
  EXPECT_TRUE(is_sound(planning));
  live.clear();
}

TEST_F(PoolSleepTest, StaysAwakeWhereItsFileCannotBeMade) {
  add(10_MiB).fill();

  const Result<SleepReport> slept =
      pool.sleep({.contents = SleepContents::kInFile, .directory = "/nowhere/at/all"});

  ASSERT_FALSE(slept.ok());
  EXPECT_EQ(slept.failure().code, ErrorCode::kFile);
  EXPECT_FALSE(pool.is_asleep());
  EXPECT_EQ(count_broken(payloads), 0u);
  EXPECT_TRUE(pool.lease(1_MiB, StreamId::kDefault).ok());
}

TEST_F(PoolSleepTest, StaysAwakeWhereItsFileIsFull) {
  for (int k = 0; k < 6; ++k) add(2_MiB).fill();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{7u << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);

  const Result<SleepReport> slept = pool.sleep(keeping(SleepContents::kInFile));

  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(slept.ok());
  EXPECT_EQ(slept.failure().code, ErrorCode::kFile);
  EXPECT_FALSE(pool.is_asleep());
  EXPECT_EQ(count_broken(payloads), 0u);
}

TEST(PoolSleep, IsRefusedWhereMemoryCannotBeMapped) {
  SimulatedDevice device{testing::device_of(64_MiB, false)};
  PayloadPool pool(device, MemoryKind::kDevice);

  EXPECT_EQ(pool.sleep().failure().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(pool.lease(1_MiB, StreamId::kDefault).ok());
}

TEST(PoolSleep, SleepsWithoutAnythingLeased) {
  SimulatedDevice device{testing::device_of(64_MiB)};
  PayloadPool pool(device, MemoryKind::kDevice);

  EXPECT_EQ(value_or_throw(pool.sleep()).given_back, 0_B);
  EXPECT_EQ(value_or_throw(pool.wake()).mapped, 0_B);
  EXPECT_TRUE(pool.lease(1_MiB, StreamId::kDefault).ok());
}

TEST(PoolSleep, GivesMemoryOfTheHostReallyBack) {
  const auto resident = [] { return *field_of(*read_text("/proc/self/status"), "VmRSS"); };
  HostBackend host;
  for (const MemoryKind kind : {MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kDevice}) {
    SCOPED_TRACE(to_string(kind));
    PayloadPool pool(host, kind);
    std::vector<FilledPayload> payloads;
    for (std::uint64_t k = 0; k < 8; ++k) {
      payloads.emplace_back(value_or_throw(pool.lease(8_MiB, StreamId::kDefault)), k);
      payloads.back().fill();
    }
    const Bytes before = resident();

    ASSERT_TRUE(pool.sleep(keeping(SleepContents::kInFile)).ok());

    EXPECT_LE(resident() + 60_MiB, before);
    ASSERT_TRUE(pool.wake().ok());
    EXPECT_EQ(count_broken(payloads), 0u);
  }
}

}  // namespace
}  // namespace tenure
