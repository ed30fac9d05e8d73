#include "core/payload/stream_epochs.hpp"

#include <gtest/gtest.h>

#include "host/simulated_device.hpp"

namespace tenure {
namespace {

class StreamEpochsTest : public ::testing::Test {
 protected:
  StreamEpochsTest() : one(*device.make_stream()), two(*device.make_stream()) {
    for (const StreamId stream : {StreamId::kDefault, one, two}) {
      EXPECT_TRUE(epochs.meet(stream).ok());
    }
  }
  // A use that ends behind work of so many nanoseconds.
  StreamUse use_on(StreamId stream, std::uint64_t duration_ns = 1000) {
    EXPECT_TRUE(device.submit(stream, duration_ns).ok());
    return epochs.end_use(stream);
  }

  SimulatedDevice device{Bytes{64u << 20}};
  StreamEpochs epochs{device};
  StreamId one;
  StreamId two;
};

TEST_F(StreamEpochsTest, RefusesAStreamThatTheBackendDoesNotHave) {
  const Result<void> met = epochs.meet(StreamId{77});

  ASSERT_FALSE(met.ok());
  EXPECT_EQ(met.failure().code, ErrorCode::kBadArgument);
  EXPECT_NE(met.failure().message.find("77"), std::string::npos) << met.failure().message;
}

TEST_F(StreamEpochsTest, RefusesStreamsPastThoseItCanTellApart) {
  const Result<void> met = epochs.meet(StreamId{kMaxStreams});

  ASSERT_FALSE(met.ok());
  EXPECT_EQ(met.failure().code, ErrorCode::kUnsupported);
}

TEST_F(StreamEpochsTest, HoldsAUseForOverOnlyOnceItsEventIsReached) {
  const StreamUse use = use_on(one);

  epochs.refresh();
  EXPECT_FALSE(epochs.is_over(use));
  EXPECT_FALSE(epochs.has_event(use));

  ASSERT_TRUE(epochs.end_epochs().ok());
  epochs.refresh();
  EXPECT_TRUE(epochs.has_event(use));
  EXPECT_FALSE(epochs.is_over(use));

  device.advance(1000);
  epochs.refresh();
  EXPECT_TRUE(epochs.is_over(use));
  EXPECT_TRUE(epochs.is_behind(two, use));
}

TEST_F(StreamEpochsTest, RecordsNothingWhereNoUseEnded) {
  use_on(one);

  ASSERT_TRUE(epochs.end_epochs().ok());
  ASSERT_TRUE(epochs.end_epochs().ok());

  EXPECT_EQ(device.count(BackendCall::kRecord), 1u);
}

TEST_F(StreamEpochsTest, KnowsItsOwnOrderWithoutAnEvent) {
  const StreamUse use = use_on(one);

  EXPECT_TRUE(epochs.is_behind(one, use));
  EXPECT_FALSE(epochs.is_behind(two, use));
}

TEST_F(StreamEpochsTest, PlacesAWaitOnceAndRemembersItForWhatCameBefore) {
  const StreamUse early = use_on(one);
  ASSERT_TRUE(epochs.end_epochs().ok());
  const StreamUse late = use_on(one);
  ASSERT_TRUE(epochs.end_epochs().ok());

  ASSERT_TRUE(epochs.order_behind(two, late).ok());
  ASSERT_TRUE(epochs.order_behind(two, late).ok());
  ASSERT_TRUE(epochs.order_behind(two, early).ok());

  ASSERT_EQ(device.waits().size(), 1u);
  EXPECT_EQ(device.waits()[0].waiter, two);
  EXPECT_EQ(device.waits()[0].event, (StreamEvent{one, 2}));
  EXPECT_EQ(epochs.waits_placed(), 1u);
  EXPECT_TRUE(epochs.is_behind(two, early));
  EXPECT_FALSE(epochs.is_behind(StreamId::kDefault, late));
}

TEST_F(StreamEpochsTest, KnowsThatWhoeverWaitsForAWaiterComesBehindBoth) {
  const StreamUse first = use_on(one);
  ASSERT_TRUE(epochs.end_epochs().ok());
  ASSERT_TRUE(epochs.order_behind(two, first).ok());
  const StreamUse second = use_on(two);
  ASSERT_TRUE(epochs.end_epochs().ok());

  ASSERT_TRUE(epochs.order_behind(StreamId::kDefault, second).ok());

  EXPECT_TRUE(epochs.is_behind(StreamId::kDefault, first));
}

TEST_F(StreamEpochsTest, TakesNoWaitForGrantedThatWasPlacedAfterTheEvent) {
  const StreamUse first = use_on(one);
  const StreamUse second = use_on(two);
  ASSERT_TRUE(epochs.end_epochs().ok());
  ASSERT_TRUE(epochs.order_behind(two, first).ok());  // after the event behind `second`

  ASSERT_TRUE(epochs.order_behind(StreamId::kDefault, second).ok());

  EXPECT_FALSE(epochs.is_behind(StreamId::kDefault, first));
}

TEST_F(StreamEpochsTest, KeepsAnEpochGoingThatTheBackendRefusesToEnd) {
  const StreamUse use = use_on(one);
  device.fail(BackendCall::kRecord, 1);

  EXPECT_FALSE(epochs.end_epochs().ok());
  EXPECT_FALSE(epochs.has_event(use));

  EXPECT_TRUE(epochs.end_epochs().ok());
  EXPECT_TRUE(epochs.has_event(use));
}

TEST_F(StreamEpochsTest, TakesARefusedWaitForNotPlaced) {
  const StreamUse use = use_on(one);
  ASSERT_TRUE(epochs.end_epochs().ok());
  device.fail(BackendCall::kWait, 1);

  EXPECT_FALSE(epochs.order_behind(two, use).ok());
  EXPECT_FALSE(epochs.is_behind(two, use));
}

TEST_F(StreamEpochsTest, WaitsOnTheHostForAllThatEnded) {
  const StreamUse a = use_on(one, 5000);
  const StreamUse b = use_on(two, 9000);

  ASSERT_TRUE(epochs.wait_for_all().ok());

  EXPECT_TRUE(epochs.is_over(a));
  EXPECT_TRUE(epochs.is_over(b));
  EXPECT_EQ(device.host_now_ns(), 9000u);
}

TEST_F(StreamEpochsTest, DropsEventsOfAStreamThatNobodyAsksAbout) {
  for (int i = 0; i < 10'000; ++i) {
    use_on(one, 0);
    ASSERT_TRUE(epochs.end_epoch(one).ok());
  }

  // It looked by itself, now and then; else the first of these would not be over yet.
  EXPECT_TRUE(epochs.is_over(StreamUse(one, 9'900)));
}

}  // namespace
}  // namespace tenure
