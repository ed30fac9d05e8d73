// The CUDA backend on a device: the contract of all backends, and what only a real device can show.
// Skipped with the reason where there is none.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "core/payload/pool.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/driver.hpp"
#include "cuda/health.hpp"
#include "cuda/mapping.hpp"
#include "cuda/probe.hpp"
#include "tenure/tenure.hpp"
#include "tests/contract/backend_contract.hpp"

namespace tenure {
namespace {

using testing::BackendContract;
using testing::BackendContractDeathTest;
using testing::BackendOpener;

const BackendOpener kDevice{"device", [](Bytes capacity) -> std::unique_ptr<Backend> {
                              Result<std::unique_ptr<CudaBackend>> backend = CudaBackend::open(
                                  {.device = 0, .capacity = capacity, .host_capacity = capacity});
                              return backend ? std::move(*backend) : nullptr;
                            }};

INSTANTIATE_TEST_SUITE_P(Cuda, BackendContract,
                         ::testing::Combine(::testing::Values(kDevice), testing::all_kinds()),
                         testing::case_name);
INSTANTIATE_TEST_SUITE_P(Cuda, BackendContractDeathTest,
                         ::testing::Combine(::testing::Values(kDevice), testing::all_kinds()),
                         testing::case_name);

class CudaDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<CudaBackend>> opened = CudaBackend::open({});
    if (!opened) GTEST_SKIP() << opened.failure().message;
    backend = std::move(*opened);
  }
  void TearDown() override {
    EXPECT_TRUE(backend == nullptr || cudaPeekAtLastError() == cudaSuccess);
  }
  void synchronize(StreamId stream) {
    const Result<void> done = backend->synchronize(*backend->record(stream));
    ASSERT_TRUE(done.ok()) << done.failure().message;
  }
  int read(StreamId stream, const std::byte* from) {
    std::byte value{};
    EXPECT_TRUE(backend->copy(stream, &value, from, 1_B).ok());
    synchronize(stream);
    return std::to_integer<int>(value);
  }
  std::unique_ptr<CudaBackend> backend;
};

template <class Work>
double milliseconds(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

TEST_F(CudaDeviceTest, DescribesWhatItHas) {
  for (std::size_t k = 0; k < kMemoryKinds; ++k) {
    const auto kind = static_cast<MemoryKind>(k);
    const KindTraits traits = backend->traits(kind);
    std::printf("%-8s %s, granularity %s, capacity %s %s\n", std::string(to_string(kind)).c_str(),
                traits.can_map ? "mapped" : "in blocks", to_string(traits.granularity).c_str(),
                to_string(traits.capacity).c_str(), traits.note.c_str());
    EXPECT_TRUE(traits.supported) << to_string(kind);
  }
  EXPECT_GT(backend->traits(MemoryKind::kDevice).capacity, 1_GiB);
}

TEST_F(CudaDeviceTest, GrowsByManyGranulesAtOnce) {
  if (!backend->traits(MemoryKind::kDevice).can_map) GTEST_SKIP() << "it maps no memory";
  const Bytes size = 512_MiB;
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 16_GiB);

  const double map = milliseconds([&] {
    const Result<void> mapped = backend->map(range, 1_GiB, size);
    ASSERT_TRUE(mapped.ok()) << mapped.failure().message;
  });
  std::byte* const base = range.base + (1_GiB).count();
  ASSERT_TRUE(backend->fill(StreamId::kDefault, base, std::byte{3}, size).ok());
  EXPECT_EQ(read(StreamId::kDefault, base + size.count() - 1), 3);
  const double hole = milliseconds([&] { backend->unmap(range, 1_GiB + 2_MiB, 2_MiB); });
  EXPECT_EQ(read(StreamId::kDefault, base + (4_MiB).count()), 3);
  const double unmap = milliseconds([&] {
    backend->unmap(range, 1_GiB, 2_MiB);
    backend->unmap(range, 1_GiB + 4_MiB, size - 4_MiB);
  });
  void* block = nullptr;
  double rival = 0;
  {
    const Result<ContextScope> scope = backend->enter("compare");
    rival = milliseconds([&] { ASSERT_EQ(cudaMalloc(&block, size.count()), cudaSuccess); });
    ASSERT_EQ(cudaFree(block), cudaSuccess);
  }
  std::printf("map of %s: %.2f ms (cudaMalloc %.2f ms), unmap %.2f ms, of one granule %.3f ms\n",
              to_string(size).c_str(), map, rival, unmap, hole);
  RecordProperty("map_512MiB_us", static_cast<int>(map * 1000));
  RecordProperty("cudaMalloc_512MiB_us", static_cast<int>(rival * 1000));
  backend->release(range);
}

// What the size of granules costs and saves: small ones can be mapped elsewhere one by one.
TEST_F(CudaDeviceTest, MapsInGranulesOfSeveralSizes) {
  if (!backend->traits(MemoryKind::kDevice).can_map) GTEST_SKIP() << "it maps no memory";
  const Driver driver = value_or_throw(load_driver());
  DeviceHealth health("cuda:0");
  const Result<ContextScope> scope = backend->enter("map");
  const Bytes size = 512_MiB;
  for (const Bytes granule : {2_MiB, 8_MiB, 32_MiB, 128_MiB}) {
    DeviceMapping mapping(driver, health);
    ASSERT_EQ(value_or_throw(mapping.open(0, granule)), granule);
    std::byte* const base = value_or_throw(mapping.reserve(size));
    const double map = milliseconds([&] {
      const Result<void> mapped = mapping.map(base, size);
      ASSERT_TRUE(mapped.ok()) << mapped.failure().message;
    });
    ASSERT_EQ(cudaMemset(base, 1, size.count()), cudaSuccess);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const double unmap = milliseconds([&] { mapping.unmap(base, size); });
    mapping.release(base, size);
    std::printf("granules of %s: map of %s %.2f ms, unmap %.2f ms\n", to_string(granule).c_str(),
                to_string(size).c_str(), map, unmap);
  }
  EXPECT_FALSE(health.is_lost());
}

TEST_F(CudaDeviceTest, CopiesFromPinnedMemoryWithoutTheHostWaiting) {
  const Bytes size = 256_MiB;
  std::byte* const pinned = *backend->allocate(MemoryKind::kPinned, size);
  std::byte* const device = *backend->allocate(MemoryKind::kDevice, size);
  const StreamId stream = *backend->make_stream();
  ASSERT_TRUE(backend->fill(stream, device, std::byte{4}, size).ok());

  ASSERT_TRUE(backend->copy(stream, pinned, device, size).ok());
  const StreamEvent copied = *backend->record(stream);
  const bool is_done_at_once = backend->reached(stream) >= copied.sequence;
  ASSERT_TRUE(backend->synchronize(copied).ok());

  EXPECT_FALSE(is_done_at_once);  // 256 MiB over the bus take some milliseconds
  EXPECT_EQ(pinned[size.count() - 1], std::byte{4});
}

TEST_F(CudaDeviceTest, LeasesTheSameBytesToAnotherStreamBehindTheirLastUse) {
  PayloadPool pool(*backend, MemoryKind::kDevice, Bytes{64_MiB});
  const StreamId left = *backend->make_stream();
  const StreamId right = *backend->make_stream();
  std::byte* const pinned = *backend->allocate(MemoryKind::kPinned, 64_MiB);
  for (int round = 1; round <= 20; ++round) {
    PayloadLease first = value_or_throw(pool.lease(64_MiB, left));
    const std::byte* const place = first.data();
    ASSERT_TRUE(backend->fill(left, first.data(), static_cast<std::byte>(round), 64_MiB).ok());
    ASSERT_TRUE(backend->copy(left, pinned, first.data(), 64_MiB).ok());
    first.release();

    PayloadLease second = value_or_throw(pool.lease(64_MiB, right));
    ASSERT_EQ(second.data(), place);
    ASSERT_TRUE(backend->fill(right, second.data(), std::byte{255}, 64_MiB).ok());
    second.release();
    synchronize(left);

    ASSERT_EQ(pinned[(64_MiB).count() - 1], static_cast<std::byte>(round));
  }
  EXPECT_TRUE(pool.verify().ok());
}

TEST_F(CudaDeviceTest, LeavesTheThreadsContextAsItIs) {
  int before = -1;
  ASSERT_EQ(cudaGetDevice(&before), cudaSuccess);
  ASSERT_TRUE(backend->make_stream().ok());

  int after = -1;
  ASSERT_EQ(cudaGetDevice(&after), cudaSuccess);
  EXPECT_EQ(after, before);
}

TEST_F(CudaDeviceTest, KeepsTheTensorsOfARuntime) {
  backend.reset();
  Runtime runtime = value_or_throw(Runtime::open({.device = "auto"}));
  Mutator mutator(runtime);
  Local<Tensor> kept(mutator);
  for (int k = 0; k < 100; ++k) {
    kept = value_or_throw(make_tensor(mutator, {1024, 1024}));
  }

  const CollectionReport report = value_or_throw(runtime.collect());

  EXPECT_GE(report.payloads_retired, 1u);
  EXPECT_NE(kept->data(), nullptr);
}

}  // namespace
}  // namespace tenure
