// Cards into a heap's copy, and what lives in it by the mark bits.
#include <algorithm>
#include <bit>
#include <numeric>
#include <random>

#include "core/model/serial_marker.hpp"
#include "kernels/launch.hpp"
#include "tests/kernels/device_marking.hpp"
#include "tests/kernels/kernel_fixture.hpp"

namespace tenure::testing {

namespace {

constexpr std::uint32_t kWordsPerCard = kCardBytes / sizeof(std::uint32_t);

using HeapKernelTest = KernelTest;

// Puts `count` of `cards` cards, drawn from the seed, and expects the others untouched.
void expect_cards_in_place(std::uint32_t count, std::uint32_t cards) {
  std::mt19937 random(count);
  std::vector<std::uint32_t> numbers(cards);
  std::iota(numbers.begin(), numbers.end(), 0u);
  std::shuffle(numbers.begin(), numbers.end(), random);
  numbers.resize(count);
  std::vector<std::uint32_t> expected(std::size_t{cards} * kWordsPerCard, 7);
  std::vector<std::uint32_t> staged(std::size_t{count} * kWordsPerCard);
  std::generate(staged.begin(), staged.end(), std::ref(random));
  for (std::uint32_t k = 0; k < count; ++k) {
    std::copy_n(staged.begin() + k * kWordsPerCard, kWordsPerCard,
                expected.begin() + std::size_t{numbers[k]} * kWordsPerCard);
  }
  Buffer<std::uint32_t> words(expected.size(), 7);
  Buffer<std::uint32_t> staging(staged);
  Buffer<std::uint32_t> places(numbers);

  ASSERT_EQ(
      kernels::launch_apply_cards(nullptr, words.data(), staging.data(), places.data(), count),
      kernels::LaunchStatus::kOk);

  EXPECT_EQ(words.read(), expected) << count << " cards";
}

TEST_F(HeapKernelTest, PutsStagedCardsInTheirPlacesAndTouchesNothingElse) {
  for (const std::uint32_t count : {0u, 1u, 7u, 8u, 41u, 60u}) {
    expect_cards_in_place(count, 60);
  }
}

TEST_F(HeapKernelTest, PutsMoreCardsThanAGridHasWarps) {
  if (share_of(100) < 100) {
    GTEST_SKIP() << "a million lanes take too long under a sanitizer";
  }
  expect_cards_in_place(10'000, 12'000);
}

// What is marked, counted object by object.
std::vector<kernels::RegionLive> walked(const HeapArrays& heap, const HeapView& view,
                                        const std::vector<std::uint32_t>& marks,
                                        std::vector<std::uint16_t>& blocks) {
  std::vector<kernels::RegionLive> live(heap.regions.size());
  blocks.assign(heap.blocks.size(), 0);
  for (std::uint32_t bit = 0; bit < marks.size() * 32; ++bit) {
    if ((marks[bit / 32] >> (bit % 32) & 1) != 0) {
      const ObjectIndex object = object_of_mark(view, bit);
      const std::uint32_t cell = heap.blocks[block_of(object)].cell;
      live[region_of(object)].objects += 1;
      live[region_of(object)].granules += cell != 0 ? cell : heap.words[first_word_of(object) + 1];
      blocks[block_of(object)] += 1;
    }
  }
  return live;
}

TEST_F(HeapKernelTest, CountsWhatLivesInEachRegionAndBlock) {
  for (std::uint64_t seed = 1; seed <= share_of(35); ++seed) {
    use_order(static_cast<unsigned>(seed % 5));
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);
    DeviceMarking marking(heap.arrays(), 4096);
    marking.mark(heap.job().roots);
    Buffer<kernels::RegionLive> regions(heap.arrays().regions.size(), {77, 77});
    Buffer<std::uint16_t> blocks(heap.arrays().blocks.size(), 77);

    ASSERT_EQ(kernels::launch_live(nullptr, marking.launch().heap, regions.data(), blocks.data()),
              kernels::LaunchStatus::kOk);

    std::vector<std::uint16_t> expected_blocks;
    const std::vector<kernels::RegionLive> expected =
        walked(heap.arrays(), heap.job().heap, heap.expected_marks(), expected_blocks);
    EXPECT_EQ(blocks.read(), expected_blocks) << "seed " << seed;
    const std::vector<kernels::RegionLive> found = regions.read();
    for (std::size_t region = 0; region < found.size(); ++region) {
      EXPECT_EQ(found[region].objects, expected[region].objects) << "seed " << seed;
      EXPECT_EQ(found[region].granules, expected[region].granules) << "seed " << seed;
    }
  }
}

}  // namespace

}  // namespace tenure::testing
