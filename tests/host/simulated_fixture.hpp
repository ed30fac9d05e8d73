// A simulated device whose calls cost nothing, with two streams and a record of the work done.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "host/simulated_device.hpp"

namespace tenure::testing {

class SimulatedDeviceTest : public ::testing::Test {
 protected:
  SimulatedDeviceTest() : left(*device.make_stream()), right(*device.make_stream()) {}

  AddressRange mapped(MemoryKind kind, Bytes size) {
    const Result<AddressRange> range = device.reserve(kind, size);
    EXPECT_TRUE(range.ok());
    const Result<void> given = device.map(*range, Bytes{}, size);
    EXPECT_TRUE(given.ok()) << given.failure().message;
    return *range;
  }
  // Work that takes so long, and then notes that it is done.
  void submit(StreamId stream, std::uint64_t duration_ns, const std::string& name = "") {
    ASSERT_TRUE(device.submit(stream, duration_ns, [this, name] { done += name; }).ok());
  }
  StreamEvent record(StreamId stream) { return *device.record(stream); }

  SimulatedDevice device{64_MiB};
  StreamId left;
  StreamId right;
  std::string done;  // names of the work done, in its order
};

}  // namespace tenure::testing
