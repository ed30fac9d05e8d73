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

TEST(CudaProbeTest, ReportsWhatIsOpenedByItselfAndWhy) {
  MachineReport report;

  inspect_devices(report);
  const Result<std::unique_ptr<Backend>> backend = open_backend("auto", 1);

  EXPECT_TRUE(report.cuda_in_build);
  EXPECT_FALSE(report.cuda_driver.empty());
  ASSERT_TRUE(backend.ok()) << backend.failure().message;
  EXPECT_EQ((*backend)->name(), report.backend);
  EXPECT_NE(report.backend_reason.find("CUDA device"), std::string::npos) << report.backend_reason;
}

TEST(CudaProbeTest, RefusesADeviceThatIsNotThere) {
  const Result<std::unique_ptr<Backend>> backend = open_backend("cuda:99", 1);

  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.failure().code, ErrorCode::kUnsupported) << backend.failure().message;
  EXPECT_NE(backend.failure().message.find("cannot open cuda:99"), std::string::npos);
}

}  // namespace
}  // namespace tenure
