// What a fast marker must do besides: depth and width change nothing, neither in the bits nor in the
// memory that it needs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "core/model/marker.hpp"
#include "tests/support/plain_graph.hpp"
#include "tests/support/random_heap.hpp"

namespace tenure::testing {

/// Under a sanitizer a part of the size is enough, and all that there is time for.
inline constexpr std::uint32_t kShare = TENURE_TEST_SHARE;

template <class M>
class MarkerScaleContract : public ::testing::Test {
 protected:
  M marker;
};
TYPED_TEST_SUITE_P(MarkerScaleContract);

TYPED_TEST_P(MarkerScaleContract, WalksAListOfFiveMillionInOrder) {
  constexpr std::uint32_t kLength = 5'000'000 / kShare;
  PlainGraph list(kLength, 1);
  for (std::uint32_t k = 0; k + 1 < kLength; ++k) {
    list.set_slot(list.object(k), 0, list.object(k + 1));
  }
  const ObjectIndex root = list.object(0);

  this->marker.begin(list.job({&root, 1}));

  EXPECT_EQ(this->marker.complete().objects, kLength);
  EXPECT_EQ(list.marked(), kLength);
}

TYPED_TEST_P(MarkerScaleContract, WalksAShuffledListInSlices) {
  constexpr std::uint32_t kLength = 500'000 / kShare;
  PlainGraph list(kLength, 1);
  std::vector<std::uint32_t> order(kLength);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  for (std::uint32_t k = 0; k + 1 < kLength; ++k) {
    list.set_slot(list.object(order[k]), 0, list.object(order[k + 1]));
  }
  const ObjectIndex root = list.object(order[0]);

  this->marker.begin(list.job({&root, 1}));
  while (!this->marker.advance(10'000)) {
  }

  EXPECT_EQ(this->marker.complete().objects, kLength);
  EXPECT_EQ(list.marked(), kLength);
}

TYPED_TEST_P(MarkerScaleContract, ReadsAnArrayOfTenMillionReferences) {
  constexpr std::uint32_t kSlots = 10'000'000 / kShare;
  constexpr std::uint32_t kObjects = 1'000'000 / kShare;
  PlainGraph wide(kObjects, 0, kSlots);
  std::mt19937_64 random(2);
  std::vector<bool> named(kObjects);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    const auto k = static_cast<std::uint32_t>(random() % (2 * kObjects));  // half of them null
    if (k < kObjects) {
      named[k] = true;
      wide.set_slot(wide.array(), slot, wide.object(k));
    }
  }
  const ObjectIndex root = wide.array();
  const auto expected =
      1 + static_cast<std::uint64_t>(std::count(named.begin(), named.end(), true));

  this->marker.begin(wide.job({&root, 1}));

  EXPECT_EQ(this->marker.complete().objects, expected);
  EXPECT_EQ(wide.marked(), expected);
}

TYPED_TEST_P(MarkerScaleContract, ReadsALongArrayInSlices) {
  constexpr std::uint32_t kSlots = 1'000'000 / kShare;
  PlainGraph wide(kSlots, 0, kSlots);
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    wide.set_slot(wide.array(), slot, wide.object(slot));
  }
  const ObjectIndex root = wide.array();

  this->marker.begin(wide.job({&root, 1}));
  std::uint32_t slices = 1;
  while (!this->marker.advance(1)) {
    ++slices;
  }

  EXPECT_EQ(this->marker.complete().objects, kSlots + 1);
  EXPECT_GE(slices, kSlots / 8192) << "a slice of one object read too much of the array";
}

TYPED_TEST_P(MarkerScaleContract, MarksLargerRandomHeaps) {
  for (std::uint64_t seed = 1; seed <= 40 / kShare; ++seed) {
    RandomHeap heap(kShapes[seed % kShapes.size()], seed, 20'000);

    this->marker.begin(heap.job());
    this->marker.complete();

    ASSERT_EQ(heap.marks(), heap.expected_marks()) << "seed " << seed;
  }
}

REGISTER_TYPED_TEST_SUITE_P(MarkerScaleContract, WalksAListOfFiveMillionInOrder,
                            WalksAShuffledListInSlices, ReadsAnArrayOfTenMillionReferences,
                            ReadsALongArrayInSlices, MarksLargerRandomHeaps);

}  // namespace tenure::testing
