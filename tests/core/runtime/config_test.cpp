#include "tenure/config.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tenure/runtime.hpp"

namespace tenure {
namespace {

TEST(ConfigText, SetsWhatItNamesAndLeavesTheRest) {
  const Result<Config> config = parse_config("nursery=8MiB,mode=manual,verify=on");

  ASSERT_TRUE(config.ok()) << config.failure().message;
  EXPECT_EQ(config->nursery, 8_MiB);
  EXPECT_EQ(config->mode, Mode::kManual);
  EXPECT_TRUE(config->verify);
  EXPECT_EQ(config->generations, Config{}.generations);
}

TEST(ConfigText, MayBeEmpty) { EXPECT_TRUE(parse_config("").ok()); }

TEST(ConfigText, IsRefusedWithTheOptionsThatThereAre) {
  const Result<Config> config = parse_config("nurserie=8MiB");

  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.failure().code, ErrorCode::kBadConfig);
  EXPECT_NE(config.failure().message.find("nurserie=8MiB"), std::string::npos);
  EXPECT_NE(config.failure().message.find("nursery"), std::string::npos);
}

TEST(ConfigText, IsRefusedWithTheRangeOfTheOption) {
  for (const char* text : {"generations=0", "generations=9", "generations=-1", "generations=3x",
                           "nursery=1KiB", "nursery=", "mode=sometimes", "verify=maybe", "nursery",
                           "=3", "seed=99999999999999999999"}) {
    const Result<Config> config = parse_config(text);
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_EQ(config.failure().code, ErrorCode::kBadConfig) << text;
  }
  EXPECT_NE(parse_config("generations=9").failure().message.find("1 to 8"), std::string::npos);
}

TEST(ConfigCheck, NamesTwoFieldsThatContradictEachOther) {
  const Result<Config> config = parse_config("nursery=256MiB,heap_limit=300MiB");

  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.failure().message.find("heap_limit"), std::string::npos);
  EXPECT_NE(config.failure().message.find("nursery"), std::string::npos);
}

TEST(ConfigCheck, LooksAtFieldsThatAProgramSet) {
  Config config;
  config.generations = 0;

  EXPECT_FALSE(check_config(config).ok());
  EXPECT_FALSE(Runtime::open(config).ok());
}

TEST(ConfigDescription, ReadsBackAsTheSameConfiguration) {
  const Config config =
      value_or_throw(parse_config("nursery=3MiB,generations=5,promotion_age=1,seed=77,"
                                  "payload_budget=1000000000,collect_every=12"));
  std::string text;
  for (const ConfigRow& row : describe(config)) {
    text += (text.empty() ? "" : ",") + std::string(row.name) + "=" + row.value;
  }

  const Config again = value_or_throw(parse_config(text));

  EXPECT_EQ(again.nursery, config.nursery);
  EXPECT_EQ(again.payload_budget, config.payload_budget);
  EXPECT_EQ(again.seed, 77u);
  EXPECT_EQ(again.collect_every, 12u);
  EXPECT_EQ(again.generations, 5u);
}

class Environment : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("TENURE_NURSERY"); }
};

TEST_F(Environment, GoesOverWhatTheProgramAsksFor) {
  setenv("TENURE_NURSERY", "2MiB", 1);

  const Runtime runtime = value_or_throw(Runtime::open({}));

  EXPECT_EQ(runtime.config().nursery, 2_MiB);
  for (const ConfigRow& row : runtime.describe()) {
    EXPECT_EQ(row.source == ConfigSource::kEnvironment, row.name == "nursery") << row.name;
  }
}

TEST_F(Environment, IsRefusedByTheVariablesName) {
  setenv("TENURE_NURSERY", "lots", 1);

  const Result<Runtime> runtime = Runtime::open({});

  ASSERT_FALSE(runtime.ok());
  EXPECT_NE(runtime.failure().message.find("TENURE_NURSERY"), std::string::npos);
}

TEST(Runtime, RefusesADeviceThatIsNotThere) {
  Config config;
  config.device = "abacus";

  const Result<Runtime> runtime = Runtime::open(config);

  ASSERT_FALSE(runtime.ok());
  EXPECT_NE(runtime.failure().message.find("abacus"), std::string::npos);
}

}  // namespace
}  // namespace tenure
