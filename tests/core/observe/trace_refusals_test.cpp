// Traces that do not add up: each is refused by its first fault, in one sentence.
#include <gtest/gtest.h>

#include <ostream>

#include "core/observe/trace.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

using test::bytes_of;
using test::trace_of;

constexpr std::string_view kName = "some/folder/made.csv.gz";

Result<TraceData> read(std::string_view text, TraceLimits limits = {}) {
  return TraceData::read(std::string(kName), bytes_of(text), limits);
}

/// Rows that do not add up, and how they are refused.
struct Refusal {
  const char* name;
  std::string text;
  std::string message;  // behind "some/folder/made.csv.gz"

  friend std::ostream& operator<<(std::ostream& out, const Refusal& r) { return out << r.name; }
};

class TraceRefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(TraceRefusalTest, NamesTheFileTheLineAndTheFault) {
  const Result<TraceData> trace = read(GetParam().text);

  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.failure().code, ErrorCode::kBadTrace);
  EXPECT_EQ(trace.failure().message, std::string(kName) + GetParam().message);
}

const std::string kOps =
    "alloc, free, free_requested, segment_alloc, segment_free, segment_map, segment_unmap, oom, "
    "device_free, mark, begin, snapshot";
const std::string kHeaderQuoted = "\"op,id,bytes,stream,t_us,device,site\"";

INSTANTIATE_TEST_SUITE_P(
    Rows, TraceRefusalTest,
    ::testing::Values(
        Refusal{"Empty", "", ": is empty; a trace begins with the line " + kHeaderQuoted},
        Refusal{"OtherFirstLine", "id,lower,upper,size\n",
                ":1: not a trace: the first line is \"id,lower,upper,size\" and must be " +
                    kHeaderQuoted},
        Refusal{"BinaryFirstLine", std::string("\0\x7f\"ELF\n", 7),
                ":1: not a trace: the first line is \"??\"ELF\" and must be " + kHeaderQuoted},
        Refusal{"TooFewFields", trace_of({"alloc,1,8,0,0,0"}),
                ":2: the row \"alloc,1,8,0,0,0\" has 6 fields; a row has 7: "
                "op,id,bytes,stream,t_us,device,site"},
        Refusal{"TooManyFields", trace_of({"mark,0,0,0,0,0,0", "alloc,1,8,0,0,0,0,"}),
                ":3: the row \"alloc,1,8,0,0,0,0,\" has 8 fields; a row has 7: "
                "op,id,bytes,stream,t_us,device,site"},
        Refusal{"EmptyLine", trace_of({""}),
                ":2: the row \"\" has 1 field; a row has 7: op,id,bytes,stream,t_us,device,site"},
        Refusal{"UnknownOp", trace_of({"alloco,1,8,0,0,0,0"}),
                ":2: op is \"alloco\", and may be " + kOps},
        Refusal{"NoNumber", trace_of({"alloc,1,8k,0,0,0,0"}),
                ":2: bytes is \"8k\", not a whole number"},
        Refusal{"EmptyNumber", trace_of({"alloc,1,8,0,,0,0"}),
                ":2: t_us is \"\", not a whole number"},
        Refusal{"Blank", trace_of({"alloc, 1,8,0,0,0,0"}), ":2: id is \" 1\", not a whole number"},
        Refusal{"PlusSign", trace_of({"alloc,1,+8,0,0,0,0"}),
                ":2: bytes is \"+8\", not a whole number"},
        Refusal{"Negative", trace_of({"alloc,1,-8,0,0,0,0"}),
                ":2: bytes is \"-8\", and may not be negative"},
        Refusal{"Over64Bits", trace_of({"alloc,1,18446744073709551616,0,0,0,0"}),
                ":2: bytes is \"18446744073709551616\", more than the 18446744073709551615 it may "
                "be"},
        Refusal{"AbsurdStream", trace_of({"alloc,1,8,65536,0,0,0"}),
                ":2: stream is \"65536\", more than the 65535 it may be"},
        Refusal{"AbsurdDevice", trace_of({"alloc,1,8,0,0,256,0"}),
                ":2: device is \"256\", more than the 255 it may be"},
        Refusal{"AbsurdSite", trace_of({"alloc,1,8,0,0,0,4294967296"}),
                ":2: site is \"4294967296\", more than the 4294967295 it may be"},
        Refusal{"NoBytes", trace_of({"alloc,7,0,0,0,0,0"}),
                ":2: block 7 has 0 bytes; a block has 1 to 140737488355328"},
        Refusal{"ImpossibleSize", trace_of({"alloc,7,140737488355329,0,0,0,0"}),
                ":2: block 7 has 140737488355329 bytes; a block has 1 to 140737488355328"},
        Refusal{"LiveId", trace_of({"alloc,7,8,0,0,0,0", "mark,0,0,0,0,0,0", "alloc,7,8,0,0,0,0"}),
                ":4: block 7 is allocated and is live since line 2"},
        Refusal{"LiveIdInOrder", trace_of({"alloc,1,8,0,0,0,0", "alloc,1,8,0,0,0,0"}),
                ":3: block 1 is allocated and is live since line 2"},
        Refusal{"NeverAllocated", trace_of({"alloc,1,8,0,0,0,0", "free,12,8,0,0,0,0"}),
                ":3: block 12 is freed and was never allocated"},
        Refusal{"FreedTwice",
                trace_of({"alloc,1,8,0,0,0,0", "free,1,8,0,0,0,0", "free,1,8,0,0,0,0"}),
                ":4: block 1 is freed and was freed before, in line 3"},
        Refusal{"OtherBytes", trace_of({"alloc,1,8,0,0,0,0", "free,1,16,0,0,0,0"}),
                ":3: block 1 is freed with 16 bytes and was allocated with 8, in line 2"},
        Refusal{"OtherDevice", trace_of({"alloc,1,8,0,0,0,0", "free,1,8,0,0,1,0"}),
                ":3: block 1 is freed on device 1 and was allocated on device 0, in line 2"},
        Refusal{"RequestedAndNeverAllocated", trace_of({"free_requested,1,8,0,0,0,0"}),
                ":2: block 1 is freed and was never allocated"},
        Refusal{"TimeFalls", trace_of({"alloc,1,8,0,120,0,0", "free,1,8,0,119,0,0"}),
                ":3: t_us falls from 120 to 119"},
        Refusal{"WrongSnapshot", trace_of({"alloc,1,8,0,0,0,0", "snapshot,0,9,0,0,0,0"}),
                ":3: the snapshot says that 9 bytes are live on device 0, and by the rows 8 are"},
        Refusal{"SegmentsBelowZero",
                trace_of({"segment_alloc,1,8,0,0,0,0", "segment_free,1,9,0,0,0,0"}),
                ":3: 9 bytes go back to the driver, and only 8 are reserved"},
        Refusal{"SegmentsOver64Bits",
                trace_of({"segment_map,0,18446744073709551615,0,0,0,0", "segment_map,0,1,0,0,0,0"}),
                ":3: with these 1 bytes, more bytes would be reserved than 64 bits can count"},
        Refusal{"BeginsTwice", trace_of({"begin,0,0,0,0,0,0", "begin,0,0,0,0,0,0"}),
                ":3: the window of device 0 begins a second time"},
        Refusal{"BeginsLate",
                trace_of({"begin,0,0,0,0,0,0", "alloc,1,8,0,0,0,0", "begin,0,0,0,0,1,0"}),
                ":4: the window of device 1 begins 1 events after that of another; all prologues "
                "come first"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TraceRefusalsTest, RefusesMoreLiveBytesThanCanBeCounted) {
  std::string text = trace_of({});
  constexpr int kFit = 1 << 17;  // times 2^47 is 2^64
  for (int id = 1; id <= kFit; ++id) {
    text += "alloc," + std::to_string(id) + ",140737488355328,0,0,0,0\n";
  }

  const Result<TraceData> trace = read(text);

  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.failure().message,
            std::string(kName) +
                ":131073: with the 140737488355328 bytes of block 131072, more "
                "bytes would be live than 64 bits can count");
}

TEST(TraceRefusalsTest, RefusesMoreRowsThanItsLimit) {
  const std::string text = trace_of({"mark,0,0,0,0,0,0", "mark,0,0,0,0,0,0", "mark,0,0,0,0,0,0"});

  EXPECT_TRUE(read(text, {.rows = 3}).ok());
  const Result<TraceData> trace = read(text, {.rows = 2});
  ASSERT_FALSE(trace.ok());
  EXPECT_EQ(trace.failure().message,
            std::string(kName) +
                ":4: there are more than the 2 rows that are read of one trace; "
                "cut it in pieces");
}

}  // namespace
}  // namespace tenure
