// The timeline that tracing pages open: parsed by another's parser, and looked at entry by entry.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tenure/events.hpp"
#include "tenure/payload.hpp"
#include "tenure/pressure.hpp"
#include "tenure/statistics.hpp"

namespace tenure::testing {
namespace {

using Json = nlohmann::json;

std::vector<Json> entries(const EventBatch& batch, const std::string& phase) {
  std::vector<Json> found;
  const Json trace = Json::parse(to_chrome_trace(batch));
  for (const Json& entry : trace.at("traceEvents")) {
    // What the format demands of each.
    EXPECT_TRUE(entry.at("name").is_string() && entry.at("ts").is_number() &&
                entry.at("pid").is_number() && entry.at("tid").is_number());
    if (entry.at("ph") == phase) {
      found.push_back(entry);
    }
  }
  return found;
}

TEST(ChromeTrace, ShowsCollectionsForAsLongAsTheyTook) {
  EventBatch batch;
  batch.events = {{.time_ns = 1'234'567,
                   .amount = 2'000'500,
                   .subject = static_cast<std::uint32_t>(CollectionTrigger::kPeriodic),
                   .kind = EventKind::kCollection,
                   .detail = 2},
                  {.time_ns = 1'300'000, .amount = 100, .kind = EventKind::kMarking, .detail = 2}};

  const std::vector<Json> shown = entries(batch, "X");

  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0].at("name"), "collection");
  EXPECT_DOUBLE_EQ(shown[0].at("ts").get<double>(), 1234.567);
  EXPECT_DOUBLE_EQ(shown[0].at("dur").get<double>(), 2000.5);
  EXPECT_EQ(shown[0].at("args").at("trigger"), to_string(CollectionTrigger::kPeriodic));
  EXPECT_EQ(shown[0].at("args").at("generations_up_to"), 2);
  EXPECT_EQ(shown[1].at("name"), "marking");
}

TEST(ChromeTrace, SumsAllocationsUpByThreadAndMillisecond) {
  EventBatch batch;
  for (const std::uint64_t time : {1'000'001u, 1'999'999u, 2'000'000u}) {
    batch.events.push_back({.time_ns = time, .amount = 100, .thread = 7});
  }
  batch.events.push_back({.time_ns = 1'500'000, .amount = 8, .thread = 9});

  const std::vector<Json> counters = entries(batch, "C");

  ASSERT_EQ(counters.size(), 3u);
  EXPECT_EQ(counters[0].at("args").at("bytes_per_ms"), 200);
  EXPECT_EQ(counters[0].at("ts"), 1000);
  EXPECT_EQ(counters[1].at("args").at("bytes_per_ms"), 100);
  EXPECT_EQ(counters[2].at("tid"), 9);
  EXPECT_EQ(entries(batch, "M").size(), 3u) << "each thread has its name, and the runtime's own";
}

TEST(ChromeTrace, ShowsPoolsAndPressure) {
  EventBatch batch;
  batch.events = {{.time_ns = 5,
                   .amount = 1024,
                   .subject = static_cast<std::uint32_t>(MemoryKind::kDevice),
                   .kind = EventKind::kReserved},
                  {.time_ns = 6,
                   .amount = 77,
                   .subject = static_cast<std::uint32_t>(MemoryKind::kDevice),
                   .kind = EventKind::kPressureStep,
                   .detail = static_cast<std::uint8_t>(PressureStep::kWait)}};

  EXPECT_EQ(entries(batch, "C").at(0).at("args").at("bytes"), 1024);
  const Json step = entries(batch, "i").at(0);
  EXPECT_EQ(step.at("name"), to_string(PressureStep::kWait));
  EXPECT_EQ(step.at("args").at("gained"), 77);
}

TEST(ChromeTrace, SaysHowManyEventsWereLost) {
  EventBatch batch;
  batch.lost = 12;

  EXPECT_EQ(Json::parse(to_chrome_trace(batch)).at("otherData").at("lost_events"), 12);
}

}  // namespace
}  // namespace tenure::testing
