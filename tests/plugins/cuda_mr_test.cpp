// The resource against CCCL's own concepts and its references, over the substitute of the CUDA runtime.
#define LIBCUDACXX_ENABLE_EXPERIMENTAL_MEMORY_RESOURCE  // CCCL before 3.1 asks for it
#include <gtest/gtest.h>
#include <cuda/memory_resource>
#include <cuda/stream_ref>

#include <new>
#include <string>
#include <vector>

#include "tenure/plugins/device_resource.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

namespace mr = cuda::mr;
using Pool = DeviceResource<mr::device_accessible>;
using Pinned = DeviceResource<mr::device_accessible, mr::host_accessible>;

static_assert(mr::async_resource_with<Pool, mr::device_accessible>);
static_assert(!mr::resource_with<Pool, mr::host_accessible>);
static_assert(mr::async_resource_with<Pinned, mr::device_accessible, mr::host_accessible>);

class CudaMr : public ::testing::Test {
 protected:
  CudaMr() { substitute::reset({.device_bytes = std::size_t{256} << 20}); }
  ~CudaMr() override { EXPECT_EQ(substitute::misuses(), std::vector<std::string>{}); }
  static cudaStream_t make_stream() {
    cudaStream_t stream = nullptr;
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    return stream;
  }
};

TEST_F(CudaMr, ServesThroughAReferenceInStreamOrder) {
  {
    Runtime runtime = value_or_throw(Runtime::open({.device = "cuda:0"}));
    Pool pool(runtime, "cudf");
    mr::async_resource_ref<mr::device_accessible> ref(pool);
    const cudaStream_t first = make_stream();
    const cudaStream_t second = make_stream();
    unsigned char seen = 0;
    auto* const bytes =
        static_cast<unsigned char*>(ref.allocate_async(200 << 20, 256, cuda::stream_ref(first)));
    ASSERT_EQ(substitute::enqueue(first, [=] { bytes[0] = 1; }), cudaSuccess);
    ASSERT_EQ(substitute::enqueue(second, [=, &seen] { seen = bytes[0]; }), cudaSuccess);
    ASSERT_TRUE(substitute::run_all());  // the reader's order is its own affair
    ASSERT_EQ(substitute::enqueue(second, [=, &seen] { seen = bytes[0]; }), cudaSuccess);
    // Given back on another stream than it was asked for: what is next comes behind both.
    ref.deallocate_async(bytes, 200 << 20, 256, cuda::stream_ref(second));
    auto* const again =
        static_cast<unsigned char*>(ref.allocate_async(200 << 20, 256, cuda::stream_ref(first)));
    ASSERT_EQ(again, bytes);
    ASSERT_EQ(substitute::enqueue(first, [=] { again[0] = 2; }), cudaSuccess);

    EXPECT_TRUE(substitute::run_all());
    EXPECT_EQ(seen, 1);
    ref.deallocate_async(again, 200 << 20, 256, cuda::stream_ref(first));
    runtime.close();
    EXPECT_EQ(cudaStreamDestroy(first), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(second), cudaSuccess);
  }
  EXPECT_EQ(substitute::held(), substitute::Held{});
}

TEST_F(CudaMr, ServesWithoutAStreamWhenTheBytesAreFree) {
  Runtime runtime = value_or_throw(Runtime::open({.device = "cuda:0"}));
  Pool pool(runtime, "cudf");
  mr::resource_ref<mr::device_accessible> ref(pool);
  const cudaStream_t stream = make_stream();
  bool is_done = false;
  auto* const bytes =
      static_cast<unsigned char*>(pool.allocate_async(200 << 20, 256, cuda::stream_ref(stream)));
  ASSERT_EQ(substitute::enqueue(stream, [&] { is_done = true; }), cudaSuccess);
  pool.deallocate_async(bytes, 200 << 20, 256, cuda::stream_ref(stream));

  void* const again = ref.allocate(200 << 20, 256);

  EXPECT_EQ(again, bytes);
  EXPECT_TRUE(is_done) << "any stream may use the bytes, and other work still does";
  ref.deallocate(again, 200 << 20, 256);
  bool is_default_done = false;
  ASSERT_EQ(substitute::enqueue(nullptr, [&] { is_default_done = true; }), cudaSuccess);
  void* const fresh = ref.allocate(1 << 20, 256);
  EXPECT_TRUE(is_default_done);
  ref.deallocate(fresh, 1 << 20, 256);
  EXPECT_THROW((void)ref.allocate(300 << 20, 256), std::bad_alloc);
  runtime.close();
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

}  // namespace
}  // namespace tenure
