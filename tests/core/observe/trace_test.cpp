// What a trace says once it is read. What is refused stands in trace_refusals_test.cpp.
#include "core/observe/trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include "tenure/replay.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

using test::bytes_of;
using test::trace_of;

constexpr std::string_view kName = "some/folder/made.csv.gz";
const std::string kData = TENURE_TEST_DATA;

TraceData accepted(std::string_view text) {
  Result<TraceData> trace = TraceData::read(std::string(kName), bytes_of(text));
  EXPECT_TRUE(trace.ok()) << trace.failure().message;
  return std::move(trace).value();
}

std::vector<std::uint32_t> blocks_of(const TraceData& trace) {
  std::vector<std::uint32_t> blocks;
  for (const TraceEvent& event : trace.events()) {
    blocks.push_back(event.block);
  }
  return blocks;
}

TEST(TraceTest, GivesAllocationsAndFreesInTheirOrder) {
  const TraceData trace = accepted(trace_of({"alloc,1,100,3,5,2,7", "free,1,100,4,6,2,8"}));

  ASSERT_EQ(trace.events().size(), 2u);
  const TraceEvent& born = trace.events()[0];
  const TraceEvent& dead = trace.events()[1];
  EXPECT_EQ(born.op, TraceOp::kAlloc);
  EXPECT_EQ(born.bytes, 100u);
  EXPECT_EQ(born.stream, 3);
  EXPECT_EQ(born.t_us, 5u);
  EXPECT_EQ(born.device, 2);
  EXPECT_EQ(born.site, 7u);
  EXPECT_EQ(born.line, 2u);
  EXPECT_EQ(dead.op, TraceOp::kFree);
  EXPECT_EQ(dead.block, born.block);
  EXPECT_EQ(dead.stream, 4);
  EXPECT_EQ(dead.site, 8u);
  EXPECT_EQ(dead.line, 3u);
}

TEST(TraceTest, NumbersBlocksInTheOrderOfTheirAllocation) {
  const TraceData trace = accepted(
      trace_of({"alloc,18446744073709551615,8,0,0,0,0", "alloc,0,8,0,0,0,0", "alloc,1,8,0,0,0,0",
                "alloc,3,8,0,0,0,0", "alloc,2,8,0,0,0,0", "free,3,8,0,0,0,0", "free,0,8,0,0,0,0",
                "free,18446744073709551615,8,0,0,0,0", "free,2,8,0,0,0,0", "free,1,8,0,0,0,0"}));

  EXPECT_EQ(blocks_of(trace), (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 3, 1, 0, 4, 2}));
}

TEST(TraceTest, TakesAnIdUsedAgainAsAnotherBlock) {
  const TraceData trace = accepted(trace_of(
      {"alloc,1,8,0,0,0,0", "free,1,8,0,0,0,0", "alloc,1,16,0,0,0,0", "free,1,16,0,0,0,0"}));

  EXPECT_EQ(blocks_of(trace), (std::vector<std::uint32_t>{0, 0, 1, 1}));
}

TEST(TraceTest, EndsThePrologueAtBegin) {
  const TraceData trace = accepted(trace_of(
      {"alloc,1,8,0,0,0,0", "alloc,2,8,0,0,0,0", "begin,0,0,0,0,0,0", "free,1,8,0,1,0,0"}));

  EXPECT_EQ(trace.prologue().size(), 2u);
  EXPECT_EQ(trace.window().size(), 1u);
}

TEST(TraceTest, HasNoPrologueWithoutBegin) {
  const TraceData trace = accepted(trace_of({"alloc,1,8,0,0,0,0"}));

  EXPECT_TRUE(trace.prologue().empty());
}

TEST(TraceTest, EndsThePrologueBehindTheBeginOfEachDevice) {
  const TraceData trace = accepted(trace_of(
      {"alloc,1,8,0,0,0,0", "alloc,2,8,0,0,1,0", "begin,0,0,0,0,0,0", "begin,0,0,0,0,1,0"}));

  EXPECT_EQ(trace.prologue().size(), 2u);
}

TEST(TraceTest, CountsThePrologueInThePeak) {
  const TraceData trace =
      accepted(trace_of({"alloc,1,100,0,0,0,0", "begin,0,0,0,0,0,0", "alloc,2,10,0,1,0,0",
                         "free,1,100,0,2,0,0", "alloc,3,20,0,3,0,0"}));

  EXPECT_EQ(trace.figures().peak_live, Bytes{110});
  EXPECT_EQ(trace.figures().final_live, Bytes{30});
}

TEST(TraceTest, CountsAllDevicesTogetherInThePeak) {
  const TraceData trace = accepted(trace_of(
      {"alloc,1,100,0,0,0,0", "alloc,2,10,0,0,1,0", "free,1,100,0,0,0,0", "alloc,3,20,0,0,1,0"}));

  EXPECT_EQ(trace.figures().peak_live, Bytes{110});
  EXPECT_EQ(trace.figures().devices, (std::vector<std::uint8_t>{0, 1}));
}

TEST(TraceTest, HoldsASnapshotAgainstItsOwnDevice) {
  const TraceData trace = accepted(trace_of({"alloc,1,100,0,0,0,0", "alloc,2,10,0,0,1,0",
                                             "snapshot,0,100,0,0,0,0", "snapshot,0,10,0,0,1,0"}));

  EXPECT_EQ(trace.figures().final_live, Bytes{110});
}

TEST(TraceTest, NamesTheStreamsThatEventsUse) {
  const TraceData trace = accepted(trace_of({"alloc,1,8,65535,0,0,0", "alloc,2,8,3,0,0,0",
                                             "free,2,8,3,0,0,0", "segment_alloc,1,8,9,0,0,0"}));

  EXPECT_EQ(trace.figures().streams, (std::vector<std::uint16_t>{3, 65535}));
}

TEST(TraceTest, AddsUpWhatTheRecordingReserved) {
  const TraceData trace = accepted(trace_of(
      {"segment_alloc,1,100,0,0,0,0", "segment_map,0,50,0,0,0,0", "segment_free,1,100,0,0,0,0",
       "segment_alloc,2,20,0,0,0,0", "segment_unmap,0,50,0,0,0,0"}));

  EXPECT_EQ(trace.figures().recorded_peak_reserved, Bytes{150});
}

TEST(TraceTest, AcceptsATraceWithoutRows) {
  const TraceData trace = accepted(trace_of({}));

  EXPECT_TRUE(trace.events().empty());
  EXPECT_EQ(trace.figures().peak_live, Bytes{0});
}

TEST(TraceTest, AcceptsTheLargestNumbers) {
  const TraceData trace = accepted(
      trace_of({"alloc,18446744073709551615,140737488355328,65535,18446744073709551615,255,"
                "4294967295"}));

  EXPECT_EQ(trace.events()[0].bytes, std::uint64_t{1} << 47);
  EXPECT_EQ(trace.events()[0].site, 4294967295u);
}

TEST(TraceTest, IsNamedForItsFile) {
  EXPECT_EQ(accepted(trace_of({})).name(), "made");
  EXPECT_EQ(accepted(trace_of({})).path(), kName);
  EXPECT_EQ(TraceData::read("plain.csv", bytes_of(trace_of({})))->name(), "plain");
  EXPECT_EQ(TraceData::read("a/.csv", bytes_of(trace_of({})))->name(), ".csv");
}

TEST(TraceTest, ReadsTheSmallTraceAsItIsToBeReadByHand) {
  const Result<Trace> trace = Trace::read(kData + "/tiny.csv");
  ASSERT_TRUE(trace.ok()) << trace.failure().message;

  EXPECT_EQ(trace->name(), "tiny");
  EXPECT_EQ(trace->events(), 10u);
  EXPECT_EQ(trace->allocations(), 6u);
  EXPECT_EQ(trace->streams(), 2u);
  EXPECT_EQ(trace->peak_live(), Bytes{1000 + 24 + 500 + 4096 + 4000000});
  EXPECT_EQ(trace->final_live(), Bytes{24 + 4096});
  EXPECT_EQ(trace->recorded_peak_reserved(), Bytes{2097152 + 4194304});
  EXPECT_EQ(trace->data().prologue().size(), 2u);
}

TEST(TraceTest, ReadsTheRecordedTraceToTheByte) {
  const Result<Trace> trace = Trace::read(kData + "/gpt_train_cpu.csv.gz");
  ASSERT_TRUE(trace.ok()) << trace.failure().message;

  // As tools/record_torch_trace.py printed them; tests/data/README.md has them too.
  EXPECT_EQ(trace->name(), "gpt_train_cpu");
  EXPECT_EQ(trace->allocations(), 12487u);
  EXPECT_EQ(trace->events(), 12487u + 11975u);
  EXPECT_EQ(trace->peak_live(), Bytes{601774556});
  EXPECT_EQ(trace->final_live(), Bytes{279720340});
  EXPECT_EQ(trace->data().prologue().size(), 109u);
}

TEST(TraceTest, SaysWhichFileIsMissing) {
  const Result<Trace> trace = Trace::read("/nowhere/at all.csv.gz");

  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.failure().code, ErrorCode::kFile);
  EXPECT_EQ(trace.failure().message,
            "/nowhere/at all.csv.gz: cannot be opened: No such file or directory");
}

TEST(TraceTest, FindsEachBlockAmongManyIdsOfEveryKind) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 draw(seed);
  std::vector<std::uint64_t> ids(20000);
  std::generate(ids.begin(), ids.end(), [&] { return draw(); });
  for (std::uint64_t id = 0; id < 20000; ++id) {
    ids.push_back(id);
  }
  std::shuffle(ids.begin(), ids.end(), draw);
  std::string text = trace_of({});
  std::map<std::uint64_t, std::uint32_t> expected;
  for (const std::uint64_t id : ids) {
    expected.emplace(id, static_cast<std::uint32_t>(expected.size()));
    text += "alloc," + std::to_string(id) + ",8,0,0,0,0\n";
  }
  std::shuffle(ids.begin(), ids.end(), draw);
  for (const std::uint64_t id : ids) {
    text += "free," + std::to_string(id) + ",8,0,0,0,0\n";
  }

  const TraceData trace = accepted(text);

  for (std::size_t at = 0; at < ids.size(); ++at) {
    ASSERT_EQ(trace.events()[ids.size() + at].block, expected[ids[at]]) << "id " << ids[at];
  }
}

TEST(TraceTest, IsNotSlowedByIdsThatWouldShareABucketOfAPlainTable) {
  constexpr std::uint64_t kIds = 150000;
  std::unordered_map<std::uint64_t, int> plain;  // its hash is the number itself
  for (std::uint64_t id = 0; id < kIds; ++id) {
    plain.emplace(id, 0);
  }
  std::string text = trace_of({});
  for (std::uint64_t number = 2; number < kIds; ++number) {
    text += "alloc," + std::to_string(number * plain.bucket_count()) + ",8,0,0,0,0\n";
  }
  const auto start = std::chrono::steady_clock::now();

  const TraceData trace = accepted(text);

  EXPECT_EQ(trace.events().size(), kIds - 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(TraceTest, AgreesWithTheFiguresKnownOfOtherRecordings) {
  const std::string folder = kData + "/../../../shared/traces";
  std::ifstream index(folder + "/index.csv");
  std::string line;
  if (!std::getline(index, line)) {
    GTEST_SKIP() << "there are no further traces in " << folder;
  }
  const auto cells = [](const std::string& row) {
    std::vector<std::string> all{""};
    for (const char c : row) {
      if (c == ',') {
        all.emplace_back();
      } else {
        all.back().push_back(c);
      }
    }
    return all;
  };
  const std::vector<std::string> names = cells(line);
  int traces = 0;
  for (; std::getline(index, line); ++traces) {
    const std::vector<std::string> values = cells(line);
    const auto known = [&](std::string_view name) {
      const auto at = std::find(names.begin(), names.end(), name) - names.begin();
      return std::stoull(values.at(static_cast<std::size_t>(at)));
    };
    SCOPED_TRACE(values[0]);

    const Result<TraceData> trace = TraceData::read(folder + "/" + values[0]);

    ASSERT_TRUE(trace.ok()) << trace.failure().message;
    const TraceFigures& figures = trace->figures();
    EXPECT_EQ(figures.prologue_events, known("prologue_blocks"));
    EXPECT_EQ(figures.allocations, known("prologue_blocks") + known("allocs"));
    EXPECT_EQ(figures.frees, known("frees"));
    EXPECT_EQ(figures.streams.size(), known("streams"));
    EXPECT_EQ(figures.peak_live.count(), known("peak_live_bytes"));
    EXPECT_EQ(figures.final_live.count(), known("final_live_bytes"));
    EXPECT_EQ(figures.recorded_peak_reserved.count(), known("peak_reserved_bytes"));
  }
  EXPECT_GT(traces, 0);
}

}  // namespace
}  // namespace tenure
