// Lines out of plain and gzip input, and every way in which such input can be spoilt.
#include "core/observe/trace_lines.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

using test::bytes_of;
using test::gzipped;

struct Reading {
  std::vector<std::string> lines;
  std::optional<Error> fault;

  [[nodiscard]] std::string message() const { return fault ? fault->message : "no fault"; }
};

Reading read_all(TraceLines lines) {
  Reading reading;
  while (const std::optional<std::string_view> line = lines.try_next()) {
    reading.lines.emplace_back(*line);
  }
  reading.fault = lines.fault();
  return reading;
}

Reading read_bytes(std::string_view bytes) {
  return read_all(TraceLines::over("t", bytes_of(bytes)));
}

/// Lines of every length up to the longest, over several buffers' worth of text.
std::vector<std::string> random_lines(std::uint64_t seed) {
  std::mt19937_64 draw(seed);
  std::vector<std::string> lines(3000);
  for (std::string& line : lines) {
    line.assign(draw() % (kLongestTraceLine + 1), ' ');
    for (char& c : line) {
      c = static_cast<char>('!' + draw() % 90);
    }
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

TEST(TraceLinesTest, GivesTheSameLinesPlainAndGzipFromMemoryAndFromAFile) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<std::string> lines = random_lines(seed);
  const std::string text = joined(lines);
  const test::ScratchFolder folder;

  for (const std::string& bytes : {text, gzipped(text), gzipped(text, 0), gzipped(text, 9)}) {
    EXPECT_EQ(read_bytes(bytes).lines, lines);
    EXPECT_EQ(read_all(*TraceLines::open(folder.with("t", bytes))).lines, lines);
  }
}

TEST(TraceLinesTest, NumbersLinesFromOne) {
  TraceLines lines = TraceLines::over("t", bytes_of("a\nb\n"));
  EXPECT_EQ(lines.line(), 0u);

  while (lines.try_next()) {
  }

  EXPECT_EQ(lines.line(), 2u);
}

TEST(TraceLinesTest, TakesALastLineWithoutItsEnd) {
  EXPECT_EQ(read_bytes("a\nb").lines, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read_bytes("a\nb\n").lines, (std::vector<std::string>{"a", "b"}));
}

TEST(TraceLinesTest, TakesCarriageReturnsForPartOfTheLinesEnd) {
  EXPECT_EQ(read_bytes("a\r\nb\r\n").lines, (std::vector<std::string>{"a", "b"}));
}

TEST(TraceLinesTest, ReadsGzipMembersOnEndAsOneText) {
  const Reading reading = read_bytes(gzipped("a\nb") + gzipped("") + gzipped("c\nd\n"));

  EXPECT_EQ(reading.lines, (std::vector<std::string>{"a", "bc", "d"}));
  EXPECT_FALSE(reading.fault) << reading.message();
}

TEST(TraceLinesTest, RefusesGzipThatEndsEarlyWhereverItEnds) {
  for (const int level : {0, 6}) {
    const std::string whole = gzipped(joined(random_lines(1)), level);
    std::mt19937_64 draw(1);
    for (std::size_t length = 2; length < whole.size();
         length += length < 40 || whole.size() - length < 40 ? 1 : 1 + draw() % 5000) {
      const Reading reading = read_bytes(std::string_view(whole).substr(0, length));

      ASSERT_TRUE(reading.fault) << length << " bytes of " << whole.size();
      EXPECT_EQ(reading.fault->code, ErrorCode::kBadTrace);
      EXPECT_EQ(reading.fault->message, "t: the gzip data ends early, behind line " +
                                            std::to_string(reading.lines.size()) +
                                            "; fetch or record it again");
    }
  }
}

TEST(TraceLinesTest, RefusesGzipThatEndsEarlyInAFileToo) {
  const test::ScratchFolder folder;
  const std::string whole = gzipped(joined(random_lines(2)));
  const std::string path = folder.with("cut.csv.gz", whole.substr(0, whole.size() - 1));

  const Reading reading = read_all(*TraceLines::open(path));

  EXPECT_EQ(reading.message(),
            path + ": the gzip data ends early, behind line 3000; fetch or record it again");
}

TEST(TraceLinesTest, RefusesASecondGzipMemberThatEndsEarly) {
  const std::string second = gzipped("b\n");

  const Reading reading = read_bytes(gzipped("a\n") + second.substr(0, second.size() - 3));

  EXPECT_NE(reading.message().find("ends early"), std::string::npos) << reading.message();
}

TEST(TraceLinesTest, RefusesWhatFollowsTheEndOfGzip) {
  for (const std::string& rest : {std::string("x"), std::string("\0", 1), std::string("a\nb\n")}) {
    EXPECT_EQ(read_bytes(gzipped("a\n") + rest).message(),
              "t: something that is not gzip follows the end of the gzip data, behind line 1; "
              "fetch or record it again");
  }
}

TEST(TraceLinesTest, RefusesGzipWhoseChecksumIsWrong) {
  std::string bytes = gzipped("a\nb\n");
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);

  EXPECT_EQ(read_bytes(bytes).message(),
            "t: the gzip data cannot be unpacked (incorrect data check), behind line 2; fetch or "
            "record it again");
}

TEST(TraceLinesTest, TakesTheLongestLineAndRefusesOneCharacterMore) {
  const std::string longest(kLongestTraceLine, 'x');

  EXPECT_EQ(read_bytes("a\n" + longest + "\n").lines.size(), 2u);
  EXPECT_EQ(read_bytes("a\n" + longest).lines.size(), 2u);
  for (const char* end : {"x", "x\n"}) {
    const Reading reading = read_bytes("a\n" + longest + end);
    EXPECT_EQ(reading.lines.size(), 1u);
    EXPECT_EQ(reading.message(),
              "t:2: the line is longer than 255 characters, and no line of a trace is");
  }
}

TEST(TraceLinesTest, StopsEarlyInGzipThatUnpacksToMuchMoreThanItHolds) {
  std::string bomb = gzipped("a\n" + std::string(std::size_t{100} << 20, ' '));
  ASSERT_LT(bomb.size(), std::size_t{1} << 20);
  bomb.resize(bomb.size() / 2);  // were it unpacked to its end, it would be refused for that

  const Reading reading = read_bytes(bomb);

  EXPECT_EQ(reading.message(),
            "t:2: the line is longer than 255 characters, and no line of a trace is");
}

TEST(TraceLinesTest, GivesNothingMoreAfterAFault) {
  const std::string text = gzipped("a\nb\n") + "garbage\n";
  TraceLines lines = TraceLines::over("t", bytes_of(text));
  while (lines.try_next()) {
  }
  EXPECT_FALSE(lines.try_next());

  EXPECT_FALSE(lines.try_next());
  EXPECT_TRUE(lines.fault());
}

TEST(TraceLinesTest, SaysWhyAFileCannotBeOpened) {
  const test::ScratchFolder folder;

  const Result<TraceLines> lines = TraceLines::open(folder.file("none"));

  ASSERT_FALSE(lines.ok());
  EXPECT_EQ(lines.failure().code, ErrorCode::kFile);
  EXPECT_EQ(lines.failure().message,
            folder.file("none") + ": cannot be opened: No such file or directory");
}

TEST(TraceLinesTest, SaysWhyAFileCannotBeRead) {
  const test::ScratchFolder folder;

  const Reading reading = read_all(*TraceLines::open(folder.file(".")));

  ASSERT_TRUE(reading.fault);
  EXPECT_EQ(reading.fault->code, ErrorCode::kFile);
  EXPECT_EQ(reading.message(), folder.file(".") + ": cannot be read: Is a directory");
}

}  // namespace
}  // namespace tenure
