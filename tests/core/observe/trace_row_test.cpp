// One row to text and back. How rows are refused is seen whole in trace_refusals_test.cpp.
#include "core/observe/trace_row.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tenure {
namespace {

TEST(TraceRowTest, SaysEachOperationAsItsOwnWordAndReadsItBack) {
  std::set<std::string_view> words;
  for (std::uint8_t number = 0; number < kTraceOps; ++number) {
    const auto op = static_cast<TraceOp>(number);
    words.insert(to_string(op));

    const Result<TraceRow> row = parse_trace_row(std::string(to_string(op)) + ",0,0,0,0,0,0");

    ASSERT_TRUE(row.ok()) << row.failure().message;
    EXPECT_EQ(row->op, op);
  }
  EXPECT_EQ(words.size(), kTraceOps);
}

TEST(TraceRowTest, PutsEachFieldInItsPlace) {
  const TraceRow row{.op = TraceOp::kFreeRequested,
                     .id = 1,
                     .bytes = 2,
                     .stream = 3,
                     .t_us = 4,
                     .device = 5,
                     .site = 6};

  EXPECT_EQ(to_line(row), "free_requested,1,2,3,4,5,6\n");
  EXPECT_EQ(*parse_trace_row("free_requested,1,2,3,4,5,6"), row);
}

TEST(TraceRowTest, QuotesWhatIsPrintableAndCutsWhatIsLong) {
  EXPECT_EQ(in_quotes("a b"), "\"a b\"");
  EXPECT_EQ(in_quotes(std::string("\x1b[31m\0\xff\n", 8)), "\"?[31m???\"");
  EXPECT_EQ(in_quotes(std::string(40, 'x')), "\"" + std::string(40, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(41, 'x')), "\"" + std::string(40, 'x') + "...\"");
}

TEST(TraceRowTest, NamesTheFirstFieldThatIsAtFault) {
  const Result<TraceRow> row = parse_trace_row("alloc,1,x,y,z,0,0");

  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.failure().message, "bytes is \"x\", not a whole number");
}

}  // namespace
}  // namespace tenure
