// What the substitute is for: missing waits, staging buffers reused too early, host accesses to
// memory of the device, ordered faults, and physical memory that moves between addresses.
#include "tests/cuda/substitute/substitute.hpp"

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>

namespace tenure::substitute {
namespace {

template <class Function>
Function* entry(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  EXPECT_EQ(cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found),
            cudaSuccess);
  EXPECT_EQ(found, cudaDriverEntryPointSuccess) << name;
  return reinterpret_cast<Function*>(function);
}

class SubstituteTest : public ::testing::Test {
 protected:
  SubstituteTest() { reset(); }

  int* device_int() {
    void* base = nullptr;
    EXPECT_EQ(cudaMalloc(&base, sizeof(int)), cudaSuccess);
    return static_cast<int*>(base);
  }
  static int read(const int* from) {
    int value = 0;
    EXPECT_EQ(cudaMemcpyAsync(&value, from, sizeof(int), cudaMemcpyDeviceToHost, nullptr),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    return value;
  }
};

// Two streams, a copy in on one and a copy out on the other: in how many of 20 orders is it wrong?
int wrong_reads(bool waits) {
  int wrong = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    reset({.seed = seed});
    cudaStream_t left = nullptr;
    cudaStream_t right = nullptr;
    cudaEvent_t written = nullptr;
    void* base = nullptr;
    cudaStreamCreateWithFlags(&left, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&right, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&written, cudaEventDisableTiming);
    cudaMalloc(&base, sizeof(int));
    const int in = 42;
    int out = 0;
    cudaHostRegister(&out, sizeof out, 0);  // a copy to pageable memory is awaited
    cudaMemcpyAsync(base, &in, sizeof in, cudaMemcpyHostToDevice, left);
    cudaEventRecord(written, left);
    if (waits) cudaStreamWaitEvent(right, written, 0);
    cudaMemcpyAsync(&out, base, sizeof out, cudaMemcpyDeviceToHost, right);
    EXPECT_EQ(out, 0);  // nothing runs before somebody waits
    EXPECT_EQ(cudaStreamSynchronize(right), cudaSuccess);
    wrong += out != 42 ? 1 : 0;
  }
  return wrong;
}

TEST_F(SubstituteTest, ShowsAForgottenWaitAsWrongData) {
  EXPECT_GT(wrong_reads(false), 0);
  EXPECT_EQ(wrong_reads(true), 0);
}

TEST_F(SubstituteTest, ReadsPageableMemoryAtTheCallAndRegisteredMemoryWhenTheCopyRuns) {
  int* const to = device_int();
  int staging = 1;
  cudaMemcpyAsync(to, &staging, sizeof staging, cudaMemcpyHostToDevice, nullptr);
  staging = 2;
  EXPECT_EQ(read(to), 1);

  ASSERT_EQ(cudaHostRegister(&staging, sizeof staging, 0), cudaSuccess);
  cudaMemcpyAsync(to, &staging, sizeof staging, cudaMemcpyHostToDevice, nullptr);
  staging = 3;

  EXPECT_EQ(read(to), 3);
  EXPECT_EQ(cudaHostUnregister(&staging), cudaSuccess);
}

TEST_F(SubstituteTest, OpensMemoryOfTheDeviceToKernelsAlone) {
  int* const place = device_int();
  ASSERT_EQ(cudaMemsetAsync(place, 0, sizeof(int), nullptr), cudaSuccess);

  ASSERT_EQ(enqueue(nullptr, [place] { *place += 7; }), cudaSuccess);

  EXPECT_EQ(read(place), 7);
  EXPECT_DEATH(*place = 1, "");
  EXPECT_DEATH(
      {
        static_cast<void>(enqueue(nullptr, [place] { place[128] = 1; }));
        run_all();
      },
      "");
}

TEST_F(SubstituteTest, FailsTheCallThatWasOrderedAndTellsItOnce) {
  void* base = nullptr;
  fail("cudaMalloc", 2, cudaErrorMemoryAllocation);

  EXPECT_EQ(cudaMalloc(&base, 64), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&base, 64), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&base, 64), cudaSuccess);
  EXPECT_EQ(count("cudaMalloc"), 3u);
}

TEST_F(SubstituteTest, HasAsMuchMemoryAsItWasGiven) {
  reset({.device_bytes = 4096});
  void* base = nullptr;

  EXPECT_EQ(cudaMalloc(&base, 8192), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&base, 4096), cudaSuccess);
  EXPECT_EQ(cudaFree(base), cudaSuccess);
  EXPECT_EQ(held().device_bytes, 0u);
}

TEST_F(SubstituteTest, TellsAnErrorThatLosesTheDeviceForEver) {
  void* base = nullptr;
  fail("cudaMalloc", 1, cudaErrorIllegalAddress);

  EXPECT_EQ(cudaMalloc(&base, 64), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
}

TEST_F(SubstituteTest, TellsACallFromInsideAStreamAndAHandleThatIsGone) {
  cudaEvent_t event = nullptr;
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaLaunchHostFunc(
      stream,
      [](void* e) {
        EXPECT_EQ(cudaEventQuery(static_cast<cudaEvent_t>(e)), cudaErrorNotPermitted);
      },
      event);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);

  EXPECT_EQ(misuses().size(), 1u);  // a function inside a stream called CUDA
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
}

TEST_F(SubstituteTest, KeepsTheBytesOfPhysicalMemoryThatIsMappedElsewhere) {
  constexpr std::size_t kChunk = std::size_t{2} << 20;
  CUdeviceptr range = 0;
  CUmemGenericAllocationHandle handle = 0;
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, {0}};
  CUmemAccessDesc access{};
  access.location = properties.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  const auto map = [&](std::size_t chunk) {
    const CUdeviceptr at = range + chunk * kChunk;
    ASSERT_EQ(entry<decltype(cuMemMap)>("cuMemMap")(at, kChunk, 0, handle, 0), CUDA_SUCCESS);
    ASSERT_EQ(entry<decltype(cuMemSetAccess)>("cuMemSetAccess")(at, kChunk, &access, 1),
              CUDA_SUCCESS);
  };
  const auto unmap = [&](std::size_t chunk) {
    ASSERT_EQ(entry<decltype(cuMemUnmap)>("cuMemUnmap")(range + chunk * kChunk, kChunk),
              CUDA_SUCCESS);
  };
  ASSERT_EQ(
      entry<decltype(cuMemAddressReserve)>("cuMemAddressReserve")(&range, 8 * kChunk, 0, 0, 0),
      CUDA_SUCCESS);
  ASSERT_EQ(entry<decltype(cuMemCreate)>("cuMemCreate")(&handle, kChunk, &properties, 0),
            CUDA_SUCCESS);
  map(0);
  ASSERT_EQ(cudaMemsetAsync(reinterpret_cast<void*>(range), 7, kChunk, nullptr), cudaSuccess);
  ASSERT_TRUE(run_all());

  unmap(0);
  map(4);

  EXPECT_EQ(read(reinterpret_cast<const int*>(range + 5 * kChunk - sizeof(int))), 0x07070707);
  EXPECT_NE(cudaMemsetAsync(reinterpret_cast<void*>(range), 7, 1, nullptr), cudaSuccess);
  unmap(4);
  ASSERT_EQ(entry<decltype(cuMemRelease)>("cuMemRelease")(handle), CUDA_SUCCESS);
  ASSERT_EQ(entry<decltype(cuMemAddressFree)>("cuMemAddressFree")(range, 8 * kChunk), CUDA_SUCCESS);
  EXPECT_EQ(held(), Held{}) << to_string(held());
}

TEST_F(SubstituteTest, TellsMemoryThatIsUnregisteredWhileACopyReadsIt) {
  int* const to = device_int();
  int staging = 1;
  ASSERT_EQ(cudaHostRegister(&staging, sizeof staging, 0), cudaSuccess);
  cudaMemcpyAsync(to, &staging, sizeof staging, cudaMemcpyHostToDevice, nullptr);

  ASSERT_EQ(cudaHostUnregister(&staging), cudaSuccess);

  EXPECT_EQ(misuses().size(), 1u);
}

TEST_F(SubstituteTest, LeavesTheCountUnwrittenWhereThereIsNoDriver) {
  reset({.has_driver = false});
  int devices = -1;

  EXPECT_EQ(cudaGetDeviceCount(&devices), cudaErrorInsufficientDriver);
  EXPECT_EQ(devices, -1);
}

}  // namespace
}  // namespace tenure::substitute
