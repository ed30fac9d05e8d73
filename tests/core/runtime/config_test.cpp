#include "tenure/config.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "tenure/runtime.hpp"

namespace tenure {
namespace {

TEST(ConfigText, SetsWhatItNamesAndLeavesTheRest) {
  const Result<Config> config = parse_config("nursery=8MiB,mode=manual,verify=on,check=payload");

  ASSERT_TRUE(config.ok()) << config.failure().message;
  EXPECT_EQ(config->nursery, 8_MiB);
  EXPECT_EQ(config->mode, Mode::kManual);
  EXPECT_TRUE(config->verify);
  EXPECT_EQ(config->check, Check::kPayload);
  EXPECT_EQ(Config{}.check, Check::kOff);
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
  for (const char* text : {"generations=0",
                           "generations=9",
                           "generations=-1",
                           "generations=3x",
                           "nursery=1KiB",
                           "nursery=",
                           "mode=sometimes",
                           "verify=maybe",
                           "check=all",
                           "nursery",
                           "=3",
                           "seed=99999999999999999999",
                           "promotion_age=0",
                           "promotion_age=16",
                           "promotion_age=3/16",
                           "promotion_age=3/",
                           "promotion_age=/3",
                           "promotion_age=",
                           "promotion_age=3//3",
                           "promotion_age=-1",
                           "collection_ratio=1/10/1000000001"}) {
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
  EXPECT_EQ(again.promotion_age, PerGeneration(1));
  EXPECT_EQ(again.collection_ratio, (PerGeneration{1, 10, 50, 250, 1250}));
}

std::string value_of(const Config& config, std::string_view option) {
  for (const ConfigRow& row : describe(config)) {
    if (row.name == option) {
      return row.value;
    }
  }
  return "none";
}

TEST(ConfigLists, AreNumbersByGenerationOrOneForAll) {
  const Config list = value_or_throw(
      parse_config("promotion_age=3/1/15,generations=4,collection_ratio=1/4/0/1000000000"));
  const Config one = value_or_throw(parse_config("promotion_age=2,collection_ratio=0"));

  EXPECT_EQ(list.promotion_age, (PerGeneration{3, 1, 15}));
  EXPECT_EQ(list.collection_ratio, (PerGeneration{1, 4, 0, 1'000'000'000}));
  EXPECT_EQ(one.promotion_age, PerGeneration(2));
  EXPECT_EQ(one.promotion_age[0] + one.promotion_age[1], 4u);
  EXPECT_EQ(one.collection_ratio, PerGeneration{0});
}

TEST(ConfigLists, AreByDefaultAsLongAsThereAreGenerations) {
  Config config;
  EXPECT_EQ(value_of(config, "promotion_age"), "3/3");
  EXPECT_EQ(value_of(config, "collection_ratio"), "1/10/50");
  for (config.generations = 1; config.generations <= kMaxGenerations; ++config.generations) {
    EXPECT_TRUE(check_config(config).ok()) << config.generations;
    for (const ConfigRow& row : describe(config)) {
      EXPECT_EQ(row.source == ConfigSource::kUser,
                row.name == "generations" && config.generations != 3)
          << row.name << " with " << config.generations;
    }
  }
  config.generations = 8;
  EXPECT_EQ(value_of(config, "promotion_age"), "3/3/2/2/2/2/2");
  EXPECT_EQ(value_of(config, "collection_ratio"), "1/10/50/250/1250/6250/31250/156250");
  config.generations = 1;
  EXPECT_EQ(value_of(config, "collection_ratio"), "1");
}

TEST(ConfigLists, AreRefusedByTheirLengthAndWhatItShouldBe) {
  const auto refusal = [](const char* text) {
    const Result<Config> config = parse_config(text);
    return config.ok() ? "accepted" : config.failure().message;
  };
  EXPECT_EQ(
      refusal("promotion_age=3/3/2"),
      "promotion_age is 3/3/2, 3 ages, and of 3 generations 2 are young: it takes as many, or "
      "one for all");
  EXPECT_EQ(
      refusal("generations=2,promotion_age=3/3"),
      "promotion_age is 3/3, 2 ages, and of 2 generations 1 is young: it takes as many, or one "
      "for all");
  EXPECT_EQ(refusal("collection_ratio=1/10"),
            "collection_ratio is 1/10, 2 ratios, and there are 3 generations: it takes as many, or "
            "one for all but the youngest");
  EXPECT_EQ(refusal("collection_ratio=5/10/50"),
            "collection_ratio is 5/10/50, and begins with 1: every young collection takes "
            "generation 0");
  EXPECT_EQ(refusal("collection_ratio=1/10/50/250/1250/6250/31250/156250/781250").substr(0, 16),
            "collection_ratio");
  EXPECT_EQ(refusal("generations=1,promotion_age=4,collection_ratio=7"), "accepted");
}

TEST(ConfigLists, AreCheckedWhereAProgramSetsThem) {
  EXPECT_FALSE(Runtime::open({.promotion_age = {1, 16}}).ok());
  EXPECT_FALSE(Runtime::open({.promotion_age = 0}).ok());
  EXPECT_FALSE(Runtime::open({.generations = 2, .collection_ratio = {1, 10, 50}}).ok());
  EXPECT_TRUE(Runtime::open({.promotion_age = {1, 15}, .collection_ratio = {1, 5, 25}}).ok());
}

class Environment : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const char* const name :
         {"TENURE_NURSERY", "TENURE_GENERATIONS", "TENURE_PROMOTION_AGE"}) {
      unsetenv(name);
    }
  }
};

TEST_F(Environment, GoesOverWhatTheProgramAsksFor) {
  setenv("TENURE_NURSERY", "2MiB", 1);

  const Runtime runtime = value_or_throw(Runtime::open({}));

  EXPECT_EQ(runtime.config().nursery, 2_MiB);
  for (const ConfigRow& row : runtime.describe()) {
    EXPECT_EQ(row.source == ConfigSource::kEnvironment, row.name == "nursery") << row.name;
  }
}

TEST_F(Environment, ChangesTheLengthOfDefaultsWithoutBeingTheirSource) {
  setenv("TENURE_GENERATIONS", "5", 1);

  const Runtime runtime = value_or_throw(Runtime::open({}));

  for (const ConfigRow& row : runtime.describe()) {
    EXPECT_EQ(row.source == ConfigSource::kEnvironment, row.name == "generations") << row.name;
  }
}

TEST_F(Environment, SetsListsThatHaveToFitTheGenerations) {
  setenv("TENURE_PROMOTION_AGE", "1/2", 1);

  EXPECT_EQ(value_or_throw(Runtime::open({})).config().promotion_age, (PerGeneration{1, 2}));
  EXPECT_FALSE(Runtime::open({.generations = 4}).ok());
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
