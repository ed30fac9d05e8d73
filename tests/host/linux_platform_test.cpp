// Pages, clock and memory of this computer.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "core/backend/platform.hpp"
#include "host/memory_files.hpp"
#include "host/pages.hpp"

namespace tenure {
namespace {

constexpr Bytes kAligned = 2_MiB;

Bytes resident() { return *field_of(*read_text("/proc/self/status"), "VmRSS"); }

class LinuxPlatformTest : public ::testing::Test {
 protected:
  ~LinuxPlatformTest() override {
    if (base != nullptr) platform.release(base, size);
  }
  // Addresses for this test, given back at its end.
  void reserve(Bytes wanted) {
    const Result<std::byte*> reserved = platform.reserve(wanted, kAligned);
    ASSERT_TRUE(reserved.ok()) << reserved.failure().message;
    base = *reserved;
    size = wanted;
  }
  void commit(Bytes offset, Bytes length, PageUse use = PageUse::kPlain) {
    const Result<void> committed = platform.commit(base + offset.count(), length, use);
    ASSERT_TRUE(committed.ok()) << committed.failure().message;
  }
  void touch(Bytes offset, Bytes length, std::byte value = std::byte{1}) {
    for (std::uint64_t k = 0; k < length.count(); k += page.count()) {
      base[offset.count() + k] = value;
    }
  }

  Platform& platform = host_platform();
  Bytes page = platform.page_size();
  std::byte* base = nullptr;
  Bytes size;
};

TEST_F(LinuxPlatformTest, HasPagesOfAPowerOfTwo) {
  EXPECT_TRUE(std::has_single_bit(page.count()));
  EXPECT_GE(page, 4_KiB);
}

TEST_F(LinuxPlatformTest, ReservesAsMuchAsACageAndItsTables) {
  const Bytes before = resident();

  reserve(32_GiB);

  EXPECT_LT(resident(), before + 4_MiB);
}

TEST_F(LinuxPlatformTest, ReservesAtTheAlignmentThatIsAskedFor) {
  for (const Bytes alignment : {page, 64_KiB, 2_MiB, 1_GiB}) {
    const Result<std::byte*> reserved = platform.reserve(page * 3, alignment);
    ASSERT_TRUE(reserved.ok()) << to_string(alignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*reserved) % alignment.count(), 0u)
        << to_string(alignment);
    platform.release(*reserved, page * 3);
  }
}

TEST_F(LinuxPlatformTest, KeepsNoAddressesBesideAnAlignedReservation) {
  const auto mapped = [] { return *field_of(*read_text("/proc/self/status"), "VmSize"); };
  const Bytes before = mapped();
  std::vector<std::byte*> bases;

  for (int k = 0; k < 8; ++k) bases.push_back(*platform.reserve(2_MiB, 1_GiB));

  EXPECT_LT(mapped(), before + 32_MiB);
  for (std::byte* const reserved : bases) platform.release(reserved, 2_MiB);
}

TEST_F(LinuxPlatformTest, RefusesMoreAddressesThanThereAreWithTheFigures) {
  const Result<std::byte*> reserved = platform.reserve(Bytes{std::uint64_t{1} << 50}, kAligned);

  ASSERT_FALSE(reserved.ok());
  EXPECT_EQ(reserved.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(reserved.failure().message.find("1 PiB"), std::string::npos)
      << reserved.failure().message;
  EXPECT_NE(reserved.failure().message.find("Cannot allocate memory"), std::string::npos);
}

TEST_F(LinuxPlatformTest, RefusesASizeThatItsAlignmentWouldWrap) {
  const Bytes nearly_all = round_down(kUnlimited, page);

  const Result<std::byte*> reserved = platform.reserve(nearly_all, 1_GiB);

  ASSERT_FALSE(reserved.ok());
  EXPECT_EQ(reserved.failure().code, ErrorCode::kOutOfMemory);
}

TEST_F(LinuxPlatformTest, CommitsPagesThatReadAsZeroAndKeepWhatIsWritten) {
  reserve(16_MiB);

  commit(4_MiB, 4_MiB);

  EXPECT_EQ(base[(5_MiB).count()], std::byte{0});
  touch(4_MiB, 4_MiB, std::byte{9});
  EXPECT_EQ(base[(8_MiB).count() - page.count()], std::byte{9});
}

TEST_F(LinuxPlatformTest, KeepsWhatIsWrittenWhenPagesAreCommittedAgain) {
  reserve(4_MiB);
  commit(Bytes{}, 2_MiB);
  touch(Bytes{}, 2_MiB, std::byte{3});

  commit(Bytes{}, 4_MiB);

  EXPECT_EQ(base[page.count()], std::byte{3});
}

TEST_F(LinuxPlatformTest, TakesMemoryAsPagesAreTouched) {
  reserve(1_GiB);
  commit(Bytes{}, 1_GiB);
  const Bytes before = resident();

  touch(Bytes{}, 16_MiB);

  EXPECT_GE(resident() + 1_MiB, before + 16_MiB);
  EXPECT_LT(resident(), before + 256_MiB);  // sanitizers take their share
}

TEST_F(LinuxPlatformTest, GivesMemoryBackWhenPagesAreDiscarded) {
  reserve(64_MiB);
  commit(Bytes{}, 64_MiB, PageUse::kDense);
  touch(Bytes{}, 64_MiB);
  const Bytes before = resident();

  platform.discard(base, 64_MiB);

  EXPECT_LT(resident() + 60_MiB, before);
}

TEST_F(LinuxPlatformTest, LetsDiscardedPagesBeUsedAgainAsZero) {
  reserve(4_MiB);
  commit(Bytes{}, 4_MiB);
  touch(Bytes{}, 4_MiB);

  platform.discard(base + page.count(), page);

  EXPECT_EQ(base[page.count()], std::byte{0});
  EXPECT_EQ(base[0], std::byte{1});
  EXPECT_EQ(base[2 * page.count()], std::byte{1});
  base[page.count()] = std::byte{5};
}

// Whether the kernel was advised of huge pages where [base, ...) lies, as /proc/self/smaps says.
bool is_advised(const std::byte* base) {
  const std::string smaps = read_text("/proc/self/smaps").value_or("");
  char start[32];
  std::snprintf(start, sizeof(start), "\n%lx-", reinterpret_cast<unsigned long>(base));
  const std::size_t entry = smaps.find(start);
  const std::size_t flags = smaps.find("VmFlags:", entry);
  const std::string line = smaps.substr(flags, smaps.find('\n', flags) - flags);
  return entry != std::string::npos && line.find(" hg") != std::string::npos;
}

TEST_F(LinuxPlatformTest, AdvisesHugePagesForDenseRangesAlone) {
  if (!read_text("/sys/kernel/mm/transparent_hugepage/enabled")) {
    GTEST_SKIP() << "this kernel has no transparent huge pages";
  }
  reserve(32_MiB);

  commit(Bytes{}, 8_MiB, PageUse::kDense);
  commit(16_MiB, 8_MiB, PageUse::kPlain);

  EXPECT_TRUE(is_advised(base));
  EXPECT_FALSE(is_advised(base + (16_MiB).count()));
}

TEST_F(LinuxPlatformTest, CommitsAndDiscardsForSeveralThreadsAtOnce) {
  reserve(64_MiB);

  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const Bytes mine = t * 16_MiB;
      for (int k = 0; k < 20; ++k) {
        commit(mine, 2_MiB);
        touch(mine, 2_MiB);
        platform.discard(base + mine.count(), 2_MiB);
        EXPECT_EQ(base[mine.count()], std::byte{0});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LinuxPlatformTest, KeepsBytesInFilesWithoutAName) {
  const Result<ScratchFile> file = platform.open_scratch("");
  ASSERT_TRUE(file.ok()) << file.failure().message;
  const std::vector<std::byte> written(3'000'001, std::byte{0x5A});
  std::vector<std::byte> got(written.size());
  const Bytes length{written.size()};

  ASSERT_TRUE(platform.write_scratch(*file, 12'345, written.data(), length).ok());
  ASSERT_TRUE(platform.settle_scratch(*file).ok());
  ASSERT_TRUE(platform.read_scratch(*file, 12'345, got.data(), length).ok());

  EXPECT_EQ(got, written);
  const Result<void> past = platform.read_scratch(*file, 12'346, got.data(), length);
  ASSERT_FALSE(past.ok());
  EXPECT_EQ(past.failure().code, ErrorCode::kFile);
  platform.close_scratch(*file);
  EXPECT_EQ(platform.open_scratch("/nowhere/at/all").failure().code, ErrorCode::kFile);
}

TEST_F(LinuxPlatformTest, HasAClockThatNeverGoesBack) {
  std::uint64_t last = platform.now_ns();
  for (int k = 0; k < 10'000; ++k) {
    const std::uint64_t now = platform.now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST_F(LinuxPlatformTest, CountsItsClockInNanoseconds) {
  const std::uint64_t before = platform.now_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));

  EXPECT_GE(platform.now_ns() - before, 20'000'000u);
  EXPECT_LT(platform.now_ns() - before, 20'000'000'000u);
}

TEST_F(LinuxPlatformTest, ReadsTheMachinesMemory) {
  const MemoryReading memory = platform.memory();

  EXPECT_GT(memory.total, 64_MiB);
  EXPECT_GT(memory.available, Bytes{});
  EXPECT_LE(memory.available, memory.total);
}

TEST_F(LinuxPlatformTest, IsOneForTheWholeProgram) {
  EXPECT_EQ(&host_platform(), &host_platform());
}

using LinuxPlatformDeathTest = LinuxPlatformTest;

TEST_F(LinuxPlatformDeathTest, FaultsWhereNothingIsCommitted) {
  reserve(4_MiB);
  commit(Bytes{}, 2_MiB);

  EXPECT_DEATH(base[(3_MiB).count()] = std::byte{1}, "");
}

TEST_F(LinuxPlatformDeathTest, StopsWhereSizesAreOffThePage) {
  reserve(4_MiB);

  EXPECT_DEATH(static_cast<void>(platform.reserve(100_B, kAligned)), "whole pages");
  EXPECT_DEATH(static_cast<void>(platform.reserve(Bytes{}, kAligned)), "whole pages");
  EXPECT_DEATH(static_cast<void>(platform.reserve(2_MiB, 3 * page)), "power of two");
  EXPECT_DEATH(static_cast<void>(platform.commit(base, 100_B, PageUse::kPlain)), "whole pages");
  EXPECT_DEATH(platform.discard(base + 1, page), "whole pages");
}

TEST_F(LinuxPlatformDeathTest, FaultsWhereAReservationWasReleased) {
  const Result<std::byte*> reserved = platform.reserve(2_MiB, kAligned);
  ASSERT_TRUE(platform.commit(*reserved, 2_MiB, PageUse::kPlain).ok());
  **reserved = std::byte{1};

  EXPECT_DEATH(
      {
        platform.release(*reserved, 2_MiB);
        **reserved = std::byte{1};
      },
      "");
  platform.release(*reserved, 2_MiB);
}

TEST(PagesTest, TakesMemoryAndAccessAwayWhenPagesAreDecommitted) {
  const Result<std::byte*> base = reserve_pages(8_MiB, kAligned);
  ASSERT_TRUE(base.ok());
  ASSERT_TRUE(commit_pages(*base, 8_MiB, PageUse::kDense).ok());
  for (std::uint64_t k = 0; k < (8_MiB).count(); k += 4096) (*base)[k] = std::byte{1};
  const Bytes before = resident();

  decommit_pages(*base, 8_MiB);

  EXPECT_LT(resident() + 7_MiB, before);
  EXPECT_DEATH((*base)[0] = std::byte{1}, "");
  ASSERT_TRUE(commit_pages(*base, 8_MiB, PageUse::kPlain).ok());
  EXPECT_EQ((*base)[0], std::byte{0});
  release_pages(*base, 8_MiB);
}

}  // namespace
}  // namespace tenure
