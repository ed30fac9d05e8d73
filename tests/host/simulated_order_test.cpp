// Whether uses of the same bytes are in order, as the simulated device sees it.
#include <gtest/gtest.h>

#include "tests/host/simulated_fixture.hpp"

namespace tenure {
namespace {

// --- order, whatever the clock ----------------------------------------------------------------

// Every use here is over before the next is submitted: only the order itself can show a fault.
class SimulatedOrderTest : public testing::SimulatedDeviceTest {
 protected:
  SimulatedOrderTest() : range(mapped(MemoryKind::kDevice, 4_MiB)) {}

  void use(StreamId stream, Access access, Bytes offset = Bytes{}, Bytes size = 4_KiB) {
    const PayloadView view{range.base + offset.count(), size, MemoryKind::kDevice};
    ASSERT_TRUE(device.submit(stream, 10, {}, {{view, access}}).ok());
    device.advance(10);
  }

  AddressRange range;
};

TEST_F(SimulatedOrderTest, FindsAWriteThatIsNotBehindAnotherStreamsWrite) {
  use(left, Access::kWrite);
  use(right, Access::kWrite);

  ASSERT_EQ(device.order_faults().size(), 1u);
  EXPECT_EQ(device.order_faults()[0],
            "the write by work 1 of stream 2 of 4 KiB is not ordered behind the write by work 1 of "
            "stream 1");
}

TEST_F(SimulatedOrderTest, FindsAWriteThatIsNotBehindAnotherStreamsRead) {
  use(left, Access::kRead);
  use(right, Access::kWrite);

  EXPECT_EQ(device.order_faults().size(), 1u);
}

TEST_F(SimulatedOrderTest, FindsAReadThatIsNotBehindAnotherStreamsWrite) {
  use(left, Access::kWrite);
  use(right, Access::kRead);

  EXPECT_EQ(device.order_faults().size(), 1u);
}

TEST_F(SimulatedOrderTest, LetsReadsOfTwoStreamsCross) {
  use(left, Access::kRead);
  use(right, Access::kRead);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, FindsTheReadBehindAnotherRead) {
  use(left, Access::kRead);
  use(right, Access::kRead);
  ASSERT_TRUE(device.wait(StreamId::kDefault, record(right)).ok());
  use(StreamId::kDefault, Access::kWrite);

  ASSERT_EQ(device.order_faults().size(), 1u);
  EXPECT_NE(device.order_faults()[0].find("read by work 1 of stream 1"), std::string::npos);
}

TEST_F(SimulatedOrderTest, IsContentWithinOneStream) {
  use(left, Access::kWrite);
  use(left, Access::kWrite);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, IsContentWithAWait) {
  use(left, Access::kWrite);
  ASSERT_TRUE(device.wait(right, record(left)).ok());
  use(right, Access::kWrite);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, IsContentWithAWaitThroughAThirdStream) {
  use(left, Access::kWrite);
  ASSERT_TRUE(device.wait(StreamId::kDefault, record(left)).ok());
  ASSERT_TRUE(device.wait(right, record(StreamId::kDefault)).ok());
  use(right, Access::kWrite);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, IsNotContentWithAWaitForAnEarlierEvent) {
  const StreamEvent early = record(left);
  use(left, Access::kWrite);
  ASSERT_TRUE(device.wait(right, early).ok());
  use(right, Access::kWrite);

  EXPECT_EQ(device.order_faults().size(), 1u);
}

TEST_F(SimulatedOrderTest, IsContentWithWhatTheHostSawReached) {
  use(left, Access::kWrite);
  record(left);
  ASSERT_EQ(device.reached(left), 1u);
  use(right, Access::kWrite);
  const StreamEvent event = record(right);
  ASSERT_TRUE(device.synchronize(event).ok());
  use(left, Access::kWrite);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, LooksAtTheBytesThatOverlapAndNoOthers) {
  use(left, Access::kWrite, 4_KiB, 8_KiB);
  use(right, Access::kWrite, Bytes{}, 4_KiB);
  use(right, Access::kWrite, 12_KiB, 4_KiB);
  EXPECT_TRUE(device.order_faults().empty());

  use(right, Access::kWrite, 8_KiB, 8_KiB);

  ASSERT_EQ(device.order_faults().size(), 1u);
  EXPECT_NE(device.order_faults()[0].find("of 4 KiB"), std::string::npos);
}

TEST_F(SimulatedOrderTest, KeepsApartWhoUsedWhichPartOfAStretch) {
  use(left, Access::kWrite, Bytes{}, 8_KiB);
  ASSERT_TRUE(device.wait(right, record(left)).ok());
  use(right, Access::kWrite, Bytes{}, 4_KiB);

  use(left, Access::kWrite, 4_KiB, 4_KiB);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, ComparesWithTheLastWriteAndNotWithThoseBefore) {
  use(left, Access::kWrite);
  use(right, Access::kWrite);  // the one fault
  ASSERT_TRUE(device.wait(StreamId::kDefault, record(right)).ok());

  use(StreamId::kDefault, Access::kWrite);

  EXPECT_EQ(device.order_faults().size(), 1u);
}

TEST_F(SimulatedOrderTest, ForgetsBytesThatWereUnmapped) {
  use(left, Access::kWrite);
  device.unmap(range, Bytes{}, 2_MiB);
  ASSERT_TRUE(device.map(range, Bytes{}, 2_MiB).ok());
  use(right, Access::kWrite);

  EXPECT_TRUE(device.order_faults().empty());
}

TEST_F(SimulatedOrderTest, SeesCopiesAndFills) {
  ASSERT_TRUE(device.fill(left, range.base, std::byte{1}, 4_KiB).ok());
  device.advance_until_idle();
  ASSERT_TRUE(device.copy(right, range.base + 4096, range.base, 4_KiB).ok());
  device.advance_until_idle();

  ASSERT_EQ(device.order_faults().size(), 1u);
  EXPECT_NE(device.order_faults()[0].find("the read by work 1 of stream 2"), std::string::npos);
}

}  // namespace
}  // namespace tenure
