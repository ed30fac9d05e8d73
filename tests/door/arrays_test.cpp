#include <gtest/gtest.h>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

using Arrays = RuntimeTest;

TEST_F(Arrays, KnowTheirLengthAndStartNull) {
  for (const std::uint32_t length : {0u, 1u, 2u, 3u, 100u, 101u, 5'000u, 100'000u}) {
    const Local<RefArray<Node>> array = make_array<Node>(*mutator, length);

    ASSERT_EQ(array->size(), length);
    for (const Ref<Node>& slot : *array) {
      ASSERT_FALSE(slot);
    }
  }
}

TEST_F(Arrays, KeepTheirElementsThroughCollections) {
  constexpr std::uint32_t kLength = 2'000;
  const Local<RefArray<Node>> array = make_array<Node>(*mutator, kLength);
  for (std::uint32_t k = 0; k < kLength; ++k) {
    (*array)[k] = make_node(k);
  }

  collect_young();
  collect_full();
  collect_young();

  for (std::uint32_t k = 0; k < kLength; ++k) {
    ASSERT_EQ((*array)[k]->value, k);
  }
}

TEST_F(Arrays, LargerThanARegionKeepWhatIsStoredFarBehindTheirStart) {
  constexpr std::uint32_t kLength = 300'000;  // 1.2 MB: five regions
  const Local<RefArray<Node>> array = make_array<Node>(*mutator, kLength);
  for (std::uint32_t k = 0; k < kLength; k += 1'000) {
    (*array)[k] = make_node(k);
  }
  (*array)[kLength - 1] = make_node(-1);

  for (int round = 0; round < 10; ++round) {
    collect_young();
  }

  for (std::uint32_t k = 0; k < kLength; k += 1'000) {
    ASSERT_EQ((*array)[k]->value, k);
  }
  EXPECT_EQ((*array)[kLength - 1]->value, -1);
}

TEST_F(Arrays, DropWhatIsOverwritten) {
  const Local<RefArray<Node>> array = make_array<Node>(*mutator, 10);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t k = 0; k < 10; ++k) {
      (*array)[k] = make_node(k);
    }
  }

  collect_full();

  EXPECT_EQ(objects(), 11u);
}

TEST_F(Arrays, TooLongAreRefused) {
  EXPECT_THROW((void)make_array<Node>(*mutator, (std::uint64_t{1} << 31) + 1), Failure);
}

}  // namespace
}  // namespace tenure::testing
