// Faults of the simulated device, at each of its calls: asked for by number, drawn from a seed, and
// for good.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "host/simulated_device.hpp"

namespace tenure {

// How a test's name and its failures show a call.
inline void PrintTo(BackendCall call, std::ostream* out) { *out << to_string(call); }

namespace {

template <class T>
std::optional<Error> error_of(const Result<T>& result) {
  return result.ok() ? std::nullopt : std::optional(result.failure());
}

// A device on which each call that can fail succeeds by itself.
class FaultsRig {
 public:
  FaultsRig() {
    range = *device.reserve(MemoryKind::kDevice, 64_MiB);
    EXPECT_TRUE(device.map(range, Bytes{}, 2_MiB).ok());
    event = *device.record(StreamId::kDefault);
  }

  // Makes a call, and gives its error, or none.
  std::optional<Error> make(BackendCall call) {
    switch (call) {
      case BackendCall::kReserve:
        return error_of(device.reserve(MemoryKind::kDevice, 2_MiB));
      case BackendCall::kMap:
        next += 2_MiB;
        return error_of(device.map(range, next, 2_MiB));
      case BackendCall::kAllocate:
        return error_of(device.allocate(MemoryKind::kDevice, 2_MiB));
      case BackendCall::kMakeStream:
        return error_of(device.make_stream());
      case BackendCall::kRecord:
        return error_of(device.record(StreamId::kDefault));
      case BackendCall::kWait:
        return error_of(device.wait(StreamId::kDefault, event));
      case BackendCall::kSynchronize:
        return error_of(device.synchronize(event));
      case BackendCall::kCopy:
        return error_of(device.copy(StreamId::kDefault, range.base, range.base + 4096, 4_KiB));
      case BackendCall::kFill:
        return error_of(device.fill(StreamId::kDefault, range.base, std::byte{1}, 4_KiB));
      case BackendCall::kSubmit:
        return error_of(device.submit(StreamId::kDefault, 1));
      default:
        return Error{ErrorCode::kClosed, "not a call that can fail"};
    }
  }

  SimulatedDevice device{64_MiB};
  AddressRange range;
  StreamEvent event;
  Bytes next;
};

class SimulatedFaultsTest : public ::testing::TestWithParam<BackendCall> {
 protected:
  std::optional<Error> make() { return rig.make(GetParam()); }

  FaultsRig rig;
  SimulatedDevice& device = rig.device;
};

INSTANTIATE_TEST_SUITE_P(EachCall, SimulatedFaultsTest,
                         ::testing::Values(BackendCall::kReserve, BackendCall::kMap,
                                           BackendCall::kAllocate, BackendCall::kMakeStream,
                                           BackendCall::kRecord, BackendCall::kWait,
                                           BackendCall::kSynchronize, BackendCall::kCopy,
                                           BackendCall::kFill, BackendCall::kSubmit),
                         [](const auto& row) { return std::string(to_string(row.param)); });

TEST_P(SimulatedFaultsTest, SucceedsWhereNothingIsAskedFor) {
  const std::optional<Error> error = make();

  EXPECT_FALSE(error.has_value()) << error->message;
}

TEST_P(SimulatedFaultsTest, FailsAtTheCallThatWasAskedForAndNoOther) {
  device.fail(GetParam(), 3, ErrorCode::kDeviceRefused);

  EXPECT_FALSE(make().has_value());
  EXPECT_FALSE(make().has_value());
  EXPECT_TRUE(make().has_value());
  EXPECT_FALSE(make().has_value());
}

TEST_P(SimulatedFaultsTest, LeavesTheOtherCallsAlone) {
  device.fail(GetParam(), 1);
  const std::uint64_t number = device.count(GetParam()) + 1;

  for (std::size_t k = 0; k < kFallibleCalls; ++k) {
    const auto other = static_cast<BackendCall>(k);
    while (other != GetParam() && device.count(other) < number) {
      EXPECT_FALSE(rig.make(other).has_value()) << to_string(other);
    }
  }
  EXPECT_TRUE(make().has_value());
}

TEST_P(SimulatedFaultsTest, FailsWithTheCodeAndNamesTheCall) {
  device.fail(GetParam(), 1, ErrorCode::kOutOfMemory);

  const std::optional<Error> error = make();

  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::kOutOfMemory);
  EXPECT_NE(error->message.find(to_string(GetParam())), std::string::npos) << error->message;
}

TEST_P(SimulatedFaultsTest, CountsTheCallsThatFailToo) {
  const std::uint64_t before = device.count(GetParam());
  device.fail(GetParam(), 2);

  for (int k = 0; k < 3; ++k) static_cast<void>(make());

  EXPECT_EQ(device.count(GetParam()), before + 3);
}

TEST_P(SimulatedFaultsTest, ChangesNothingWhereItFails) {
  const Bytes mapped = device.mapped(MemoryKind::kDevice);
  rig.range.base[0] = std::byte{42};
  device.fail(GetParam(), 1);

  ASSERT_TRUE(make().has_value());
  device.advance_until_idle();

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), mapped);
  EXPECT_EQ(rig.range.base[0], std::byte{42});
  EXPECT_TRUE(device.waits().empty());
  EXPECT_EQ(device.record(StreamId::kDefault)->sequence, 2u);
}

TEST_P(SimulatedFaultsTest, RefusesForGoodOnceTheDeviceIsLost) {
  device.lose();

  for (int k = 0; k < 2; ++k) {
    const std::optional<Error> error = make();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, ErrorCode::kDeviceLost);
    EXPECT_NE(error->message.find("sim:64MiB is lost"), std::string::npos) << error->message;
  }
}

TEST_P(SimulatedFaultsTest, LosesTheDeviceWhereThatWasAskedFor) {
  device.fail(GetParam(), 1, ErrorCode::kDeviceLost);

  ASSERT_TRUE(make().has_value());

  EXPECT_EQ(device.record(StreamId::kDefault).failure().code, ErrorCode::kDeviceLost);
}

TEST_P(SimulatedFaultsTest, FailsAlwaysWithProbabilityOne) {
  device.fail_randomly(1.0, 5);

  EXPECT_TRUE(make().has_value());
  EXPECT_TRUE(make().has_value());
  device.fail_randomly(0.0, 5);
  EXPECT_FALSE(make().has_value());
}

// --- drawn from a seed ------------------------------------------------------------------------

// Which of so many records fail.
std::vector<bool> failures(double probability, std::uint64_t seed, int calls) {
  FaultsRig rig;
  rig.device.fail_randomly(probability, seed);
  std::vector<bool> failed;
  for (int k = 0; k < calls; ++k) failed.push_back(rig.make(BackendCall::kRecord).has_value());
  return failed;
}

TEST(SimulatedRandomFaultsTest, DrawsThemFromTheSeed) {
  EXPECT_EQ(failures(0.5, 3, 100), failures(0.5, 3, 100));
  EXPECT_NE(failures(0.5, 3, 100), failures(0.5, 4, 100));
}

TEST(SimulatedRandomFaultsTest, FailsAboutAsOftenAsAsked) {
  const std::vector<bool> failed = failures(0.25, 11, 10'000);

  const auto count = std::count(failed.begin(), failed.end(), true);
  EXPECT_NEAR(static_cast<double>(count), 2500.0, 150.0);  // three and a half deviations
}

TEST(SimulatedRandomFaultsTest, NamesTheSeedInTheFailure) {
  FaultsRig rig;
  rig.device.fail_randomly(1.0, 987);

  const std::optional<Error> error = rig.make(BackendCall::kMap);

  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::kOutOfMemory);
  EXPECT_NE(error->message.find("seed 987"), std::string::npos) << error->message;
}

// --- a lost device ----------------------------------------------------------------------------

class LostDeviceTest : public ::testing::Test {
 protected:
  LostDeviceTest() {
    range = *device.reserve(MemoryKind::kDevice, 4_MiB);
    EXPECT_TRUE(device.map(range, Bytes{}, 4_MiB).ok());
  }
  SimulatedDevice device{64_MiB};
  AddressRange range;
};

TEST_F(LostDeviceTest, NeverDoesTheWorkThatWasInFlight) {
  auto token = std::make_shared<int>(0);
  ASSERT_TRUE(device.submit(StreamId::kDefault, 100, [token] { ++*token; }).ok());

  device.lose();
  device.advance_until_idle();

  EXPECT_EQ(*token, 0);
  EXPECT_EQ(token.use_count(), 1);  // what the effect held is let go
}

TEST_F(LostDeviceTest, StopsReachingEvents) {
  ASSERT_TRUE(device.record(StreamId::kDefault).ok());
  ASSERT_TRUE(device.submit(StreamId::kDefault, 100).ok());
  ASSERT_TRUE(device.record(StreamId::kDefault).ok());

  device.lose();
  device.advance(1000);

  EXPECT_EQ(device.reached(StreamId::kDefault), 1u);
}

TEST_F(LostDeviceTest, LetsGoOfWhatItHeld) {
  ASSERT_TRUE(device.submit(StreamId::kDefault, 100).ok());
  ASSERT_TRUE(device.fill(StreamId::kDefault, range.base, std::byte{1}, 2_MiB).ok());
  const Result<std::byte*> block = device.allocate(MemoryKind::kDevice, 2_MiB);
  ASSERT_TRUE(block.ok());

  device.lose();
  device.unmap(range, Bytes{}, 2_MiB);  // no work in flight is left to use it
  device.release(range);
  device.deallocate(MemoryKind::kDevice, *block, 2_MiB);

  EXPECT_EQ(device.mapped(MemoryKind::kDevice), Bytes{});
}

TEST_F(LostDeviceTest, EndsCleanlyWithMemoryMappedAndWorkInFlight) {
  auto token = std::make_shared<int>(0);
  {
    SimulatedDevice other(64_MiB);
    const AddressRange theirs = *other.reserve(MemoryKind::kDevice, 4_MiB);
    ASSERT_TRUE(other.map(theirs, Bytes{}, 4_MiB).ok());
    ASSERT_TRUE(other.submit(StreamId::kDefault, 100, [token] { ++*token; }).ok());
    other.lose();
  }
  EXPECT_EQ(*token, 0);
}

TEST_F(LostDeviceTest, CanBeLostByAnEffect) {
  ASSERT_TRUE(device.submit(StreamId::kDefault, 100, [this] { device.lose(); }).ok());
  ASSERT_TRUE(device.submit(StreamId::kDefault, 100, [] { FAIL() << "done when lost"; }).ok());

  device.advance(1000);

  EXPECT_FALSE(device.record(StreamId::kDefault).ok());
}

TEST(SimulatedFaultPlanDeathTest, TakesNoFaultAtACallThatCannotFail) {
  SimulatedDevice device(64_MiB);

  EXPECT_DEATH(device.fail(BackendCall::kUnmap, 1), "can");
  EXPECT_DEATH(device.fail(BackendCall::kMap, 0), "number 1");
  EXPECT_DEATH(device.fail_randomly(1.5, 1), "between 0 and 1");
}

}  // namespace
}  // namespace tenure
