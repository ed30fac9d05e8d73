// What the CUDA build says of its devices. Without a driver it must say that there is none; what
// needs one is skipped with the reason.
#include "cuda/probe.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "core/backend/backend.hpp"

namespace tenure {
namespace {

TEST(CudaProbeTest, SaysWhyThereIsNoDevice) {
  const DeviceProbe probe = probe_devices();
  if (!probe.devices.empty()) {
    GTEST_SKIP() << "there is a device: " << probe.devices.front().name;
  }

  EXPECT_TRUE(probe.driver.find("none: ") == 0 ||
              probe.driver.find("no device") != std::string::npos)
      << probe.driver;
  EXPECT_NE(probe.driver.find("built for CUDA"), std::string::npos) << probe.driver;
}

TEST(CudaProbeTest, DescribesEachDevice) {
  const DeviceProbe probe = probe_devices();
  if (probe.devices.empty()) {
    GTEST_SKIP() << "no CUDA device: " << probe.driver;
  }

  for (const DeviceReport& device : probe.devices) {
    EXPECT_FALSE(device.name.empty());
    EXPECT_GE(device.compute_major, 5u) << device.name;
    EXPECT_GT(device.multiprocessors, 0u) << device.name;
    EXPECT_GT(device.memory, 1_GiB) << device.name;
  }
}

TEST(CudaProbeTest, LeavesNoErrorBehind) {
  const DeviceProbe probe = probe_devices();
  if (probe.driver.find("none: ") == 0) {
    GTEST_SKIP() << "without a driver the runtime answers each call with the same error: "
                 << probe.driver;
  }

  EXPECT_EQ(cudaGetLastError(), cudaSuccess) << probe.driver;
}

TEST(CudaDefaultBackendTest, ReportsTheDriverAndTheReasonForTheHost) {
  MachineReport report;

  inspect_devices(report);

  EXPECT_TRUE(report.cuda_in_build);
  EXPECT_FALSE(report.cuda_driver.empty());
  EXPECT_EQ(report.backend, "host");
  EXPECT_NE(report.backend_reason.find("CUDA device"), std::string::npos);
}

TEST(CudaDefaultBackendTest, OpensTheHostByItself) {
  const Result<std::unique_ptr<Backend>> backend = open_backend("auto", 1);

  ASSERT_TRUE(backend.ok()) << backend.failure().message;
  EXPECT_EQ((*backend)->name(), "host");
}

TEST(CudaDefaultBackendTest, RefusesPoolsOnDevicesWithTheReason) {
  const Result<std::unique_ptr<Backend>> backend = open_backend("cuda:0", 1);

  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.failure().code, ErrorCode::kUnsupported);
  EXPECT_NE(backend.failure().message.find("not in this version"), std::string::npos);
}

}  // namespace
}  // namespace tenure
