// The simulated device's clock: when work is done, in which order, and what calls cost.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/host/simulated_fixture.hpp"

namespace tenure {
namespace {

class SimulatedClockTest : public testing::SimulatedDeviceTest {};

// --- the clock --------------------------------------------------------------------------------

TEST_F(SimulatedClockTest, StandsStillUntilItIsAdvanced) {
  const AddressRange range = mapped(MemoryKind::kDevice, 4_MiB);
  ASSERT_TRUE(device.fill(left, range.base, std::byte{1}, 4_MiB).ok());
  ASSERT_TRUE(device.wait(right, record(left)).ok());
  device.unmap(range, Bytes{}, 2_MiB);
  EXPECT_EQ(device.host_now_ns(), 0u);

  device.advance(250);

  EXPECT_EQ(device.host_now_ns(), 250u);
}

TEST_F(SimulatedClockTest, EndsWorkAfterItsDurationAndNotBefore) {
  submit(left, 100, "a");

  device.advance(99);
  EXPECT_EQ(done, "");
  device.advance(1);
  EXPECT_EQ(done, "a");
}

TEST_F(SimulatedClockTest, DoesTheWorkOfOneStreamOneAfterTheOther) {
  submit(left, 100, "a");
  submit(left, 50, "b");

  device.advance(149);
  EXPECT_EQ(done, "a");
  device.advance(1);
  EXPECT_EQ(done, "ab");
}

TEST_F(SimulatedClockTest, DoesTheWorkOfTwoStreamsAtTheSameTime) {
  submit(left, 100, "a");
  submit(right, 60, "b");

  device.advance(100);

  EXPECT_EQ(done, "ba");
  EXPECT_EQ(device.host_now_ns(), 100u);
}

TEST_F(SimulatedClockTest, StartsWorkNoEarlierThanItIsSubmitted) {
  device.advance(1000);
  submit(left, 10, "a");

  device.advance(9);

  EXPECT_EQ(done, "");
}

TEST_F(SimulatedClockTest, EndsWorkOfTheSameMomentInTheOrderOfSubmission) {
  submit(right, 10, "a");
  submit(left, 10, "b");
  submit(StreamId::kDefault, 10, "c");

  device.advance(10);

  EXPECT_EQ(done, "abc");
}

TEST_F(SimulatedClockTest, ShowsAnEffectTheMomentThatItHappensAt) {
  std::uint64_t seen_ns = 0;
  ASSERT_TRUE(device.submit(left, 70, [&] { seen_ns = device.host_now_ns(); }).ok());

  device.advance(1000);

  EXPECT_EQ(seen_ns, 70u);
}

TEST_F(SimulatedClockTest, ReachesEventsAsTheClockPassesThem) {
  submit(left, 100);
  record(left);
  submit(left, 100);
  record(left);

  EXPECT_EQ(device.reached(left), 0u);
  device.advance(100);
  EXPECT_EQ(device.reached(left), 1u);
  device.advance(100);
  EXPECT_EQ(device.reached(left), 2u);
}

TEST_F(SimulatedClockTest, ReachesAnEventOfAnIdleStreamAtOnce) {
  EXPECT_EQ(device.reached(left), 0u);
  record(left);
  EXPECT_EQ(device.reached(left), 1u);
}

TEST_F(SimulatedClockTest, WaitsForAnEventByMovingTheClockToItAndNoFurther) {
  submit(left, 100, "a");
  const StreamEvent event = record(left);
  submit(left, 100, "b");

  ASSERT_TRUE(device.synchronize(event).ok());

  EXPECT_EQ(device.host_now_ns(), 100u);
  EXPECT_EQ(done, "a");
}

TEST_F(SimulatedClockTest, WaitsNoTimeForAnEventThatWasReached) {
  const StreamEvent event = record(left);
  device.advance(500);

  ASSERT_TRUE(device.synchronize(event).ok());

  EXPECT_EQ(device.host_now_ns(), 500u);
}

TEST_F(SimulatedClockTest, AdvancesUntilAlsoTheWorkOfEffectsIsDone) {
  ASSERT_TRUE(device.submit(left, 100, [&] { submit(right, 100, "b"); }).ok());

  device.advance_until_idle();

  EXPECT_EQ(done, "b");
  EXPECT_EQ(device.host_now_ns(), 200u);
}

TEST_F(SimulatedClockTest, DoesAllWorkBeforeItIsGone) {
  int effects = 0;
  {
    SimulatedDevice other(64_MiB);
    ASSERT_TRUE(other.submit(StreamId::kDefault, 1'000'000, [&] { ++effects; }).ok());
  }
  EXPECT_EQ(effects, 1);
}

// --- order between streams --------------------------------------------------------------------

TEST_F(SimulatedClockTest, StartsWorkBehindTheEventThatItsStreamWaitsFor) {
  submit(left, 100, "a");
  ASSERT_TRUE(device.wait(right, record(left)).ok());
  submit(right, 50, "b");

  device.advance(149);
  EXPECT_EQ(done, "a");
  device.advance(1);
  EXPECT_EQ(done, "ab");
}

TEST_F(SimulatedClockTest, WaitsForNothingPutBehindTheEvent) {
  submit(left, 100, "a");
  const StreamEvent event = record(left);
  submit(left, 1000, "c");
  ASSERT_TRUE(device.wait(right, event).ok());
  submit(right, 50, "b");

  device.advance(150);

  EXPECT_EQ(done, "ab");
}

TEST_F(SimulatedClockTest, DoesNotHoldBackWorkPutBeforeTheWait) {
  submit(left, 100, "a");
  submit(right, 50, "b");
  ASSERT_TRUE(device.wait(right, record(left)).ok());

  device.advance(50);

  EXPECT_EQ(done, "b");
}

TEST_F(SimulatedClockTest, CarriesAWaitOnThroughAThirdStream) {
  submit(left, 100, "a");
  ASSERT_TRUE(device.wait(right, record(left)).ok());
  ASSERT_TRUE(device.wait(StreamId::kDefault, record(right)).ok());
  submit(StreamId::kDefault, 1, "b");

  device.advance(100);
  EXPECT_EQ(done, "a");
  device.advance(1);
  EXPECT_EQ(done, "ab");
}

TEST_F(SimulatedClockTest, KeepsTheOrderOfAWaitAmongWorkThatTakesNoTime) {
  submit(right, 0, "a");
  ASSERT_TRUE(device.wait(left, record(right)).ok());
  submit(left, 0, "b");

  device.advance(0);

  EXPECT_EQ(done, "ab");
}

TEST_F(SimulatedClockTest, LogsTheWaitsInTheirOrder) {
  const StreamEvent first = record(left);
  const StreamEvent second = record(right);
  ASSERT_TRUE(device.wait(right, first).ok());
  ASSERT_TRUE(device.wait(left, second).ok());

  const std::vector<WaitRecord> waits = device.waits();

  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[0].waiter, right);
  EXPECT_EQ(waits[0].event, first);
  EXPECT_EQ(waits[1].waiter, left);
  EXPECT_EQ(waits[1].event, second);
}

TEST_F(SimulatedClockTest, LogsNoWaitThatWasRefused) {
  EXPECT_FALSE(device.wait(right, {left, 7}).ok());

  EXPECT_TRUE(device.waits().empty());
}

TEST_F(SimulatedClockTest, KeepsNoWaitsWhereItIsToldNotTo) {
  SimulatedOptions options;
  options.keeps_waits = false;
  SimulatedDevice other(options);
  const StreamEvent event = *other.record(StreamId::kDefault);

  ASSERT_TRUE(other.wait(StreamId::kDefault, event).ok());

  EXPECT_TRUE(other.waits().empty());
  EXPECT_EQ(other.count(BackendCall::kWait), 1u);
}

// A kernel on the left reads what the right overwrites: the wait decides what it sees.
class SimulatedReuseTest : public testing::SimulatedDeviceTest {
 protected:
  std::byte seen_by_reader(bool is_ordered) {
    const AddressRange range = mapped(MemoryKind::kDevice, 2_MiB);
    std::byte seen{};
    EXPECT_TRUE(device.fill(left, range.base, std::byte{1}, 1_KiB).ok());
    EXPECT_TRUE(device.submit(left, 100, [&, range] { seen = range.base[7]; }).ok());
    const StreamEvent read = record(left);
    if (is_ordered) {
      EXPECT_TRUE(device.wait(right, read).ok());
    }
    EXPECT_TRUE(device.fill(right, range.base, std::byte{2}, 1_KiB).ok());
    device.advance_until_idle();
    return seen;
  }
};

TEST_F(SimulatedReuseTest, ShowsWrongDataWhereBytesAreReusedTooEarly) {
  EXPECT_EQ(seen_by_reader(false), std::byte{2});
}

TEST_F(SimulatedReuseTest, ShowsRightDataWhereTheReuseIsOrdered) {
  EXPECT_EQ(seen_by_reader(true), std::byte{1});
}

TEST_F(SimulatedClockTest, ReadsTheSourceOfACopyWhenTheCopyIsDone) {
  const AddressRange range = mapped(MemoryKind::kDevice, 2_MiB);
  std::byte host{1};
  submit(left, 100);
  ASSERT_TRUE(device.copy(left, range.base, &host, 1_B).ok());
  host = std::byte{2};  // too early: the copy has not happened

  device.advance_until_idle();

  EXPECT_EQ(range.base[0], std::byte{2});
}

// --- streams that end -------------------------------------------------------------------------

TEST_F(SimulatedClockTest, TakesNoWorkOnAStreamThatWasEnded) {
  device.end_stream(left);

  EXPECT_FALSE(device.has_stream(left));
  const Result<StreamEvent> event = device.record(left);
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.failure().code, ErrorCode::kBadArgument);
  EXPECT_NE(event.failure().message.find("was ended"), std::string::npos);
  EXPECT_FALSE(device.submit(left, 1).ok());
}

TEST_F(SimulatedClockTest, EndsTheWorkOfAStreamThatWasEnded) {
  submit(left, 100, "a");
  const StreamEvent event = record(left);
  device.end_stream(left);

  ASSERT_TRUE(device.wait(right, event).ok());
  submit(right, 1, "b");
  device.advance(101);

  EXPECT_EQ(done, "ab");
  EXPECT_EQ(device.reached(left), 1u);
}

// --- costs ------------------------------------------------------------------------------------

class SimulatedCostsTest : public ::testing::Test {
 protected:
  SimulatedCostsTest() {
    SimulatedOptions options;
    options.capacity = 64_MiB;
    options.costs = {1'000'000, 200'000, 30'000, 4'000, 500, 100, 1'000};
    device = std::make_unique<SimulatedDevice>(options);
    range = *device->reserve(MemoryKind::kDevice, 64_MiB);
  }
  // What the calls made since the last time cost.
  std::uint64_t cost_ns() {
    const std::uint64_t before = last_ns;
    last_ns = device->host_now_ns();
    return last_ns - before;
  }

  std::unique_ptr<SimulatedDevice> device;
  AddressRange range;
  std::uint64_t last_ns = 0;
};

TEST_F(SimulatedCostsTest, ChargesTheHostForEachCall) {
  EXPECT_EQ(cost_ns(), 0u);  // reserving is free
  ASSERT_TRUE(device->map(range, Bytes{}, 8_MiB).ok());
  EXPECT_EQ(cost_ns(), 1'000'000u);
  device->unmap(range, 4_MiB, 4_MiB);
  EXPECT_EQ(cost_ns(), 200'000u);
  const StreamEvent event = *device->record(StreamId::kDefault);
  EXPECT_EQ(cost_ns(), 30'000u);
  ASSERT_TRUE(device->wait(StreamId::kDefault, event).ok());
  EXPECT_EQ(cost_ns(), 4'000u);
  ASSERT_TRUE(device->submit(StreamId::kDefault, 0).ok());
  EXPECT_EQ(cost_ns(), 500u);
  EXPECT_EQ(device->reached(StreamId::kDefault), 1u);
  EXPECT_EQ(cost_ns(), 0u);  // so is asking
}

TEST_F(SimulatedCostsTest, GoesOnWithItsWorkWhileTheHostCalls) {
  ASSERT_TRUE(device->submit(StreamId::kDefault, 900'000).ok());
  ASSERT_TRUE(device->record(StreamId::kDefault).ok());
  EXPECT_EQ(device->reached(StreamId::kDefault), 0u);

  ASSERT_TRUE(device->map(range, Bytes{}, 2_MiB).ok());

  EXPECT_EQ(device->reached(StreamId::kDefault), 1u);
}

TEST_F(SimulatedCostsTest, TakesNoTimeForWhatAnEffectAsks) {
  std::uint64_t spent_ns = 1;
  ASSERT_TRUE(device
                  ->submit(StreamId::kDefault, 100,
                           [&] {
                             const std::uint64_t before = device->host_now_ns();
                             EXPECT_TRUE(device->map(range, Bytes{}, 2_MiB).ok());
                             spent_ns = device->host_now_ns() - before;
                           })
                  .ok());

  device->advance_until_idle();

  EXPECT_EQ(spent_ns, 0u);
}

TEST_F(SimulatedCostsTest, TakesTheTimeOfTheBusForCopiesFromTheHost) {
  ASSERT_TRUE(device->map(range, Bytes{}, 8_MiB).ok());
  std::vector<std::byte> host(100'000);
  cost_ns();

  ASSERT_TRUE(device->copy(StreamId::kDefault, range.base, host.data(), Bytes{100'000}).ok());
  device->advance_until_idle();

  EXPECT_EQ(cost_ns(), 500u + 1'000'000u);  // the launch, and 100,000 bytes at 100 bytes a us
}

TEST_F(SimulatedCostsTest, TakesTheTimeOfItsMemoryForCopiesOnTheDevice) {
  ASSERT_TRUE(device->map(range, Bytes{}, 8_MiB).ok());
  cost_ns();

  ASSERT_TRUE(
      device->copy(StreamId::kDefault, range.base, range.base + 200'000, Bytes{100'000}).ok());
  device->advance_until_idle();

  EXPECT_EQ(cost_ns(), 500u + 100'000u);
}

TEST_F(SimulatedCostsTest, CostsSomethingUnlessItIsToldNotTo) {
  const SimulatedCosts costs;

  EXPECT_GT(costs.map_ns, costs.wait_ns);
  EXPECT_GT(costs.wait_ns, costs.record_ns);
  EXPECT_GT(costs.record_ns, 0u);
  EXPECT_GT(costs.device_bytes_per_us, costs.bus_bytes_per_us);
  EXPECT_EQ(SimulatedCosts::free().map_ns, 0u);
}

// When each of twenty works of 1,000 ns ends, drawn from a seed.
std::vector<std::uint64_t> ends_with_jitter(std::uint64_t seed) {
  SimulatedOptions options;
  options.costs = SimulatedCosts::free();
  options.jitter = 0.5;
  options.seed = seed;
  SimulatedDevice device(options);
  std::vector<std::uint64_t> ends;
  for (int k = 0; k < 20; ++k) {
    const StreamId stream = *device.make_stream();
    EXPECT_TRUE(device.submit(stream, 1000, [&] { ends.push_back(device.host_now_ns()); }).ok());
  }
  device.advance_until_idle();
  return ends;
}

TEST(SimulatedJitterTest, DrawsHowMuchLongerWorkTakesFromTheSeed) {
  const std::vector<std::uint64_t> ends = ends_with_jitter(7);

  EXPECT_EQ(ends, ends_with_jitter(7));
  EXPECT_NE(ends, ends_with_jitter(8));
  EXPECT_GE(ends.front(), 1000u);
  EXPECT_LT(ends.back(), 1500u);
  EXPECT_GT(ends.back(), ends.front() + 100);
}

// --- threads ----------------------------------------------------------------------------------

TEST_F(SimulatedClockTest, RunsEffectsOneAtATimeWhileSeveralThreadsWork) {
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  int effects = 0;  // no atomic: effects exclude each other
  std::atomic<bool> is_over{false};

  std::thread clock([&] {
    while (!is_over) device.advance(10);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const StreamId stream = *device.make_stream();
      for (int k = 0; k < kEach; ++k) {
        ASSERT_TRUE(device.submit(stream, 5, [&] { ++effects; }).ok());
        ASSERT_TRUE(device.wait(left, record(stream)).ok());
      }
      ASSERT_TRUE(device.synchronize(record(stream)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  is_over = true;
  clock.join();

  EXPECT_EQ(effects, kThreads * kEach);
}

TEST_F(SimulatedClockTest, HoldsNoLockWhileAnEffectRuns) {
  ASSERT_TRUE(device
                  .submit(left, 10,
                          [&] {
                            const StreamId stream = *device.make_stream();
                            EXPECT_TRUE(device.record(stream).ok());
                            EXPECT_EQ(device.reached(stream), 1u);
                            done += "a";
                          })
                  .ok());

  device.advance(10);

  EXPECT_EQ(done, "a");
}

}  // namespace
}  // namespace tenure
