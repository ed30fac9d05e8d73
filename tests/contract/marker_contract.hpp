// What every marker must do: on 200 seeded heaps of all shapes its bits equal those of a walk over
// the edges, whatever the budget it is advanced by.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <span>
#include <string>
#include <utility>

#include "core/model/marker.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::testing {

template <class M>
class MarkerContract : public ::testing::Test {
 protected:
  // A marker that needs a device says why there is none.
  void SetUp() override {
    if constexpr (requires { M::why_not(); }) {
      if (const std::string why = M::why_not(); !why.empty()) {
        GTEST_SKIP() << why;
      }
    }
  }
  M marker;
};
TYPED_TEST_SUITE_P(MarkerContract);

TYPED_TEST_P(MarkerContract, MarksWhatTheRootsReachAndNothingElse) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);

    this->marker.begin(heap.job());
    this->marker.complete();

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TYPED_TEST_P(MarkerContract, MarksTheSameInSlices) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);

    this->marker.begin(heap.job());
    while (!this->marker.advance(3)) {
    }
    this->marker.complete();

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TYPED_TEST_P(MarkerContract, MarksTheSameWhereRootsAreAddedOnTheWay) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);
    MarkJob job = heap.job();
    const std::span<const ObjectIndex> roots = std::exchange(job.roots, {});

    this->marker.begin(job);
    for (std::size_t k = 0; k < roots.size(); ++k) {
      this->marker.add(roots.subspan(k, 1));
      this->marker.advance(seed % 3 * 5);  // 0: they pile up; else some of what they reach is read
    }
    this->marker.complete();

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TYPED_TEST_P(MarkerContract, TakesRootsAfterNothingWasLeft) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);
    MarkJob job = heap.job();
    const std::span<const ObjectIndex> roots = std::exchange(job.roots, {});

    this->marker.begin(job);
    ASSERT_TRUE(this->marker.advance(Marker::kNoBudget)) << "seed " << seed;
    this->marker.add(roots);
    while (!this->marker.advance(7)) {
    }
    this->marker.add(roots);  // marked ones change nothing
    EXPECT_TRUE(this->marker.advance(0)) << "seed " << seed;
    this->marker.complete();

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

TYPED_TEST_P(MarkerContract, CountsEachObjectOnce) {
  RandomHeap heap(Shape::kRandom, 7);

  this->marker.begin(heap.job());
  const MarkStats stats = this->marker.complete();

  std::uint64_t bits = 0;
  for (const std::uint32_t word : heap.expected_marks()) {
    bits += static_cast<std::uint64_t>(std::popcount(word));
  }
  EXPECT_EQ(stats.objects, bits);
}

TYPED_TEST_P(MarkerContract, MarksNothingWithoutRoots) {
  RandomHeap heap(Shape::kRandom, 3);
  MarkJob job = heap.job();
  job.roots = {};

  this->marker.begin(job);
  const MarkStats stats = this->marker.complete();

  EXPECT_EQ(stats.objects, 0u);
}

TYPED_TEST_P(MarkerContract, ForgetsTheLastMarkingWhenANewOneBegins) {
  RandomHeap first(Shape::kTree, 5);
  RandomHeap second(Shape::kRings, 6);
  this->marker.begin(first.job());
  this->marker.advance(1);

  this->marker.begin(second.job());
  this->marker.complete();

  EXPECT_EQ(second.marks(), second.expected_marks());
}

REGISTER_TYPED_TEST_SUITE_P(MarkerContract, MarksWhatTheRootsReachAndNothingElse,
                            MarksTheSameInSlices, MarksTheSameWhereRootsAreAddedOnTheWay,
                            TakesRootsAfterNothingWasLeft, CountsEachObjectOnce,
                            MarksNothingWithoutRoots, ForgetsTheLastMarkingWhenANewOneBegins);

}  // namespace tenure::testing
