// The heaps of the device benchmark are what they say: all objects are there and reachable, whatever
// the shape, the order and the number of threads that made them.
#include "bench/gpu/big_heap.hpp"

#include <gtest/gtest.h>

#include <set>

#include "bench/gpu/shuffle.hpp"
#include "core/model/serial_marker.hpp"

namespace tenure::bench {

namespace {

std::uint64_t marked_in(BigHeap& heap) {
  SerialMarker marker;
  marker.begin(heap.job());
  return marker.complete().objects;
}

TEST(BigHeapTest, ReachesEveryObject) {
  for (const BigShape shape : {BigShape::kGraph, BigShape::kList, BigShape::kWideArray}) {
    for (const Order order : {Order::kAllocation, Order::kShuffled}) {
      for (const Leaves leaves : {Leaves::kNone, Leaves::kHalf}) {
        for (const std::uint32_t references : {2u, 4u, 8u}) {
          const BigHeapOptions options{shape, order, leaves, 20'000, references};
          BigHeap heap(options, 3);

          EXPECT_EQ(marked_in(heap), heap.objects()) << in_words(options);
          EXPECT_GE(heap.objects(), 20'000u);
        }
      }
    }
  }
}

TEST(BigHeapTest, IsTheSameByAnyNumberOfThreads) {
  const BigHeapOptions options{.order = Order::kShuffled, .objects = 5'000, .references = 4};
  BigHeap one(options, 1);
  BigHeap four(options, 4);
  (void)marked_in(one);
  (void)marked_in(four);

  EXPECT_TRUE(std::equal(one.marks().begin(), one.marks().end(), four.marks().begin()));
}

TEST(BigHeapTest, KeepsLeavesInRegionsOfTheirOwn) {
  BigHeap heap({.leaves = Leaves::kHalf, .objects = 100'000, .references = 2}, 2);
  const BigHeap full({.objects = 100'000, .references = 2}, 2);

  EXPECT_LT(heap.bytes(), full.bytes() * 6 / 10);
  EXPECT_EQ(marked_in(heap), heap.objects());
}

TEST(ShuffleTest, GivesEachNumberOnce) {
  for (const std::uint32_t count : {1u, 2u, 3u, 1000u, 4097u}) {
    const Shuffle shuffle(count);
    std::set<std::uint32_t> seen;
    for (std::uint32_t k = 0; k < count; ++k) {
      seen.insert(shuffle(k));
    }
    EXPECT_EQ(seen.size(), count);
    EXPECT_LT(*seen.rbegin(), count);
  }
}

}  // namespace

}  // namespace tenure::bench
