// The device's marker, over a substitute of the CUDA runtime and emulated kernels: the contract of all
// markers, what is sent over the link, and what happens when any call fails.
#include "cuda/cuda_marker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/team.hpp"
#include "core/model/serial_marker.hpp"
#include "tests/contract/marker_contract.hpp"
#include "tests/cuda/marking_worlds.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure::testing {

namespace {

// As the contract wants them: made of nothing.
class OverSubstitute : public Marker {
 public:
  explicit OverSubstitute(bool is_cooperative = true) {
    play({}, is_cooperative);
    marker_ = std::make_unique<CudaMarker>(std::make_unique<SerialMarker>(), team_);
  }
  void begin(const MarkJob& job) override {
    marker_->begin(job);
    EXPECT_TRUE(marker_->on_device()) << marker_->fallback();
  }
  bool advance(std::uint64_t budget) override { return marker_->advance(budget); }
  void add(std::span<const ObjectIndex> objects) override { marker_->add(objects); }
  MarkStats complete() override {
    const MarkStats stats = marker_->complete();
    EXPECT_TRUE(marker_->on_device()) << marker_->fallback();
    return stats;
  }

 private:
  Team team_{2};
  std::unique_ptr<CudaMarker> marker_;
};
class Cooperative final : public OverSubstitute {};
class LevelByLevel final : public OverSubstitute {
 public:
  LevelByLevel() : OverSubstitute(false) {}
};
using Kinds = ::testing::Types<Cooperative, LevelByLevel>;

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Cuda, MarkerContract, Kinds);

namespace {

class CudaMarkerTest : public ::testing::Test {
 protected:
  CudaMarkerTest() { play({}); }
  ~CudaMarkerTest() override {
    marker_.reset();
    EXPECT_EQ(substitute::held(), substitute::Held{}) << substitute::to_string(substitute::held());
    EXPECT_TRUE(substitute::misuses().empty()) << substitute::misuses().front();
  }

  CudaMarker& marker() {
    if (marker_ == nullptr) {
      marker_ = std::make_unique<CudaMarker>(std::make_unique<SerialMarker>(), team_);
    }
    return *marker_;
  }
  MarkStats mark(const MarkJob& job) {
    marker().begin(job);
    (void)marker().advance(Marker::kNoBudget);
    return marker().complete();
  }
  const MirrorTraffic& traffic() { return marker().on_device().value().traffic; }

  Team team_{2};
  std::unique_ptr<CudaMarker> marker_;
};

TEST_F(CudaMarkerTest, SendsAnUnchangedHeapOnce) {
  ListHeap heap;
  (void)mark(heap.first_job());
  const Bytes first = traffic().bulk;

  const MarkStats stats = mark(heap.job({}));

  EXPECT_EQ(stats.objects, ListHeap::kObjects);
  EXPECT_GE(first, Bytes{heap.bytes()});
  EXPECT_EQ(traffic().bulk, 0_B);
  EXPECT_EQ(traffic().cards, 0_B);
}

TEST_F(CudaMarkerTest, SendsLessThanThreeHundredthsWhereOneWasWritten) {
  ListHeap heap;
  (void)mark(heap.first_job());
  std::vector<std::uint32_t> cards;
  const std::uint64_t count = heap.bytes() / kCardBytes / 100;
  for (std::uint64_t k = 0; k < count; ++k) {
    cards.push_back(heap.cut(
        static_cast<std::uint32_t>(ListHeap::kObjects - 1 - k * ListHeap::kObjects / count)));
  }

  const MarkStats stats = mark(heap.job(cards));

  EXPECT_EQ(stats.objects, heap.marked());
  EXPECT_LT(stats.objects, ListHeap::kObjects / count + 2);  // the device saw the first cut
  EXPECT_LT(traffic().to_device(), Bytes{heap.bytes()} * 3 / 100);
  EXPECT_GT(traffic().cards, Bytes{count * kCardBytes});
}

TEST_F(CudaMarkerTest, SendsAllAgainWhereNobodySaysWhatWasWritten) {
  ListHeap heap;
  (void)mark(heap.first_job());
  (void)heap.cut(10);

  const MarkStats stats = mark(heap.first_job());

  EXPECT_EQ(stats.objects, 11u);
  EXPECT_GE(traffic().bulk, Bytes{heap.bytes()});
}

TEST_F(CudaMarkerTest, SendsARegionAgainThatWasNotCoveredInBetween) {
  ListHeap heap;
  (void)mark(heap.first_job());
  MarkJob without = heap.job({});
  std::vector<RegionRow> rows(without.heap.regions, without.heap.regions + without.regions);
  rows[1].flags = 0;
  without.heap.regions = rows.data();
  (void)mark(without);
  (void)heap.cut(10);  // in region 1; nobody follows cards there

  const MarkStats stats = mark(heap.job({}));

  EXPECT_EQ(stats.objects, 11u);
  EXPECT_EQ(traffic().bulk, Bytes{std::uint64_t{kGranulesPerRegion} * kGranuleBytes});
}

TEST_F(CudaMarkerTest, NeverSendsLeaves) {
  RandomHeap heap(Shape::kRandom, 11);
  (void)mark(heap.job());

  // Of five regions one holds leaves, one is another heap's, one is not covered.
  EXPECT_EQ(traffic().bulk, Bytes{2 * std::uint64_t{kGranulesPerRegion} * kGranuleBytes});
  EXPECT_EQ(heap.marks(), heap.expected_marks());
}

TEST_F(CudaMarkerTest, ReadsTheHeapWhereItLiesIfMemoryIsShared) {
  marker_.reset();
  play({.can_map = false, .shares_host_memory = true});
  ListHeap heap;
  EXPECT_EQ(mark(heap.first_job()).objects, ListHeap::kObjects);
  (void)heap.cut(10);

  const MarkStats stats = mark(heap.job({}));

  EXPECT_TRUE(marker().on_device()) << marker().fallback();
  EXPECT_EQ(stats.objects, 11u);  // though nobody said what was written
  EXPECT_EQ(traffic().bulk + traffic().cards, 0_B);

  RandomHeap random(Shape::kBigArrays, 5);
  (void)mark(random.job());
  EXPECT_EQ(random.marks(), random.expected_marks());
}

TEST_F(CudaMarkerTest, FindsTheSameInWhateverOrderWorkIsDone) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    marker_.reset();
    play({.seed = seed});
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);

    (void)mark(heap.job());

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
    ASSERT_TRUE(marker().on_device()) << marker().fallback();
  }
}

// One marking, roots added on the way, a second one of cards alone: whichever call fails, and the bits
// are those of the host.
TEST_F(CudaMarkerTest, MarksTheSameWhicheverCallFails) {
  const auto go = [&] {
    RandomHeap heap(Shape::kBigArrays, 5);
    const std::vector<std::uint32_t> cards{kCardsPerRegion, kCardsPerRegion + 3};
    MarkJob job = heap.job();
    const std::span<const ObjectIndex> roots = std::exchange(job.roots, heap.job().roots.first(2));
    marker().begin(job);
    (void)marker().advance(Marker::kNoBudget);
    marker().add(roots);
    (void)marker().complete();
    EXPECT_EQ(heap.marks(), heap.expected_marks());

    heap.clear_marks();
    job = heap.job();
    job.written = cards;
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

TEST_F(CudaMarkerTest, GoesBackToTheDeviceOnceItAnswersAgain) {
  RandomHeap heap(Shape::kTree, 3);
  substitute::fail("cudaMemsetAsync", 1, cudaErrorMemoryAllocation);
  (void)mark(heap.job());
  EXPECT_FALSE(marker().on_device());
  EXPECT_NE(marker().fallback().find("cudaMemsetAsync"), std::string::npos) << marker().fallback();
  EXPECT_EQ(heap.marks(), heap.expected_marks());

  heap.clear_marks();
  (void)mark(heap.job());

  EXPECT_TRUE(marker().on_device());
  EXPECT_EQ(heap.marks(), heap.expected_marks());
}

TEST_F(CudaMarkerTest, AsksALostDeviceNothingMore) {
  RandomHeap heap(Shape::kTree, 3);
  substitute::lose();
  (void)mark(heap.job());
  const std::size_t calls = substitute::calls().size();

  heap.clear_marks();
  (void)mark(heap.job());

  EXPECT_FALSE(marker().on_device());
  EXPECT_EQ(substitute::calls().size(), calls);
  EXPECT_EQ(heap.marks(), heap.expected_marks());
  marker_.reset();
  play({});
}

TEST_F(CudaMarkerTest, LeavesItToTheHostWhereTheDeviceCannot) {
  const std::uint64_t small = 1u << 20;
  for (const substitute::Machine& machine :
       {substitute::Machine{.has_driver = false}, substitute::Machine{.devices = 0},
        substitute::Machine{.can_map = false}, substitute::Machine{.device_bytes = small}}) {
    marker_.reset();
    play(machine);
    ListHeap heap;

    const MarkStats stats = mark(heap.first_job());

    EXPECT_FALSE(marker().on_device());
    EXPECT_FALSE(marker().fallback().empty());
    EXPECT_EQ(stats.objects, ListHeap::kObjects);
    EXPECT_EQ(heap.marked(), ListHeap::kObjects);
  }
}

}  // namespace

}  // namespace tenure::testing
