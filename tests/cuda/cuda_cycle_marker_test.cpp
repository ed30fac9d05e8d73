// The device's marker of cycles, over a substitute of the CUDA runtime and emulated kernels: the contract
// of all markers, what is sent beside mutators and what is left for the stop, what the host reads once
// the bits are home, and what happens when any call fails.
#include "cuda/cuda_cycle_marker.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/base/team.hpp"
#include "core/gc/span_marker.hpp"
#include "tests/contract/marker_contract.hpp"
#include "tests/cuda/marking_worlds.hpp"

namespace tenure::testing {

namespace {

std::unique_ptr<CudaCycleMarker> open_marker(Team& team) {
  return std::make_unique<CudaCycleMarker>(
      std::make_unique<ResumableMarker>(),
      std::make_shared<MarkingDevice>(team, CudaMarkerOptions{}));
}

// As the contract wants them: made of nothing.
class OverSubstitute : public Marker {
 public:
  explicit OverSubstitute(bool is_cooperative = true) {
    play({}, is_cooperative);
    marker_ = open_marker(team_);
  }
  void begin(const MarkJob& job) override { marker_->begin(job); }
  bool advance(std::uint64_t budget) override { return marker_->advance(budget); }
  void add(std::span<const ObjectIndex> objects) override { marker_->add(objects); }
  MarkStats complete() override {
    const MarkStats stats = marker_->complete();
    EXPECT_TRUE(stats.on_device) << stats.fallback;
    return stats;
  }

 private:
  Team team_{2};
  std::unique_ptr<CudaCycleMarker> marker_;
};
class BesideCooperative final : public OverSubstitute {};
class BesideLevelByLevel final : public OverSubstitute {
 public:
  BesideLevelByLevel() : OverSubstitute(false) {}
};
using Kinds = ::testing::Types<BesideCooperative, BesideLevelByLevel>;

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(CudaCycle, MarkerContract, Kinds);

namespace {

class CudaCycleMarkerTest : public ::testing::Test {
 protected:
  CudaCycleMarkerTest() { play({}); }
  ~CudaCycleMarkerTest() override {
    marker_.reset();
    EXPECT_EQ(substitute::held(), substitute::Held{}) << substitute::to_string(substitute::held());
    EXPECT_TRUE(substitute::misuses().empty()) << substitute::misuses().front();
  }

  CudaCycleMarker& marker() {
    if (marker_ == nullptr) {
      marker_ = open_marker(team_);
    }
    return *marker_;
  }
  void copy() {
    while (!marker().copy_some()) {
    }
  }
  // Rounds as a cycle has them: all that is written comes before the first.
  std::uint32_t copy_in_rounds(const MarkJob& job) {
    MarkJob next = job;
    std::uint32_t rounds = 0;
    for (; marker().note_for_copy(next); ++rounds) {
      copy();
      next.written.emplace();
    }
    return rounds;
  }
  void read_all() {
    while (!marker().advance(100)) {
    }
  }
  MarkStats mark(const MarkJob& job) {
    marker().begin(job);
    read_all();
    return marker().complete();
  }

  Team team_{2};
  std::unique_ptr<CudaCycleMarker> marker_;
};

TEST_F(CudaCycleMarkerTest, SendsAHeapBesideMutatorsAndNothingInTheStop) {
  ListHeap heap;
  EXPECT_EQ(copy_in_rounds(heap.first_job()), 2u);  // one to open the copy, one to fill it

  const MarkStats stats = mark(heap.job({}));

  EXPECT_TRUE(stats.on_device) << stats.fallback;
  EXPECT_EQ(stats.objects, ListHeap::kObjects);
  EXPECT_EQ(heap.marked(), ListHeap::kObjects);
  EXPECT_GE(stats.copied_beside, heap.bytes());
  EXPECT_EQ(stats.copied_in_stop, 0u);
  EXPECT_EQ(stats.rounds_beside, 2u);
}

TEST_F(CudaCycleMarkerTest, SendsInTheStopWhatWasWrittenSinceTheLastRound) {
  ListHeap heap;
  (void)copy_in_rounds(heap.first_job());
  const std::vector<std::uint32_t> written{heap.cut(40'000)};

  EXPECT_FALSE(marker().note_for_copy(heap.job(written)));
  const MarkStats stats = mark(heap.job({}));

  EXPECT_EQ(stats.objects, 40'001u);
  EXPECT_EQ(stats.copied_in_stop, kCardBytes + sizeof(std::uint32_t));
}

TEST_F(CudaCycleMarkerTest, SendsAgainWhatChangesAsItIsSent) {
  ListHeap heap;
  ASSERT_TRUE(marker().note_for_copy(heap.first_job()));
  copy();
  ASSERT_TRUE(marker().note_for_copy(heap.first_job()));
  (void)marker().copy_some();
  (void)marker().copy_some();  // the first region is there
  const std::vector<std::uint32_t> written{heap.cut(100), heap.cut(50'000)};
  copy();

  (void)marker().note_for_copy(heap.job(written));
  const MarkStats stats = mark(heap.job({}));

  EXPECT_EQ(stats.objects, 101u);
  EXPECT_TRUE(stats.on_device) << stats.fallback;
}

TEST_F(CudaCycleMarkerTest, KeepsWhatARoundDidNotSend) {
  ListHeap heap;
  (void)copy_in_rounds(heap.first_job());
  (void)mark(heap.job({}));
  std::vector<std::uint32_t> written;
  for (std::uint32_t k = 100; k < ListHeap::kObjects; k += 20) {
    written.push_back(heap.cut(k));
  }
  ASSERT_TRUE(marker().note_for_copy(heap.job(written)));
  (void)marker().copy_some();
  marker().abandon();  // a collection in one stop took its place

  const MarkStats stats = mark(heap.job({}));

  EXPECT_EQ(stats.objects, 101u);
}

TEST_F(CudaCycleMarkerTest, WaitsForNothingAndSaysSo) {
  ListHeap heap;
  (void)copy_in_rounds(heap.first_job());
  marker().begin(heap.job({}));

  EXPECT_TRUE(marker().is_waiting());
  EXPECT_EQ(heap.marked(), 0u);
  read_all();
  EXPECT_FALSE(marker().is_waiting());
  EXPECT_EQ(heap.marked(), ListHeap::kObjects);
  (void)marker().complete();
}

// What is reached after the stop is the host's: the copy does not have it.
TEST_F(CudaCycleMarkerTest, HasTheHostReadWhatIsAddedMeanwhile) {
  ListHeap heap;
  (void)heap.cut(1000);
  (void)copy_in_rounds(heap.first_job());
  marker().begin(heap.job({}));
  heap.link(30'000, 40'000);  // the copy has 30'001 behind it
  const std::vector<ObjectIndex> added{heap.object(30'000)};
  marker().add(added);
  read_all();

  EXPECT_EQ(heap.marked(), 1001u + 1 + (ListHeap::kObjects - 40'000));
  (void)marker().complete();
}

TEST_F(CudaCycleMarkerTest, GoesOnWithTheHostWhereTheCopyIsGivenUp) {
  ListHeap heap;
  const auto device = std::make_shared<MarkingDevice>(team_, CudaMarkerOptions{});
  marker_ = std::make_unique<CudaCycleMarker>(std::make_unique<ResumableMarker>(), device);
  (void)copy_in_rounds(heap.first_job());
  marker().begin(heap.job({}));
  EXPECT_TRUE(device->give_back_memory());
  read_all();

  const MarkStats stats = marker().complete();
  EXPECT_FALSE(stats.on_device);
  EXPECT_NE(stats.fallback.find("given up"), std::string::npos) << stats.fallback;
  EXPECT_EQ(heap.marked(), ListHeap::kObjects);
}

TEST_F(CudaCycleMarkerTest, LeavesItToTheHostWhereMemoryIsShared) {
  play({.shares_host_memory = true});
  ListHeap heap;
  (void)copy_in_rounds(heap.first_job());

  const MarkStats stats = mark(heap.job({}));

  EXPECT_FALSE(stats.on_device);
  EXPECT_EQ(stats.fallback, "");
  EXPECT_EQ(heap.marked(), ListHeap::kObjects);
}

// Rounds, a marking with an object added on the way, a second cycle of some cards: whichever call fails,
// the bits are those of the host.
TEST_F(CudaCycleMarkerTest, MarksTheSameWhicheverCallFails) {
  const auto go = [&] {
    RandomHeap heap(Shape::kBigArrays, 5);
    MarkJob job = heap.job();
    (void)copy_in_rounds(job);
    const std::span<const ObjectIndex> roots = std::exchange(job.roots, heap.job().roots.first(2));
    job.written.emplace();
    marker().begin(job);
    marker().add(roots);
    read_all();
    (void)marker().complete();
    EXPECT_EQ(heap.marks(), heap.expected_marks());

    const std::vector<std::uint32_t> cards{kCardsPerRegion, kCardsPerRegion + 3};
    heap.clear_marks();
    job = heap.job();
    job.written = cards;
    (void)copy_in_rounds(job);
    job.written.emplace();
    (void)mark(job);
    EXPECT_EQ(heap.marks(), heap.expected_marks());
  };
  go();
  marker_.reset();
  const std::size_t calls = substitute::calls().size();
  ASSERT_GT(calls, 50u);
  for (const cudaError_t error : {cudaErrorMemoryAllocation, cudaErrorIllegalAddress}) {
    for (std::size_t nth = 1; nth <= calls; ++nth) {
      play({});
      substitute::fail_any(nth, error);

      go();
      marker_.reset();

      ASSERT_FALSE(HasFailure()) << "call " << nth << ", error " << error;
      if (error == cudaErrorMemoryAllocation) {
        const auto seen = substitute::calls();
        const bool in_end = nth <= seen.size() && is_of_the_end(seen[nth - 1]);
        ASSERT_TRUE(in_end || substitute::held() == substitute::Held{})
            << "call " << nth << ": " << substitute::to_string(substitute::held());
      }
    }
  }
  play({});
}

}  // namespace

}  // namespace tenure::testing
