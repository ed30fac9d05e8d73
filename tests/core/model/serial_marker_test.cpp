#include "core/model/serial_marker.hpp"

#include "tests/contract/marker_contract.hpp"

namespace tenure::testing {

INSTANTIATE_TYPED_TEST_SUITE_P(Serial, MarkerContract, SerialMarker);

TEST(SerialMarker, WalksAListOfAMillionWithoutRecursing) {
  // A list in one plain run of words: object k names object k + 1.
  constexpr std::uint32_t kLength = 1'000'000;
  const std::uint32_t regions = 2 * kLength / kGranulesPerRegion + 2;
  std::vector<std::uint32_t> words(std::size_t{2} * regions * kGranulesPerRegion);
  std::vector<std::uint32_t> marks(words.size() / 128);
  std::vector<RegionRow> rows(
      regions, {.heap = HeapId{1}, .kind = RegionKind::kBlocks, .flags = RegionRow::kMarking});
  const std::vector<TypeRow> types{{}, {}, {1, 0}};
  for (std::uint32_t k = 0; k < kLength; ++k) {
    const std::size_t at = kGranulesPerRegion + 2 * std::size_t{k};
    words[2 * at] = 2;
    words[2 * at + 1] = 2;
    words[2 * at + 2] = k + 1 < kLength ? static_cast<std::uint32_t>(at + 2) : 0;
  }
  const ObjectIndex root{kGranulesPerRegion};
  SerialMarker marker;

  marker.begin({.heap = {words.data(), types.data(), rows.data(), nullptr, marks.data(), HeapId{1}},
                .roots = {&root, 1}});

  EXPECT_EQ(marker.complete().objects, kLength);
}

}  // namespace tenure::testing
