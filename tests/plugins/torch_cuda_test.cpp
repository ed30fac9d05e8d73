// PyTorch's pluggable allocator of CUDA memory, called as PyTorch calls it, over the substitute of the
// CUDA runtime.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "plugins/torch/cuda_allocator.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using substitute::Held;

class TorchCuda : public ::testing::Test {
 protected:
  TorchCuda() {
    substitute::reset({.devices = 2, .device_bytes = std::size_t{256} << 20});
    pools = std::make_unique<TorchCudaPools>();
  }
  ~TorchCuda() override {
    pools.reset();
    for (const cudaStream_t stream : streams) {
      EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    }
    EXPECT_EQ(substitute::misuses(), std::vector<std::string>{});
    EXPECT_EQ(substitute::held(), Held{}) << substitute::to_string(substitute::held());
  }
  cudaStream_t make_stream(int device = 0) {
    EXPECT_EQ(cudaSetDevice(device), cudaSuccess);
    cudaStream_t stream = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    streams.push_back(stream);
    return stream;
  }
  std::string refusal(std::ptrdiff_t size, int device = 0, void* stream = nullptr) {
    try {
      (void)pools->allocate(size, device, stream);
    } catch (const std::exception& thrown) {
      return thrown.what();
    }
    return "";
  }
  std::unique_ptr<TorchCudaPools> pools;
  std::vector<cudaStream_t> streams;
};

constexpr std::ptrdiff_t kMiB = 1 << 20;

TEST_F(TorchCuda, GivesMemoryOfTheDeviceAndTakesItBack) {
  void* const bytes = pools->allocate(3 * kMiB, 0, nullptr);

  ASSERT_NE(bytes, nullptr);
  EXPECT_GE(substitute::held().device_bytes, static_cast<std::size_t>(3 * kMiB));
  pools->release(bytes, 0);
  EXPECT_EQ(pools->allocate(3 * kMiB, 0, nullptr), bytes);
  pools->release(bytes, 0);
}

TEST_F(TorchCuda, GivesNullForNothingAndTakesIt) {
  EXPECT_EQ(pools->allocate(0, 0, nullptr), nullptr);
  pools->release(nullptr, 0);
  pools->record_stream(nullptr, nullptr);
  EXPECT_FALSE(substitute::was_initialised(0));
}

TEST_F(TorchCuda, ServesEachDeviceFromItsOwnMemory) {
  void* const first = pools->allocate(200 * kMiB, 0, nullptr);
  void* const second = pools->allocate(200 * kMiB, 1, nullptr);

  EXPECT_NE(first, second);
  EXPECT_TRUE(substitute::was_initialised(1));
  EXPECT_NE(refusal(200 * kMiB, 1), "");
  pools->release(first, 0);
  pools->release(second, 1);
}

TEST_F(TorchCuda, ThrowsABadAllocWithFiguresWhereThereIsNoRoom) {
  void* const held = pools->allocate(200 * kMiB, 0, nullptr);

  EXPECT_THROW((void)pools->allocate(100 * kMiB, 0, nullptr), std::bad_alloc);
  EXPECT_NE(refusal(100 * kMiB).find("100 MiB"), std::string::npos) << refusal(100 * kMiB);
  pools->release(held, 0);
  void* const again = pools->allocate(100 * kMiB, 0, nullptr);
  pools->release(again, 0);
}

TEST_F(TorchCuda, RefusesDevicesAndStreamsThatAreNone) {
  EXPECT_NE(refusal(kMiB, 7).find("7"), std::string::npos) << refusal(kMiB, 7);
  EXPECT_NE(refusal(kMiB, -1).find("no device -1"), std::string::npos);
  EXPECT_NE(refusal(-5).find("-5 bytes"), std::string::npos);
  EXPECT_NE(refusal(kMiB, 0, cudaStreamPerThread).find("cudaStreamPerThread"), std::string::npos);
}

using TorchCudaDeathTest = TorchCuda;
TEST_F(TorchCudaDeathTest, StopsWhereOthersMemoryIsFreed) {
  void* const bytes = pools->allocate(kMiB, 0, nullptr);
  int foreign = 0;

  EXPECT_DEATH(pools->release(&foreign, 0), "not allocated for it, or twice");
  EXPECT_DEATH(pools->release(bytes, 1), "not allocated for it, or twice");
  EXPECT_THROW(pools->record_stream(&foreign, nullptr), Failure);
  pools->release(bytes, 0);
}

// What the bytes hold when work on the first stream is done, which runs late: another stream that is
// given them meanwhile must come behind it.
TEST_F(TorchCuda, OrdersAnotherStreamBehindTheFirst) {
  const cudaStream_t first = make_stream();
  const cudaStream_t second = make_stream();
  auto* const bytes = static_cast<unsigned char*>(pools->allocate(200 * kMiB, 0, first));
  unsigned char seen = 0;
  ASSERT_EQ(substitute::enqueue(first, [=] { bytes[0] = 1; }), cudaSuccess);
  ASSERT_EQ(substitute::enqueue(first, [=, &seen] { seen = bytes[0]; }), cudaSuccess);
  pools->release(bytes, 0);

  auto* const again = static_cast<unsigned char*>(pools->allocate(200 * kMiB, 0, second));
  ASSERT_EQ(again, bytes);
  ASSERT_EQ(substitute::enqueue(second, [=] { again[0] = 2; }), cudaSuccess);

  EXPECT_TRUE(substitute::run_all());
  EXPECT_EQ(seen, 1);
  EXPECT_GE(substitute::count("cudaStreamWaitEvent"), 1u);
  pools->release(again, 0);
}

TEST_F(TorchCuda, KeepsBytesThatAnotherStreamUsesUntilItIsDone) {
  const cudaStream_t first = make_stream();
  const cudaStream_t second = make_stream();
  for (int round = 0; round < 8; ++round) {  // the substitute draws an order each time
    auto* const bytes = static_cast<unsigned char*>(pools->allocate(200 * kMiB, 0, first));
    unsigned char seen = 0;
    ASSERT_EQ(substitute::enqueue(second, [=] { bytes[0] = 1; }), cudaSuccess);
    ASSERT_EQ(substitute::enqueue(second, [=, &seen] { seen = bytes[0]; }), cudaSuccess);
    pools->record_stream(bytes, second);
    pools->release(bytes, 0);

    auto* const again = static_cast<unsigned char*>(pools->allocate(200 * kMiB, 0, first));
    ASSERT_EQ(again, bytes);
    ASSERT_EQ(substitute::enqueue(first, [=] { again[0] = 2; }), cudaSuccess);

    EXPECT_TRUE(substitute::run_all());
    EXPECT_EQ(seen, 1);
    pools->release(again, 0);
  }
}

TEST_F(TorchCuda, GivesUnusedMemoryBackWhenAsked) {
  pools->release(pools->allocate(100 * kMiB, 0, nullptr), 0);
  EXPECT_GE(substitute::held().device_bytes, static_cast<std::size_t>(100 * kMiB));

  pools->trim();

  EXPECT_EQ(substitute::held().device_bytes, 0u);
}

TEST_F(TorchCuda, IsLimitedToAFractionByItsName) {
  pools->limit(0.25, 0);
  void* const held = pools->allocate(60 * kMiB, 0, nullptr);

  const std::string why = refusal(10 * kMiB);

  EXPECT_NE(why.find("client \"torch\" may hold 64 MiB"), std::string::npos) << why;
  EXPECT_THROW(pools->limit(1.5, 0), Failure);
  pools->limit(1.0, 0);
  pools->release(pools->allocate(10 * kMiB, 0, nullptr), 0);
  pools->release(held, 0);
}

TEST_F(TorchCuda, DrawsFromARuntimeThatIsSharedWithOthers) {
  Runtime runtime = value_or_throw(Runtime::open({.device = "cuda:0"}));
  AddressAllocator cupy(runtime, "cupy");
  TorchCudaPools shared;
  ASSERT_TRUE(shared.share(0, runtime).ok());
  EXPECT_FALSE(shared.share(0, runtime).ok());
  void* const first = shared.allocate(200 * kMiB, 0, nullptr);
  shared.release(first, 0);

  std::byte* const second = value_or_throw(cupy.allocate(200_MiB));

  EXPECT_EQ(second, first);
  EXPECT_TRUE(cupy.release(second));
}

TEST_F(TorchCuda, IsExportedInTheSignaturesThatPyTorchCalls) {
  void* (*const alloc)(ssize_t, int, cudaStream_t) =
      reinterpret_cast<void* (*)(ssize_t, int, cudaStream_t)>(&tenure_torch_alloc);
  void (*const free)(void*, ssize_t, int, cudaStream_t) =
      reinterpret_cast<void (*)(void*, ssize_t, int, cudaStream_t)>(&tenure_torch_free);
  Runtime runtime = value_or_throw(Runtime::open({.device = "cuda:0"}));
  ASSERT_TRUE(torch_cuda_pools().share(0, runtime).ok());
  const cudaStream_t stream = make_stream();

  void* const bytes = alloc(kMiB, 0, stream);
  tenure_torch_record_stream(bytes, nullptr);
  free(bytes, kMiB, 0, stream);
  tenure_torch_reset();  // sees that both streams are to be waited for
  EXPECT_TRUE(substitute::run_all());
  tenure_torch_reset();
  tenure_torch_memory_fraction(0.5, 0);

  EXPECT_EQ(substitute::held().device_bytes, 0u);
  EXPECT_EQ(runtime.statistics().pools[0].leases, 1u);
}

}  // namespace
}  // namespace tenure
