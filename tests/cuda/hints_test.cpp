// Hints about unified memory over the substitute: what CUDA is told, and that a refusal is no failure.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cuda/cuda_backend.hpp"
#include "tenure/tenure.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

class CudaHintsTest : public ::testing::Test {
 protected:
  CudaHintsTest() { open({.devices = 2}, 1); }
  ~CudaHintsTest() override {
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
    EXPECT_TRUE(substitute::misuses().empty());
  }

  void open(const substitute::Machine& machine, int device = 0) {
    backend.reset();
    substitute::reset(machine);
    backend = value_or_throw(CudaBackend::open({.device = device}));
    block = *backend->allocate(MemoryKind::kUnified, 2_MiB);
    given = substitute::hints().size();  // the block's own place
  }
  std::vector<substitute::Hint> hints_since() {
    std::vector<substitute::Hint> hints = substitute::hints();
    hints.erase(hints.begin(), hints.begin() + static_cast<std::ptrdiff_t>(given));
    return hints;
  }
  HintOutcome prefetch(MemorySide side) {
    return *backend->prefetch(StreamId::kDefault, block, 1_MiB, side);
  }

  std::unique_ptr<CudaBackend> backend;
  std::byte* block = nullptr;
  std::size_t given = 0;
};

TEST_F(CudaHintsTest, NamesTheSideToCuda) {
  EXPECT_EQ(prefetch(MemorySide::kDevice), HintOutcome::kTaken);
  EXPECT_EQ(prefetch(MemorySide::kHost), HintOutcome::kTaken);

  const std::vector<substitute::Hint> hints = hints_since();
  ASSERT_EQ(hints.size(), 2u);
  EXPECT_TRUE(hints[0].is_prefetch);
  EXPECT_EQ(hints[0].at, block);
  EXPECT_EQ(hints[0].bytes, (1_MiB).count());
  EXPECT_EQ(hints[0].device, 1);
  EXPECT_EQ(hints[1].device, cudaCpuDeviceId);
}

TEST_F(CudaHintsTest, NamesTheAdviceToCuda) {
  struct Row {
    MemoryAdvice advice;
    cudaMemoryAdvise expected;
    int device;
  };
  const Row rows[] = {
      {MemoryAdvice::kPreferHost, cudaMemAdviseSetPreferredLocation, cudaCpuDeviceId},
      {MemoryAdvice::kPreferDevice, cudaMemAdviseSetPreferredLocation, 1},
      {MemoryAdvice::kPreferNeither, cudaMemAdviseUnsetPreferredLocation, 1},
      {MemoryAdvice::kMostlyRead, cudaMemAdviseSetReadMostly, 1},
      {MemoryAdvice::kReadAndWritten, cudaMemAdviseUnsetReadMostly, 1}};
  for (const Row& row : rows) {
    EXPECT_EQ(*backend->advise(block, 2_MiB, row.advice), HintOutcome::kTaken);
    const substitute::Hint hint = hints_since().back();
    EXPECT_FALSE(hint.is_prefetch);
    EXPECT_EQ(hint.advice, row.expected);
    EXPECT_EQ(hint.device, row.device);
  }
}

TEST_F(CudaHintsTest, PutsAPrefetchOnItsStream) {
  const StreamId stream = *backend->make_stream();
  ASSERT_TRUE(backend->prefetch(stream, block, 1_MiB, MemorySide::kDevice).ok());
  const StreamEvent behind = *backend->record(stream);
  const StreamEvent beside = *backend->record(StreamId::kDefault);

  ASSERT_TRUE(backend->synchronize(beside).ok());
  EXPECT_EQ(substitute::count("cudaMemPrefetchAsync"), 1u);
  ASSERT_TRUE(backend->synchronize(behind).ok());
  EXPECT_EQ(backend->reached(stream), behind.sequence);
}

TEST_F(CudaHintsTest, TakesNoRefusalForAFailure) {
  for (const cudaError_t error :
       {cudaErrorInvalidValue, cudaErrorInvalidDevice, cudaErrorMemoryAllocation,
        cudaErrorNotSupported, cudaErrorUnknown}) {
    substitute::fail("cudaMemPrefetchAsync", 1, error);
    EXPECT_EQ(prefetch(MemorySide::kDevice), HintOutcome::kIgnored);
    substitute::fail("cudaMemAdvise", 1, error);
    EXPECT_EQ(*backend->advise(block, 1_MiB, MemoryAdvice::kMostlyRead), HintOutcome::kIgnored);
    substitute::fail("cuCtxPushCurrent", 1, error);
    EXPECT_EQ(prefetch(MemorySide::kDevice), HintOutcome::kIgnored);
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
    EXPECT_EQ(substitute::current_device(), -1);
  }
  EXPECT_EQ(prefetch(MemorySide::kDevice), HintOutcome::kTaken);
}

TEST_F(CudaHintsTest, AsksNothingOfADeviceThatCannot) {
  open({.has_concurrent_managed_access = false});
  const std::size_t asked = substitute::calls().size();

  EXPECT_EQ(prefetch(MemorySide::kDevice), HintOutcome::kIgnored);
  EXPECT_EQ(*backend->advise(block, 1_MiB, MemoryAdvice::kMostlyRead), HintOutcome::kIgnored);

  EXPECT_EQ(substitute::calls().size(), asked);
}

TEST_F(CudaHintsTest, AsksNothingForMemoryThatDoesNotMove) {
  std::vector<std::byte> own(4096);
  std::vector<std::byte*> others{own.data()};
  for (const MemoryKind kind : {MemoryKind::kDevice, MemoryKind::kPinned, MemoryKind::kHost}) {
    others.push_back(*backend->allocate(kind, 2_MiB));
  }
  const std::size_t asked = substitute::calls().size();
  for (std::byte* const at : others) {
    EXPECT_EQ(*backend->prefetch(StreamId::kDefault, at, 4_KiB, MemorySide::kDevice),
              HintOutcome::kIgnored);
    EXPECT_EQ(*backend->advise(at, 4_KiB, MemoryAdvice::kMostlyRead), HintOutcome::kIgnored);
  }

  EXPECT_EQ(substitute::calls().size(), asked);
}

TEST_F(CudaHintsTest, RefusesBytesThatAreNotThere) {
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 4_MiB);

  const Result<HintOutcome> past =
      backend->prefetch(StreamId::kDefault, block, 3_MiB, MemorySide::kDevice);
  const Result<HintOutcome> unmapped =
      backend->advise(range.base, 1_MiB, MemoryAdvice::kMostlyRead);

  ASSERT_FALSE(past.ok());
  EXPECT_EQ(past.failure().code, ErrorCode::kBadArgument);
  ASSERT_FALSE(unmapped.ok());
  EXPECT_EQ(unmapped.failure().code, ErrorCode::kBadArgument);
}

TEST(CudaHintLossTest, TellsTheLossOfTheDevice) {
  substitute::reset();
  const auto backend = value_or_throw(CudaBackend::open({}));
  std::byte* const block = *backend->allocate(MemoryKind::kUnified, 2_MiB);
  substitute::lose();

  const Result<HintOutcome> hint =
      backend->prefetch(StreamId::kDefault, block, 1_MiB, MemorySide::kDevice);

  ASSERT_FALSE(hint.ok());
  EXPECT_EQ(hint.failure().code, ErrorCode::kDeviceLost);
}

TEST(CudaHintDoorTest, ReachesTheDeviceFromThePublicDoor) {
  substitute::reset();
  {
    Runtime runtime = value_or_throw(Runtime::open({.device = "auto"}));
    PayloadLease unified = value_or_throw(runtime.lease(1_MiB, {.kind = MemoryKind::kUnified}));
    PayloadLease device = value_or_throw(runtime.lease(1_MiB, {.kind = MemoryKind::kDevice}));
    const std::size_t before = substitute::hints().size();

    EXPECT_EQ(*runtime.prefetch(unified.view(), MemorySide::kDevice, StreamId::kDefault),
              HintOutcome::kTaken);
    EXPECT_EQ(*runtime.advise(unified.view(), MemoryAdvice::kMostlyRead), HintOutcome::kTaken);
    EXPECT_EQ(*runtime.prefetch(device.view(), MemorySide::kHost, StreamId::kDefault),
              HintOutcome::kIgnored);

    ASSERT_EQ(substitute::hints().size(), before + 2);
    EXPECT_EQ(substitute::hints()[before].at, unified.data());
    EXPECT_EQ(runtime.prefetch(unified.view(), MemorySide::kHost, StreamId{77}).failure().code,
              ErrorCode::kBadArgument);
  }
  EXPECT_EQ(substitute::held(), substitute::Held{}) << to_string(substitute::held());
}

}  // namespace
}  // namespace tenure
