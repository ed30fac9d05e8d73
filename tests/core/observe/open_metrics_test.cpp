// Statistics as OpenMetrics text, read back line by line as the specification has them.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tenure/export.hpp"

namespace tenure::testing {
namespace {

// Samples by name and labels; checks each line's form, and that families are not mixed.
std::map<std::string, double> read(const std::string& text) {
  std::map<std::string, double> samples;
  std::set<std::string> families;
  std::map<std::string, std::string> kinds;
  std::string family;
  std::istringstream lines(text);
  const std::regex sample(R"re(([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\.)*"\})? (-?[0-9.]+))re");
  const std::regex head(R"re(# (TYPE|UNIT|HELP) ([a-z_]+) (.+))re");
  bool ended = false;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(ended) << "nothing stands behind the end";
    std::smatch match;
    if (line == "# EOF") {
      ended = true;
    } else if (std::regex_match(line, match, head)) {
      if (match[1] == "TYPE") {
        family = match[2];
        kinds[family] = match[3];
        EXPECT_TRUE(families.insert(family).second) << family << " comes twice";
      }
      EXPECT_EQ(match[2], family);
      if (match[1] == "UNIT") {
        EXPECT_TRUE(family.ends_with("_" + match[3].str())) << family;
      }
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_TRUE(match[1].str().starts_with(family)) << line;
      if (kinds[family] == "counter") {
        EXPECT_EQ(match[1].str(), family + "_total");
      }
      EXPECT_TRUE(samples.emplace(match[1].str() + match[2].str(), std::stod(match[3])).second);
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_TRUE(ended);
  return samples;
}

TEST(OpenMetrics, HaveTheFiguresOfTheStatistics) {
  Statistics statistics;
  statistics.bytes_by_generation[0] = Bytes{100};
  statistics.bytes_by_generation[2] = Bytes{300};
  statistics.bytes_allocated = Bytes{1'000'000'000'000};
  statistics.fragmentation = 0.25;
  statistics.collections_by_trigger[static_cast<std::size_t>(CollectionTrigger::kPeriodic)] = 7;
  statistics.full_collections = 3;
  for (int k = 0; k < 100; ++k) {
    statistics.pauses.add(2'000'000);
  }
  PoolStatistics pool;
  pool.kind = MemoryKind::kDevice;
  pool.live = Bytes{77};
  pool.leases = 12;
  statistics.pools = {pool};

  auto samples = read(to_open_metrics(statistics));

  EXPECT_EQ(samples.at("tenure_heap_used_bytes{generation=\"0\"}"), 100);
  EXPECT_EQ(samples.at("tenure_heap_used_bytes{generation=\"2\"}"), 300);
  EXPECT_EQ(samples.at("tenure_heap_allocated_bytes_total"), 1e12);
  EXPECT_EQ(samples.at("tenure_heap_fragmentation_ratio"), 0.25);
  EXPECT_EQ(samples.at("tenure_collections_total{trigger=\"" +
                       std::string(to_string(CollectionTrigger::kPeriodic)) + "\"}"),
            7);
  EXPECT_EQ(samples.at("tenure_full_collections_total"), 3);
  EXPECT_EQ(samples.at("tenure_pause_seconds_count"), 100);
  EXPECT_NEAR(samples.at("tenure_pause_seconds_sum"), 0.2, 1e-6);
  EXPECT_NEAR(samples.at("tenure_pause_seconds{quantile=\"0.99\"}"), 0.002, 1e-4);
  EXPECT_EQ(samples.at("tenure_pool_live_bytes{kind=\"device\"}"), 77);
  EXPECT_EQ(samples.at("tenure_pool_leases_total{kind=\"device\"}"), 12);
}

TEST(OpenMetrics, HaveNoFamilyWithoutSamples) {
  const auto samples = read(to_open_metrics(Statistics{}));

  for (const auto& [name, value] : samples) {
    EXPECT_FALSE(name.starts_with("tenure_pool")) << name;
  }
}

}  // namespace
}  // namespace tenure::testing
