// Which backend a name opens in the build with CUDA, over the substitute of the runtime: machines with
// a device, without one, and with one that refuses.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/backend/backend.hpp"
#include "cuda/probe.hpp"
#include "tenure/tenure.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using substitute::Held;

std::string opened(std::string_view name) {
  const Result<std::unique_ptr<Backend>> backend = open_backend(name, 1);
  EXPECT_TRUE(backend.ok()) << backend.failure().message;
  return backend ? (*backend)->name() : "";
}
MachineReport inspected() {
  MachineReport report;
  inspect_devices(report);
  return report;
}

TEST(CudaDefaultBackendTest, OpensTheFirstDeviceByItself) {
  substitute::reset({.devices = 2});

  EXPECT_EQ(opened("auto"), "cuda:0");
  EXPECT_EQ(opened("cuda:1"), "cuda:1");
  EXPECT_EQ(opened("host"), "host");
  EXPECT_EQ(opened("sim:1GiB"), "sim:1GiB");
  EXPECT_EQ(inspected().backend, "cuda:0");
  EXPECT_NE(inspected().backend_reason.find("first of 2 CUDA devices"), std::string::npos);
  EXPECT_EQ(substitute::held(), Held{});
}

TEST(CudaDefaultBackendTest, OpensTheHostWhereThereIsNoDevice) {
  for (const substitute::Machine& machine :
       {substitute::Machine{.has_driver = false}, substitute::Machine{.devices = 0}}) {
    substitute::reset(machine);

    EXPECT_EQ(opened("auto"), "host");
    EXPECT_EQ(inspected().backend, "host");
    EXPECT_NE(inspected().backend_reason.find("no CUDA device was found"), std::string::npos);
  }
}

TEST(CudaDefaultBackendTest, OpensTheHostWhereTheDeviceRefuses) {
  substitute::reset();
  substitute::fail("cuDevicePrimaryCtxRetain", 1, cudaErrorMemoryAllocation);
  EXPECT_EQ(opened("auto"), "host");

  substitute::fail("cuDevicePrimaryCtxRetain", 1, cudaErrorMemoryAllocation);
  const MachineReport report = inspected();

  EXPECT_EQ(report.backend, "host");
  EXPECT_EQ(report.devices.size(), 1u);
  EXPECT_NE(report.backend_reason.find("cuDevicePrimaryCtxRetain failed"), std::string::npos)
      << report.backend_reason;
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

TEST(CudaDefaultBackendTest, RefusesDevicesThatAreNotThereAndNamesThatAreNone) {
  substitute::reset();

  const Error absent = open_backend("cuda:7", 1).failure();
  EXPECT_EQ(absent.code, ErrorCode::kUnsupported);
  EXPECT_NE(absent.message.find("sim:80GiB"), std::string::npos) << absent.message;
  for (const char* const name : {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda"}) {
    EXPECT_EQ(open_backend(name, 1).failure().code, ErrorCode::kBadConfig) << name;
  }
  EXPECT_EQ(open_backend("cuda:99999999999", 1).failure().code, ErrorCode::kUnsupported);
}

TEST(CudaDefaultBackendTest, DescribesTheDevices) {
  substitute::reset({.devices = 2, .multiprocessors = 132});

  const DeviceProbe probe = probe_devices();

  ASSERT_EQ(probe.devices.size(), 2u);
  EXPECT_EQ(probe.devices[1].multiprocessors, 132u);
  EXPECT_EQ(probe.devices[1].memory, 1_GiB);
}

TEST(CudaDefaultBackendTest, KeepsTheTensorsOfARuntimeOnTheDevice) {
  substitute::reset();
  {
    Runtime runtime = value_or_throw(Runtime::open({.device = "auto"}));
    Mutator mutator(runtime);
    Local<Tensor> kept(mutator);
    for (int k = 0; k < 10; ++k) {
      kept = value_or_throw(make_tensor(mutator, {1024, 1024}));
    }
    EXPECT_GE(substitute::held().device_bytes, std::size_t{4} << 20);

    const CollectionReport report = value_or_throw(runtime.collect());

    EXPECT_GE(report.payloads_retired, 1u);
    const Local<Tensor> pinned =
        value_or_throw(make_tensor(mutator, {64}, {.kind = MemoryKind::kPinned}));
    *pinned->data() = std::byte{1};  // the host may follow it
  }
  EXPECT_EQ(substitute::held(), Held{}) << to_string(substitute::held());
}

}  // namespace
}  // namespace tenure
