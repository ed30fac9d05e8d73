// Backends by their names. What is said of CUDA depends on the build; that it is said does not.
#include <gtest/gtest.h>

#include <string>

#include "core/backend/backend.hpp"

namespace tenure {
namespace {

std::string opened(std::string_view name) {
  const Result<std::unique_ptr<Backend>> backend = open_backend(name, 1);
  EXPECT_TRUE(backend.ok()) << backend.failure().message;
  return backend ? (*backend)->name() : "";
}

Error refused(std::string_view name) {
  const Result<std::unique_ptr<Backend>> backend = open_backend(name, 1);
  EXPECT_FALSE(backend.ok()) << name;
  return backend ? Error{ErrorCode::kClosed, ""} : backend.failure();
}

TEST(OpenBackendTest, OpensTheHostByNameAndByDefaultWhatIsReported) {
  MachineReport report;
  inspect_devices(report);

  EXPECT_EQ(opened("host"), "host");
  EXPECT_EQ(opened("auto"), report.backend);
  EXPECT_TRUE(report.backend == "host" || !report.devices.empty());
}

TEST(OpenBackendTest, OpensSimulatedDevicesByTheirCapacity) {
  EXPECT_EQ(opened("sim:80GiB"), "sim:80GiB");
  EXPECT_EQ(opened("sim:1.5 GiB"), "sim:1536MiB");

  const Result<std::unique_ptr<Backend>> device = open_backend("sim:24GiB", 1);
  EXPECT_EQ((*device)->traits(MemoryKind::kDevice).capacity, 24_GiB);
}

TEST(OpenBackendTest, RefusesASizeThatIsNone) {
  for (const char* const name : {"sim:", "sim:many", "sim:80GB", "sim:-1GiB"}) {
    const Error error = refused(name);
    EXPECT_EQ(error.code, ErrorCode::kBadConfig) << name;
    EXPECT_NE(error.message.find(name), std::string::npos) << error.message;
  }
}

TEST(OpenBackendTest, RefusesASimulatedDeviceTooSmallOrTooLargeToBeOne) {
  EXPECT_NE(refused("sim:1MiB").message.find("from 2 MiB to 16 TiB, not 1 MiB"), std::string::npos);
  EXPECT_NE(refused("sim:17TiB").message.find("not 17 TiB"), std::string::npos);
  EXPECT_EQ(opened("sim:2MiB"), "sim:2MiB");
}

TEST(OpenBackendTest, NamesTheKnownOnesWhereNoneIsCalledSo) {
  for (const char* const name : {"", "gpu", "Host", "cuda", "cuda:", "cuda:x", "sim"}) {
    const Error error = refused(name);
    EXPECT_EQ(error.code, ErrorCode::kBadConfig) << name;
    EXPECT_NE(error.message.find("host, sim:SIZE (as in sim:80GiB) and cuda:NUMBER"),
              std::string::npos)
        << error.message;
  }
}

TEST(OpenBackendTest, RefusesCudaDevicesWithTheReason) {
  const Error error = refused("cuda:99");  // more than any machine has

  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("CUDA"), std::string::npos);
  EXPECT_NE(error.message.find("sim:80GiB"), std::string::npos);  // what to do instead
}

// When a device that was opened with `seed` has done a long copy.
std::uint64_t end_of_a_copy(std::uint64_t seed) {
  const Result<std::unique_ptr<Backend>> device = open_backend("sim:1GiB", seed);
  const Result<AddressRange> range = (*device)->reserve(MemoryKind::kDevice, 64_MiB);
  EXPECT_TRUE((*device)->map(*range, Bytes{}, 64_MiB).ok());
  EXPECT_TRUE((*device)->fill(StreamId::kDefault, range->base, std::byte{1}, 4_MiB).ok());
  const StreamEvent event = *(*device)->record(StreamId::kDefault);
  std::uint64_t records = 0;  // each costs a quarter of a microsecond
  while ((*device)->reached(StreamId::kDefault) < event.sequence && records < 10'000) {
    EXPECT_TRUE((*device)->record(StreamId::kDefault).ok());
    ++records;
  }
  return records;
}

TEST(OpenBackendTest, OpensSimulatedDevicesWhoseCallsTakeTime) {
  const std::uint64_t records = end_of_a_copy(1);

  EXPECT_GT(records, 0u);       // the fill is not done at once
  EXPECT_LT(records, 10'000u);  // and time passes while the host calls
}

TEST(OpenBackendTest, GivesASimulatedDeviceTheSeed) {
  EXPECT_EQ(end_of_a_copy(3), end_of_a_copy(3));
  EXPECT_NE(end_of_a_copy(3), end_of_a_copy(4));
}

}  // namespace
}  // namespace tenure
