// The CUDA backend over the substitute of the runtime: the contract of all backends, for each kind of
// memory, on devices that lack this or that.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "cuda/cuda_backend.hpp"
#include "tests/contract/backend_contract.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using testing::BackendContract;
using testing::BackendContractDeathTest;
using testing::BackendOpener;

std::unique_ptr<Backend> open_on(const substitute::Machine& machine, Bytes capacity) {
  substitute::reset(machine);
  return value_or_throw(
      CudaBackend::open({.device = 0, .capacity = capacity, .host_capacity = capacity}));
}

const BackendOpener kWhole{"whole", [](Bytes capacity) { return open_on({}, capacity); }};
const BackendOpener kInBlocks{"blocks",
                              [](Bytes capacity) { return open_on({.can_map = false}, capacity); }};
const BackendOpener kWithoutPools{"no_pools", [](Bytes capacity) {
                                    return open_on({.seed = 2,
                                                    .can_map = false,
                                                    .has_memory_pools = false,
                                                    .has_concurrent_managed_access = false},
                                                   capacity);
                                  }};

INSTANTIATE_TEST_SUITE_P(Substitute, BackendContract,
                         ::testing::Combine(::testing::Values(kWhole, kInBlocks, kWithoutPools),
                                            testing::all_kinds()),
                         testing::case_name);
INSTANTIATE_TEST_SUITE_P(Substitute, BackendContractDeathTest,
                         ::testing::Combine(::testing::Values(kWhole), testing::all_kinds()),
                         testing::case_name);

class CudaBackendTest : public ::testing::Test {
 protected:
  CudaBackendTest() { substitute::reset(); }

  void open(const substitute::Machine& machine, int device = 0) {
    backend.reset();
    substitute::reset(machine);
    backend = value_or_throw(CudaBackend::open({.device = device}));
  }
  static Error refused(const CudaOptions& options) {
    const Result<std::unique_ptr<CudaBackend>> opened = CudaBackend::open(options);
    EXPECT_FALSE(opened.ok());
    return opened ? Error{} : opened.failure();
  }
  std::unique_ptr<CudaBackend> backend;
};

// --- opening ----------------------------------------------------------------------------------

TEST_F(CudaBackendTest, SaysThatThereIsNoDriver) {
  substitute::reset({.has_driver = false});

  const Error error = refused({});

  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("cannot open cuda:0"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("driver"), std::string::npos) << error.message;
}

TEST_F(CudaBackendTest, SaysHowManyDevicesThereAre) {
  substitute::reset({.devices = 2});

  const Error error = refused({.device = 2});

  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("shows 2 devices"), std::string::npos) << error.message;
  EXPECT_EQ(refused({.device = -1}).code, ErrorCode::kUnsupported);
}

TEST_F(CudaBackendTest, SharesTheDevicesMemoryBetweenDeviceAndUnifiedMemory) {
  open({.device_bytes = std::size_t{96} << 20});

  EXPECT_EQ(backend->traits(MemoryKind::kDevice).capacity, 96_MiB);
  ASSERT_TRUE(backend->allocate(MemoryKind::kUnified, 64_MiB).ok());
  const Result<std::byte*> more = backend->allocate(MemoryKind::kDevice, 48_MiB);

  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(more.failure().message.find("32 MiB of 96 MiB"), std::string::npos)
      << more.failure().message;
}

TEST_F(CudaBackendTest, SaysWhatADeviceLacks) {
  open({.can_map = false, .has_managed_memory = false});

  EXPECT_FALSE(backend->traits(MemoryKind::kDevice).can_map);
  EXPECT_NE(backend->traits(MemoryKind::kDevice).note, "");
  EXPECT_FALSE(backend->traits(MemoryKind::kUnified).supported);
  EXPECT_NE(backend->traits(MemoryKind::kUnified).note, "");
  EXPECT_EQ(backend->allocate(MemoryKind::kUnified, 2_MiB).failure().code, ErrorCode::kUnsupported);
}

TEST_F(CudaBackendTest, ClosesUnifiedMemoryToTheHostWhereItMayNotTouchItBesideTheDevice) {
  open({.has_concurrent_managed_access = false});

  EXPECT_FALSE(backend->traits(MemoryKind::kUnified).host_readable);
  EXPECT_TRUE(backend->allocate(MemoryKind::kUnified, 2_MiB).ok());  // the advice is refused
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

// --- memory -----------------------------------------------------------------------------------

TEST_F(CudaBackendTest, SaysWhatTheDeviceHasLeftWhereOthersUseItToo) {
  open({.device_bytes = std::size_t{64} << 20});
  void* others = nullptr;
  ASSERT_EQ(cudaMalloc(&others, std::size_t{60} << 20), cudaSuccess);
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 16_MiB);

  const Result<void> refused_map = backend->map(range, Bytes{}, 8_MiB);

  ASSERT_FALSE(refused_map.ok());
  EXPECT_EQ(refused_map.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(refused_map.failure().message.find("4 MiB of 64 MiB are free on cuda:0"),
            std::string::npos)
      << refused_map.failure().message;
  EXPECT_TRUE(backend->map(range, Bytes{}, 4_MiB).ok());  // none of the 8 MiB stayed
}

TEST_F(CudaBackendTest, GivesBlocksThatStartOnAPageWhereverTheDeviceHasThem) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    open({.seed = seed, .can_map = false});
    for (const MemoryKind kind : {MemoryKind::kDevice, MemoryKind::kUnified, MemoryKind::kPinned}) {
      const Result<std::byte*> block = backend->allocate(kind, 2_MiB);
      ASSERT_TRUE(block.ok());
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*block) % host_platform().page_size().count(), 0u);
      ASSERT_TRUE(backend->fill(StreamId::kDefault, *block, std::byte{1}, 2_MiB).ok());
      ASSERT_TRUE(backend->synchronize(*backend->record(StreamId::kDefault)).ok());
      backend->deallocate(kind, *block, 2_MiB);
    }
    backend.reset();
    EXPECT_EQ(substitute::held(), substitute::Held{}) << to_string(substitute::held());
  }
}

TEST_F(CudaBackendTest, GivesBackWhatWasNeverReleased) {
  open({});
  ASSERT_TRUE(backend->make_stream().ok());
  ASSERT_TRUE(backend->record(StreamId::kDefault).ok());
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 16_MiB);
  ASSERT_TRUE(backend->map(range, 2_MiB, 4_MiB).ok());
  for (const MemoryKind kind :
       {MemoryKind::kHost, MemoryKind::kDevice, MemoryKind::kUnified, MemoryKind::kPinned}) {
    ASSERT_TRUE(backend->allocate(kind, 2_MiB).ok());
  }
  std::byte* const used = range.base + (2_MiB).count();
  ASSERT_TRUE(backend->fill(StreamId::kDefault, used, std::byte{1}, 4_MiB).ok());  // in flight

  backend.reset();

  EXPECT_EQ(substitute::held(), substitute::Held{}) << to_string(substitute::held());
  EXPECT_TRUE(substitute::misuses().empty());
}

// A copy from plain memory reads it when it is put on the stream: one that comes behind a fill by
// another thread has to let that one end first.
TEST_F(CudaBackendTest, ReadsPlainMemoryBehindTheFillOfAnotherThread) {
  open({});
  const StreamId gate = *backend->make_stream();
  const StreamId stream = *backend->make_stream();
  std::byte* const plain = *backend->allocate(MemoryKind::kHost, 2_MiB);
  std::byte* const device = *backend->allocate(MemoryKind::kDevice, 2_MiB);
  plain[0] = std::byte{0};
  std::promise<void> reached;
  std::promise<void> opened;
  ASSERT_EQ(substitute::enqueue(*backend->native(gate),
                                [&] {
                                  reached.set_value();
                                  opened.get_future().wait();
                                }),
            cudaSuccess);
  ASSERT_TRUE(backend->wait(stream, *backend->record(gate)).ok());

  std::thread fills([&] { EXPECT_TRUE(backend->fill(stream, plain, std::byte{7}, 1_KiB).ok()); });
  reached.get_future().wait();  // the fill is on the stream, and waits
  std::thread copies([&] { EXPECT_TRUE(backend->copy(stream, device, plain, 1_KiB).ok()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // long enough to go wrong
  opened.set_value();
  fills.join();
  copies.join();

  std::byte seen{};
  ASSERT_TRUE(backend->copy(stream, &seen, device, 1_B).ok());
  EXPECT_EQ(seen, std::byte{7});
}

// --- streams and devices ----------------------------------------------------------------------

TEST_F(CudaBackendTest, OrdersStreamsByAWaitInEveryOrderOfTheDevice) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    open({.seed = seed});
    const StreamId left = *backend->make_stream();
    const StreamId right = *backend->make_stream();
    std::byte* const device = *backend->allocate(MemoryKind::kDevice, 2_MiB);
    std::byte* const pinned = *backend->allocate(MemoryKind::kPinned, 2_MiB);
    pinned[0] = std::byte{0};
    ASSERT_TRUE(backend->fill(left, device, std::byte{9}, 2_MiB).ok());
    ASSERT_TRUE(backend->wait(right, *backend->record(left)).ok());
    ASSERT_TRUE(backend->copy(right, pinned, device, 2_MiB).ok());
    EXPECT_EQ(pinned[0], std::byte{0}) << "the host waited";
    ASSERT_TRUE(backend->synchronize(*backend->record(right)).ok());

    EXPECT_EQ(pinned[0], std::byte{9}) << "seed " << seed;
  }
}

TEST_F(CudaBackendTest, ReachesNothingThatTheDeviceHasNot) {
  open({});
  std::byte* const device = *backend->allocate(MemoryKind::kDevice, 2_MiB);
  ASSERT_TRUE(backend->fill(StreamId::kDefault, device, std::byte{1}, 2_MiB).ok());
  const StreamEvent first = *backend->record(StreamId::kDefault);
  ASSERT_TRUE(backend->fill(StreamId::kDefault, device, std::byte{2}, 2_MiB).ok());
  const StreamEvent second = *backend->record(StreamId::kDefault);

  EXPECT_EQ(backend->reached(StreamId::kDefault), 0u);  // asking has the substitute do one work
  ASSERT_TRUE(backend->synchronize(first).ok());
  EXPECT_EQ(backend->reached(StreamId::kDefault), first.sequence);
  ASSERT_TRUE(substitute::run_all());
  EXPECT_EQ(backend->reached(StreamId::kDefault), second.sequence);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

TEST_F(CudaBackendTest, UsesEventsAgain) {
  open({});
  for (int k = 0; k < 100; ++k) {
    ASSERT_TRUE(backend->synchronize(*backend->record(StreamId::kDefault)).ok());
  }
  EXPECT_LE(substitute::count("cudaEventCreateWithFlags"), 2u);
}

TEST_F(CudaBackendTest, KeepsFewEventsOfAStreamThatNobodyAsksAfter) {
  open({});
  for (int k = 0; k < 10'000; ++k) {
    ASSERT_TRUE(backend->record(StreamId::kDefault).ok());
  }
  EXPECT_LE(substitute::held().events, 128u);
}

TEST_F(CudaBackendTest, PlacesNoWaitForWhatIsDoneOrInOrderAnyway) {
  open({});
  const StreamId other = *backend->make_stream();
  const StreamEvent event = *backend->record(other);
  ASSERT_TRUE(backend->wait(other, event).ok());
  ASSERT_TRUE(backend->synchronize(event).ok());
  ASSERT_TRUE(backend->wait(StreamId::kDefault, event).ok());

  EXPECT_EQ(substitute::count("cudaStreamWaitEvent"), 0u);
}

TEST_F(CudaBackendTest, LeavesTheCallersDeviceAsItIs) {
  open({.devices = 2}, 1);
  EXPECT_EQ(backend->name(), "cuda:1");
  EXPECT_EQ(substitute::current_device(), -1);
  EXPECT_FALSE(substitute::was_initialised(0));

  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  std::byte* const block = *backend->allocate(MemoryKind::kDevice, 2_MiB);
  ASSERT_TRUE(backend->fill(*backend->make_stream(), block, std::byte{1}, 2_MiB).ok());
  ASSERT_TRUE(backend->synchronize(*backend->record(StreamId::kDefault)).ok());

  int current = -1;
  ASSERT_EQ(cudaGetDevice(&current), cudaSuccess);
  EXPECT_EQ(current, 0);
  cudaPointerAttributes attributes{};
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, block), cudaSuccess);
  EXPECT_EQ(attributes.device, 1);
}

TEST_F(CudaBackendTest, GivesItsHandlesToWorkOfOnesOwn) {
  open({});
  const StreamId stream = *backend->make_stream();
  std::byte* const block = *backend->allocate(MemoryKind::kUnified, 2_MiB);
  {
    const Result<ContextScope> scope = backend->enter("launch");
    ASSERT_TRUE(scope.ok());
    ASSERT_EQ(substitute::enqueue(*backend->native(stream), [block] { block[5] = std::byte{5}; }),
              cudaSuccess);
  }
  ASSERT_TRUE(backend->synchronize(*backend->record(stream)).ok());

  EXPECT_EQ(block[5], std::byte{5});
  EXPECT_FALSE(backend->native(StreamId{77}).ok());
  EXPECT_EQ(*backend->native(StreamId::kDefault), nullptr);
}

}  // namespace
}  // namespace tenure
