// The computer itself as a backend: the contract, and what is its own.
#include "host/host_backend.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "host/memory_files.hpp"
#include "tests/contract/backend_contract.hpp"

namespace tenure {
namespace {

using testing::BackendContract;
using testing::BackendContractDeathTest;
using testing::BackendOpener;

const BackendOpener kOpener{"host",
                            [](Bytes capacity) { return std::make_unique<HostBackend>(capacity); }};

INSTANTIATE_TEST_SUITE_P(Host, BackendContract,
                         ::testing::Combine(::testing::Values(kOpener), testing::all_kinds()),
                         testing::case_name);
INSTANTIATE_TEST_SUITE_P(Host, BackendContractDeathTest,
                         ::testing::Combine(::testing::Values(kOpener), testing::all_kinds()),
                         testing::case_name);

constexpr Bytes kGranule = 2_MiB;

Bytes status(std::string_view key) {
  return field_of(read_text("/proc/self/status").value_or(""), key).value_or(Bytes{});
}

// Sanitizers take mlock's place and lock nothing.
bool can_lock_a_page() {
  alignas(4096) static std::byte page[4096];
  const Bytes before = status("VmLck");
  const bool locked = mlock(page, sizeof(page)) == 0 && status("VmLck") > before;
  munlock(page, sizeof(page));
  return locked;
}

// Lowers the limit of locked memory while it lives, and holds this thread to it, root or not.
class LockLimit {
 public:
  explicit LockLimit(Bytes most) {
    EXPECT_EQ(getrlimit(RLIMIT_MEMLOCK, &before_), 0);
    const rlimit lower{std::min<rlim_t>(most.count(), before_.rlim_max), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_MEMLOCK, &lower), 0);
    EXPECT_EQ(syscall(SYS_capget, &header_, rights_.data()), 0);
    auto fewer = rights_;
    fewer[0].effective &= ~(1u << CAP_IPC_LOCK);
    EXPECT_EQ(syscall(SYS_capset, &header_, fewer.data()), 0);
  }
  LockLimit(const LockLimit&) = delete;
  ~LockLimit() {
    syscall(SYS_capset, &header_, rights_.data());
    setrlimit(RLIMIT_MEMLOCK, &before_);
  }

 private:
  rlimit before_{};
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> rights_{};
};

class HostBackendTest : public ::testing::Test {
 protected:
  AddressRange mapped(MemoryKind kind, Bytes size) {
    const Result<AddressRange> range = backend.reserve(kind, size);
    EXPECT_TRUE(range.ok());
    const Result<void> done = backend.map(*range, Bytes{}, size);
    EXPECT_TRUE(done.ok()) << done.failure().message;
    return *range;
  }

  HostBackend backend{256_MiB};
};

TEST_F(HostBackendTest, HasTheMachinesMemoryAsItsCapacity) {
  const Bytes total = host_platform().memory().total;

  EXPECT_EQ(HostBackend().traits(MemoryKind::kDevice).capacity, round_down(total, kGranule));
  EXPECT_EQ(HostBackend(kUnlimited).traits(MemoryKind::kHost).capacity,
            round_down(total, kGranule));
}

TEST_F(HostBackendTest, SharesItsCapacityAmongAllKinds) {
  mapped(MemoryKind::kHost, 100_MiB);
  mapped(MemoryKind::kDevice, 100_MiB);
  mapped(MemoryKind::kUnified, 50_MiB);

  const AddressRange range = *backend.reserve(MemoryKind::kPinned, 8_MiB);
  const Result<void> refused = backend.map(range, Bytes{}, 8_MiB);

  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.failure().message.find("6 MiB of 256 MiB"), std::string::npos)
      << refused.failure().message;
  EXPECT_NE(refused.failure().message.find("host 100 MiB"), std::string::npos);
}

TEST_F(HostBackendTest, SaysThatHostMemoryStandsInForADevices) {
  for (const MemoryKind kind : {MemoryKind::kUnified, MemoryKind::kDevice}) {
    EXPECT_TRUE(backend.traits(kind).stands_in);
    EXPECT_EQ(backend.traits(kind).note,
              "host memory stands in for " + std::string(to_string(kind)) + " memory");
  }
  EXPECT_FALSE(backend.traits(MemoryKind::kHost).stands_in);
  EXPECT_TRUE(backend.traits(MemoryKind::kHost).note.empty());
}

TEST_F(HostBackendTest, ReachesEveryEventAsItIsRecorded) {
  const StreamEvent event = *backend.record(StreamId::kDefault);

  EXPECT_EQ(backend.reached(StreamId::kDefault), event.sequence);
}

TEST_F(HostBackendTest, GivesMemoryBackToTheMachineWhenItIsUnmapped) {
  const AddressRange range = mapped(MemoryKind::kDevice, 128_MiB);
  ASSERT_TRUE(backend.fill(StreamId::kDefault, range.base, std::byte{1}, 128_MiB).ok());
  const Bytes before = status("VmRSS");

  backend.unmap(range, Bytes{}, 96_MiB);

  EXPECT_LT(status("VmRSS") + 90_MiB, before);
}

TEST_F(HostBackendTest, GivesMemoryBackToTheMachineWhenARangeIsReleased) {
  const AddressRange range = mapped(MemoryKind::kHost, 64_MiB);
  ASSERT_TRUE(backend.fill(StreamId::kDefault, range.base, std::byte{1}, 64_MiB).ok());
  const Bytes before = status("VmRSS");

  backend.release(range);

  EXPECT_LT(status("VmRSS") + 60_MiB, before);
}

TEST_F(HostBackendTest, GivesMemoryBackToTheMachineAtItsEnd) {
  const Bytes before = status("VmRSS");
  {
    HostBackend other(64_MiB);
    const Result<std::byte*> block = other.allocate(MemoryKind::kDevice, 64_MiB);
    ASSERT_TRUE(block.ok());
    ASSERT_TRUE(other.fill(StreamId::kDefault, *block, std::byte{1}, 64_MiB).ok());
  }
  EXPECT_LT(status("VmRSS"), before + 16_MiB);
}

TEST_F(HostBackendTest, TakesNoMemoryBeforeItIsTouched) {
  const Bytes before = status("VmRSS");

  mapped(MemoryKind::kDevice, 256_MiB);

  EXPECT_LT(status("VmRSS"), before + 16_MiB);
}

TEST_F(HostBackendTest, KeepsNoAddressesOfABlockThatItRefused) {
  mapped(MemoryKind::kHost, kGranule);
  const Bytes before = status("VmSize");

  for (int k = 0; k < 20; ++k) {
    ASSERT_FALSE(backend.allocate(MemoryKind::kHost, 256_MiB).ok());
  }

  EXPECT_LT(status("VmSize"), before + 256_MiB);
}

TEST_F(HostBackendTest, HasFreshlyMappedBytesZeroed) {
  const AddressRange range = mapped(MemoryKind::kHost, kGranule);
  ASSERT_TRUE(backend.fill(StreamId::kDefault, range.base, std::byte{9}, kGranule).ok());
  backend.unmap(range, Bytes{}, kGranule);

  ASSERT_TRUE(backend.map(range, Bytes{}, kGranule).ok());

  EXPECT_EQ(range.base[100], std::byte{0});
}

TEST_F(HostBackendTest, LocksPinnedMemoryAndSaysHowMuch) {
  if (!can_lock_a_page()) {
    GTEST_SKIP() << "mlock locks nothing here: it is refused, or a sanitizer takes its place";
  }
  const Bytes before = status("VmLck");

  const AddressRange range = mapped(MemoryKind::kPinned, kGranule);

  EXPECT_EQ(status("VmLck"), before + kGranule);
  EXPECT_NE(backend.traits(MemoryKind::kPinned).note.find("locked in full: 2 MiB"),
            std::string::npos)
      << backend.traits(MemoryKind::kPinned).note;
  backend.unmap(range, Bytes{}, kGranule);
  EXPECT_EQ(status("VmLck"), before);
}

TEST_F(HostBackendTest, GivesPinnedMemoryThatItMayNotLockAndSaysWhy) {
  if (!can_lock_a_page()) {
    GTEST_SKIP() << "mlock locks nothing here: it is refused, or a sanitizer takes its place";
  }
  const LockLimit limit(4_MiB);
  mapped(MemoryKind::kPinned, kGranule);
  const AddressRange large = mapped(MemoryKind::kPinned, 16_MiB);

  const std::string note = backend.traits(MemoryKind::kPinned).note;

  EXPECT_NE(note.find("2 MiB of 18 MiB"), std::string::npos) << note;
  EXPECT_NE(note.find("16 MiB more were refused"), std::string::npos) << note;
  EXPECT_NE(note.find("the limit is 4 MiB"), std::string::npos) << note;
  EXPECT_TRUE(backend.fill(StreamId::kDefault, large.base, std::byte{1}, 16_MiB).ok());
}

TEST_F(HostBackendTest, FaultsWhereAPieceWasUnmapped) {
  const AddressRange range = mapped(MemoryKind::kDevice, 2 * kGranule);
  backend.unmap(range, kGranule, kGranule);
  range.base[kGranule.count() - 1] = std::byte{1};

  EXPECT_DEATH(range.base[kGranule.count()] = std::byte{1}, "");
}

}  // namespace
}  // namespace tenure
