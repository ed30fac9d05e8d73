// The packing instances that were published with MiniMalloc (ASPLOS 2023), A to K: all are known to fit
// into 1,048,576, and to be hard. Which of them the search fits, in a bounded number of steps.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/packing_search.hpp"

namespace tenure {
namespace {

constexpr std::uint64_t kCapacity = 1'048'576;

std::vector<Lifetime> instance(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // id,lower,upper,size
  std::vector<Lifetime> blocks;
  while (std::getline(file, line)) {
    unsigned id = 0;
    unsigned begin = 0;
    unsigned end = 0;
    unsigned long long bytes = 0;
    if (std::sscanf(line.c_str(), "%u,%u,%u,%llu", &id, &begin, &end, &bytes) == 4) {
      blocks.push_back({begin, end, bytes});
    }
  }
  return blocks;
}

class MiniMallocTest : public ::testing::TestWithParam<char> {};

TEST_P(MiniMallocTest, FitsIntoTheKnownCapacity) {
  const std::filesystem::path path = std::filesystem::path(TENURE_TEST_MORE_TRACES) / "minimalloc" /
                                     (std::string(1, GetParam()) + ".1048576.csv");
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "there is no " << path;
  }
  const std::vector<Lifetime> blocks = instance(path);

  const std::optional<Layout> layout = PackingSearch(blocks).fit(kCapacity, TENURE_TEST_STEPS);

  ASSERT_TRUE(layout.has_value());
  EXPECT_EQ(fault_of(blocks, *layout), "");
}

INSTANTIATE_TEST_SUITE_P(Instances, MiniMallocTest,
                         ::testing::Values('C', 'D', 'F', 'G', 'H', 'J', 'K'),
                         [](const auto& instance) { return std::string(1, instance.param); });

}  // namespace
}  // namespace tenure
