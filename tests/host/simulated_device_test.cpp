// The simulated device: the contract, and its memory. Its clock, its view of order and its faults have
// tests of their own.
#include "host/simulated_device.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "host/memory_files.hpp"
#include "tests/contract/backend_contract.hpp"
#include "tests/host/simulated_fixture.hpp"

namespace tenure {
namespace {

using testing::BackendContract;
using testing::BackendContractDeathTest;
using testing::BackendOpener;

std::unique_ptr<Backend> open_with(Bytes capacity, const SimulatedCosts& costs) {
  SimulatedOptions options;
  options.capacity = capacity;
  options.host_capacity = capacity;
  options.costs = costs;
  return std::make_unique<SimulatedDevice>(options);
}

const BackendOpener kFree{
    "free", [](Bytes capacity) { return open_with(capacity, SimulatedCosts::free()); }};
const BackendOpener kCostly{"costly",
                            [](Bytes capacity) { return open_with(capacity, SimulatedCosts{}); }};

INSTANTIATE_TEST_SUITE_P(Simulated, BackendContract,
                         ::testing::Combine(::testing::Values(kFree, kCostly),
                                            testing::all_kinds()),
                         testing::case_name);
INSTANTIATE_TEST_SUITE_P(Simulated, BackendContractDeathTest,
                         ::testing::Combine(::testing::Values(kFree), testing::all_kinds()),
                         testing::case_name);

using testing::SimulatedDeviceTest;

// --- memory -----------------------------------------------------------------------------------

TEST_F(SimulatedDeviceTest, SharesItsCapacityBetweenDeviceAndUnifiedMemory) {
  mapped(MemoryKind::kDevice, 40_MiB);
  mapped(MemoryKind::kUnified, 20_MiB);

  const AddressRange range = *device.reserve(MemoryKind::kUnified, 6_MiB);
  const Result<void> refused = device.map(range, Bytes{}, 6_MiB);

  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.failure().message.find("4 MiB of 64 MiB"), std::string::npos)
      << refused.failure().message;
  EXPECT_NE(refused.failure().message.find("unified 20 MiB, device 40 MiB"), std::string::npos);
  EXPECT_EQ(device.mapped(MemoryKind::kDevice), 40_MiB);
}

TEST_F(SimulatedDeviceTest, TakesHostAndPinnedMemoryFromTheMachine) {
  mapped(MemoryKind::kPinned, 64_MiB);
  mapped(MemoryKind::kHost, 64_MiB);

  mapped(MemoryKind::kDevice, 64_MiB);

  EXPECT_EQ(device.traits(MemoryKind::kHost).capacity, host_platform().memory().total);
}

TEST_F(SimulatedDeviceTest, MapsDeviceMemoryInHugePagesAndHostMemoryInPages) {
  EXPECT_EQ(device.traits(MemoryKind::kDevice).granularity, 2_MiB);
  EXPECT_EQ(device.traits(MemoryKind::kUnified).granularity, 2_MiB);
  EXPECT_EQ(device.traits(MemoryKind::kPinned).granularity, host_platform().page_size());
}

TEST_F(SimulatedDeviceTest, DoesNotLetTheHostFollowDeviceAddresses) {
  EXPECT_FALSE(device.traits(MemoryKind::kDevice).host_readable);
  EXPECT_TRUE(device.traits(MemoryKind::kUnified).host_readable);
}

TEST_F(SimulatedDeviceTest, MapsEightyGibibytesWithoutTakingThem) {
  const auto resident = [] { return *field_of(*read_text("/proc/self/status"), "VmRSS"); };
  SimulatedOptions options;
  options.capacity = 80_GiB;
  SimulatedDevice large(options);
  const Bytes before = resident();
  const AddressRange range = *large.reserve(MemoryKind::kDevice, 80_GiB);

  ASSERT_TRUE(large.map(range, Bytes{}, 80_GiB).ok());
  range.base[(70_GiB).count()] = std::byte{1};

  EXPECT_LT(resident(), before + 16_MiB);
}

TEST_F(SimulatedDeviceTest, HasNoRangesOfAKindThatItCannotMap) {
  SimulatedOptions options;
  options.can_map = {true, true, true, false};
  SimulatedDevice other(options);

  const Result<AddressRange> range = other.reserve(MemoryKind::kDevice, 2_MiB);

  EXPECT_FALSE(other.traits(MemoryKind::kDevice).can_map);
  ASSERT_FALSE(range.ok());
  EXPECT_EQ(range.failure().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(other.reserve(MemoryKind::kUnified, 2_MiB).ok());
  EXPECT_TRUE(other.allocate(MemoryKind::kDevice, 1_MiB).ok());
}

TEST_F(SimulatedDeviceTest, IsNamedAsItIsAskedFor) {
  EXPECT_EQ(device.name(), "sim:64MiB");
  EXPECT_EQ(SimulatedDevice(80_GiB).name(), "sim:80GiB");
  EXPECT_EQ(SimulatedDevice(1536_MiB).name(), "sim:1536MiB");
}

using SimulatedDeviceDeathTest = SimulatedDeviceTest;

TEST_F(SimulatedDeviceDeathTest, StopsWhereBytesInUseAreUnmapped) {
  const AddressRange range = mapped(MemoryKind::kDevice, 4_MiB);
  submit(left, 100);
  ASSERT_TRUE(device.fill(left, range.base, std::byte{1}, 1_MiB).ok());

  EXPECT_DEATH(device.unmap(range, Bytes{}, 2_MiB), "work in flight uses 1 MiB");
  EXPECT_DEATH(device.release(range), "work in flight");
  device.unmap(range, 2_MiB, 2_MiB);  // nothing is at work there
  device.advance_until_idle();
  device.unmap(range, Bytes{}, 2_MiB);
}

TEST_F(SimulatedDeviceDeathTest, StopsWhereBytesOfAnEffectAreUnmapped) {
  const AddressRange range = mapped(MemoryKind::kDevice, 4_MiB);
  ASSERT_TRUE(
      device.submit(left, 100, {}, {PayloadView{range.base, 4_KiB, MemoryKind::kDevice}}).ok());

  EXPECT_DEATH(device.unmap(range, Bytes{}, 2_MiB), "work in flight uses 4 KiB");
  device.advance(100);
  device.unmap(range, Bytes{}, 2_MiB);
}

TEST_F(SimulatedDeviceDeathTest, StopsWhereABlockInUseIsDeallocated) {
  std::byte* const block = *device.allocate(MemoryKind::kDevice, 2_MiB);
  submit(left, 100);
  ASSERT_TRUE(device.fill(left, block, std::byte{1}, 1_MiB).ok());

  EXPECT_DEATH(device.deallocate(MemoryKind::kDevice, block, 2_MiB), "work in flight");
  device.advance_until_idle();
  device.deallocate(MemoryKind::kDevice, block, 2_MiB);
}

TEST_F(SimulatedDeviceDeathTest, StopsWhereAnEffectMovesTheClock) {
  ASSERT_TRUE(device.submit(left, 1, [&] { device.advance(1); }).ok());

  EXPECT_DEATH(device.advance(1), "does not move the clock");
  device.lose();  // or the device would do the work at its end
}

TEST_F(SimulatedDeviceDeathTest, FaultsWhereAPieceWasUnmapped) {
  const AddressRange range = mapped(MemoryKind::kDevice, 4_MiB);
  device.unmap(range, 2_MiB, 2_MiB);
  range.base[(2_MiB).count() - 1] = std::byte{1};

  EXPECT_DEATH(range.base[(2_MiB).count()] = std::byte{1}, "");
}

}  // namespace
}  // namespace tenure
