#include "core/memory/cage.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "core/base/bitmap.hpp"

namespace tenure {
namespace {

class CageTest : public ::testing::Test {
 protected:
  Cage& cage = *value_or_throw(Cage::instance(host_platform()));
  HeapId heap = value_or_throw(cage.open_heap());
  ~CageTest() override { cage.close_heap(heap); }

  RegionRun take(std::uint32_t count) {
    return cage.take(count, {.heap = heap, .kind = RegionKind::kBump, .generation = 1}).value();
  }
  std::byte* memory(const RegionRun& run) {
    return cage.base() + std::uint64_t{run.first} * kGranulesPerRegion * kGranuleBytes;
  }
};

TEST_F(CageTest, IsOneForTheProcess) {
  EXPECT_EQ(value_or_throw(Cage::instance(host_platform())), &cage);
}

TEST_F(CageTest, NeverHandsOutTheFirstNorTheLastRegion) {
  const RegionRun run = take(1);

  EXPECT_GT(run.first, 0u);
  EXPECT_LT(run.first, kRegions - 1);
  EXPECT_FALSE(cage.take(kRegions, {.heap = heap, .kind = RegionKind::kBump}).has_value());
  cage.give_back(run);
}

TEST_F(CageTest, SetsTheRowsOfWhatItHandsOut) {
  const RegionRun run = take(3);

  for (std::uint32_t region = run.first; region < run.first + 3; ++region) {
    EXPECT_EQ(cage.regions()[region].heap, heap);
    EXPECT_EQ(cage.regions()[region].generation, 1);
  }
  cage.give_back(run);
  EXPECT_EQ(cage.regions()[run.first].kind, RegionKind::kFree);
}

TEST_F(CageTest, HandsOutMemoryThatCanBeWrittenToItsLastByte) {
  const RegionRun run = take(20);
  constexpr std::size_t kBytes = std::size_t{20} * kGranulesPerRegion * kGranuleBytes;

  std::memset(memory(run), 0xAB, kBytes);

  EXPECT_EQ(std::to_integer<int>(memory(run)[kBytes - 1]), 0xAB);
  cage.give_back(run);
}

// Whether the system has memory behind a region's first and last page.
bool has_memory(std::byte* region) {
  unsigned char first = 0;
  unsigned char last = 0;
  const std::size_t page = host_platform().page_size().count();
  const std::size_t size = std::size_t{kGranulesPerRegion} * kGranuleBytes;
  EXPECT_EQ(mincore(region, page, &first), 0);
  EXPECT_EQ(mincore(region + size - page, page, &last), 0);
  return (first & 1) != 0 && (last & 1) != 0;
}

TEST_F(CageTest, HasMemoryBehindTheNextFreeRegions) {
  cage.discard_free();
  const RegionRun next = take(3);  // where the next three will be
  cage.give_back(next);
  cage.discard_free();

  int calls = 0;
  while (!cage.populate_free(3)) {
    ++calls;
  }

  if (!has_memory(memory(next))) {
    GTEST_SKIP() << "this system populates no pages (Linux before 5.14)";
  }
  EXPECT_EQ(calls, 2) << "one region a call";
  EXPECT_TRUE(has_memory(memory({next.first + 1, 1})));
  EXPECT_TRUE(has_memory(memory({next.first + 2, 1})));
  EXPECT_EQ(cage.discard_free(), Bytes{3 * std::uint64_t{kGranulesPerRegion} * kGranuleBytes})
      << "and gives it back where nobody came";
}

TEST_F(CageTest, CountsRegionsThatNobodyHadUsed) {
  cage.discard_free();
  const std::uint64_t before = cage.taken_fresh();

  const RegionRun first = take(2);
  EXPECT_EQ(cage.taken_fresh(), before + 2);
  cage.give_back(first);
  const RegionRun again = take(2);
  EXPECT_EQ(cage.taken_fresh(), before + 2) << "used before";
  cage.give_back(again);

  cage.discard_free();
  (void)cage.populate_free(1);
  cage.give_back(take(1));
  EXPECT_EQ(cage.taken_fresh(), before + 3) << "got ready, and not used";
}

TEST_F(CageTest, FillsHolesFromTheLowestPlace) {
  const RegionRun first = take(4);
  const RegionRun second = take(1);
  cage.give_back(first);

  const RegionRun hole = take(2);

  EXPECT_EQ(hole.first, first.first);
  cage.give_back(hole);
  cage.give_back(second);
}

TEST_F(CageTest, NeverHandsOutARegionTwice) {
  std::vector<RegionRun> runs;
  for (std::uint32_t count = 1; count <= 40; ++count) {
    runs.push_back(take(count % 5 + 1));
  }
  std::vector<int> owners(kRegions);
  for (const RegionRun& run : runs) {
    for (std::uint32_t region = run.first; region < run.first + run.count; ++region) {
      EXPECT_EQ(++owners[region], 1);
    }
  }
  for (const RegionRun& run : runs) {
    cage.give_back(run);
  }
}

TEST_F(CageTest, ClearsTheMarksOfAnEarlierOwner) {
  const RegionRun run = take(1);
  const std::uint64_t bit = std::uint64_t{run.first} * kGranulesPerRegion / kGranulesPerMark;
  set_bit(cage.marks(), bit + 5);
  cage.give_back(run);

  const RegionRun again = take(1);

  ASSERT_EQ(again.first, run.first);
  EXPECT_FALSE(test_bit(cage.marks(), bit + 5));
  cage.give_back(again);
}

TEST_F(CageTest, GivesTheMemoryOfFreeRegionsBackOnce) {
  (void)cage.discard_free();
  const RegionRun run = take(2);
  std::memset(memory(run), 1, 4096);
  cage.give_back(run);

  EXPECT_EQ(cage.discard_free(), Bytes{2 * kGranulesPerRegion * kGranuleBytes});
  EXPECT_EQ(cage.discard_free(), 0_B);

  const RegionRun again = take(2);
  EXPECT_EQ(std::to_integer<int>(memory(again)[0]), 0);
  cage.give_back(again);
}

TEST_F(CageTest, RefusesARegionThatIsGivenBackTwice) {
  const RegionRun run = take(1);
  cage.give_back(run);

  EXPECT_DEATH(cage.give_back(run), "was not taken");
}

TEST_F(CageTest, IsSharedByThreads) {
  std::vector<std::thread> threads;
  std::vector<std::vector<RegionRun>> taken(4);
  for (std::size_t k = 0; k < 4; ++k) {
    threads.emplace_back([this, &mine = taken[k]] {
      for (int n = 0; n < 200; ++n) {
        mine.push_back(take(1));
        if (n % 3 == 0) {
          cage.give_back(mine.back());
          mine.pop_back();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::vector<int> owners(kRegions);
  for (const auto& runs : taken) {
    for (const RegionRun& run : runs) {
      ASSERT_EQ(++owners[run.first], 1);
      cage.give_back(run);
    }
  }
}

}  // namespace
}  // namespace tenure
