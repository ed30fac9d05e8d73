// Two devices over the substitute: who reaches whose memory, copies between them, and their order.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/backend/backend.hpp"
#include "cuda/cuda_backend.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using substitute::Machine;

class PeersTest : public ::testing::TestWithParam<Machine> {
 protected:
  PeersTest() { open(1); }
  ~PeersTest() override {
    first.reset();
    second.reset();
    EXPECT_EQ(substitute::held(), substitute::Held{}) << to_string(substitute::held());
    EXPECT_TRUE(substitute::misuses().empty());
    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
    EXPECT_EQ(substitute::current_device(), -1);
  }

  void open(std::uint64_t seed) {
    first.reset();
    second.reset();
    Machine machine = GetParam();
    machine.devices = 2;
    machine.seed = seed;
    substitute::reset(machine);
    first = value_or_throw(CudaBackend::open({.device = 0}));
    second = value_or_throw(CudaBackend::open({.device = 1}));
  }
  static bool maps() { return GetParam().can_map; }
  // Device memory of a backend, mapped where that is to be had.
  static std::byte* take(CudaBackend& backend) {
    if (!maps()) {
      return *backend.allocate(MemoryKind::kDevice, 4_MiB);
    }
    const AddressRange range = *backend.reserve(MemoryKind::kDevice, 4_MiB);
    EXPECT_TRUE(backend.map(range, Bytes{}, 4_MiB).ok());
    return range.base;
  }
  static void finish(CudaBackend& backend) {
    ASSERT_TRUE(backend.synchronize(*backend.record(StreamId::kDefault)).ok());
  }
  static int read(CudaBackend& backend, const std::byte* from) {
    std::byte value{};
    EXPECT_TRUE(backend.copy(StreamId::kDefault, &value, from, 1_B).ok());
    finish(backend);
    return std::to_integer<int>(value);
  }
  // Work of `backend` that writes there by the address: what a kernel would do.
  static bool writes(CudaBackend& backend, std::byte* to, int value) {
    const bool is_done =
        backend.fill(StreamId::kDefault, to, static_cast<std::byte>(value), 4_MiB).ok();
    finish(backend);
    return is_done;
  }

  std::unique_ptr<CudaBackend> first;
  std::unique_ptr<CudaBackend> second;
};

INSTANTIATE_TEST_SUITE_P(Machines, PeersTest,
                         ::testing::Values(Machine{}, Machine{.can_map = false},
                                           Machine{.can_map = false, .has_memory_pools = false}),
                         [](const auto& row) {
                           return std::string(row.param.can_map            ? "mapped"
                                              : row.param.has_memory_pools ? "pools"
                                                                           : "plain");
                         });

TEST_P(PeersTest, KeepsOtherDevicesOutUntilTheyAreLetIn) {
  std::byte* const block = take(*first);
  EXPECT_FALSE(writes(*second, block, 5));

  ASSERT_TRUE(first->open_to(1).ok());

  EXPECT_TRUE(writes(*second, block, 6));
  EXPECT_EQ(read(*first, block), 6);
  EXPECT_FALSE(writes(*first, take(*second), 7)) << "one way alone was opened";
}

TEST_P(PeersTest, LetsThemIntoWhatComesLater) {
  ASSERT_TRUE(first->open_to(1).ok());
  std::byte* const block = take(*first);

  EXPECT_TRUE(writes(*second, block, 6));
  EXPECT_EQ(read(*first, block), 6);
}

TEST_P(PeersTest, LetsThemInTwice) {
  std::byte* const block = take(*first);
  ASSERT_TRUE(first->open_to(1).ok());
  ASSERT_TRUE(first->open_to(1).ok());

  EXPECT_TRUE(writes(*second, block, 6));
  EXPECT_TRUE(writes(*second, take(*first), 6));
}

TEST_P(PeersTest, CopiesFromOneToTheOther) {
  ASSERT_TRUE(first->open_to(1).ok());
  std::byte* const from = take(*first);
  std::byte* const to = take(*second);
  ASSERT_TRUE(writes(*first, from, 9));

  ASSERT_TRUE(second->copy(StreamId::kDefault, to, from, 4_MiB).ok());

  EXPECT_EQ(read(*second, to + (4_MiB).count() - 1), 9);
}

TEST_P(PeersTest, OrdersTheirStreamsByAWaitInEveryOrderOfTheDevices) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    open(seed);
    ASSERT_TRUE(first->open_to(1).ok());
    std::byte* const from = take(*first);
    std::byte* const to = take(*second);
    const StreamId writer = *first->make_stream();
    const StreamId reader = *second->make_stream();
    ASSERT_TRUE(first->fill(writer, from, static_cast<std::byte>(seed), 4_MiB).ok());
    ASSERT_TRUE(second->wait_for(reader, *first, *first->record(writer)).ok());
    ASSERT_TRUE(second->copy(reader, to, from, 4_MiB).ok());
    ASSERT_TRUE(second->synchronize(*second->record(reader)).ok());

    EXPECT_EQ(read(*second, to), static_cast<int>(seed)) << "seed " << seed;
  }
}

// Streams of two backends may have the same number, and are not the same for it.
TEST_P(PeersTest, WaitsForAStreamOfTheSameNumber) {
  std::byte* const block = take(*first);
  ASSERT_TRUE(first->fill(StreamId::kDefault, block, std::byte{1}, 1_MiB).ok());
  const StreamEvent event = *first->record(StreamId::kDefault);

  ASSERT_TRUE(second->wait_for(StreamId::kDefault, *first, event).ok());

  EXPECT_EQ(substitute::count("cudaStreamWaitEvent"), 1u);
  EXPECT_EQ(second->wait_for(StreamId::kDefault, *first, {StreamId{9}, 1}).failure().code,
            ErrorCode::kBadArgument);
}

TEST_P(PeersTest, SaysWhoCannotBeLetIn) {
  EXPECT_EQ(first->open_to(0).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(first->open_to(7).failure().code, ErrorCode::kBadArgument);
  EXPECT_NE(first->open_to(7).failure().message.find("cuda:0 to cuda:7"), std::string::npos);
}

// Each call that letting in makes fails once: asked again it does the rest.
TEST_P(PeersTest, GetsOverEachCallThatIsRefusedOnce) {
  open(1);
  take(*first);
  const std::size_t before = substitute::calls().size();
  ASSERT_TRUE(first->open_to(1).ok());
  const std::size_t calls = substitute::calls().size() - before;
  for (std::uint64_t nth = 1; nth <= calls; ++nth) {
    open(1);
    std::byte* const block = take(*first);
    substitute::fail_any(nth, nth % 2 == 0 ? cudaErrorUnknown : cudaErrorMemoryAllocation);
    const Result<void> opened = first->open_to(1);
    const std::string name = substitute::calls().at(before + nth - 1);
    if (!opened) {
      EXPECT_NE(opened.failure().code, ErrorCode::kDeviceLost) << name;
      EXPECT_NE(opened.failure().message.find("failed"), std::string::npos) << name;
      EXPECT_TRUE(first->open_to(1).ok()) << name;
    }

    EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << name;
    EXPECT_EQ(substitute::current_device(), -1) << name;
    EXPECT_TRUE(writes(*second, block, 6)) << name;
    EXPECT_TRUE(writes(*second, take(*first), 6)) << name;
  }
}

TEST_P(PeersTest, TellsTheLossOfTheDevice) {
  substitute::fail("cudaDeviceCanAccessPeer", 1, cudaErrorIllegalAddress);

  EXPECT_EQ(first->open_to(1).failure().code, ErrorCode::kDeviceLost);
  EXPECT_EQ(first->open_to(1).failure().code, ErrorCode::kDeviceLost);
  first.reset();
  second.reset();
  substitute::reset();
}

TEST(StrangersTest, AreTold) {
  substitute::reset({.devices = 2, .has_peers = false});
  const auto backend = value_or_throw(CudaBackend::open({}));

  const Result<void> opened = backend->open_to(1);

  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.failure().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(substitute::was_initialised(1));
}

TEST(PeerNamesTest, OpenADeviceToOthers) {
  substitute::reset({.devices = 2, .can_map = false});
  {
    const auto backend = value_or_throw(open_backend("cuda:0+1", 1));
    const auto peer = value_or_throw(open_backend("cuda:1", 1));
    EXPECT_EQ(backend->name(), "cuda:0");
    std::byte* const block = *backend->allocate(MemoryKind::kDevice, 2_MiB);
    EXPECT_TRUE(peer->fill(StreamId::kDefault, block, std::byte{1}, 2_MiB).ok());
  }
  EXPECT_EQ(substitute::held(), substitute::Held{}) << to_string(substitute::held());

  EXPECT_EQ(open_backend("cuda:0+7", 1).failure().code, ErrorCode::kBadArgument);
  EXPECT_EQ(open_backend("cuda:0+0", 1).failure().code, ErrorCode::kBadArgument);
  for (const char* const name : {"cuda:0+", "cuda:+1", "cuda:0+x", "cuda:0+-1", "cuda:0 1"}) {
    EXPECT_EQ(open_backend(name, 1).failure().code, ErrorCode::kBadConfig) << name;
  }
}

}  // namespace
}  // namespace tenure
