// Traces as they are written: what was written is read back, and a file is whole or not there.
#include "core/observe/trace_writer.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <random>
#include <vector>

#include "core/observe/trace_lines.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

/// Rows of every kind, with numbers of every length.
std::vector<TraceRow> random_rows(std::uint64_t seed) {
  std::mt19937_64 draw(seed);
  const auto number = [&](std::uint64_t most) {
    return (draw() >> (draw() % 64)) & most;  // the limits are powers of two less one
  };
  std::vector<TraceRow> rows(5000);
  for (TraceRow& row : rows) {
    row = {.op = static_cast<TraceOp>(draw() % kTraceOps),
           .id = number(~std::uint64_t{0}),
           .bytes = number(~std::uint64_t{0}),
           .stream = static_cast<std::uint16_t>(number(kMaxTraceStream)),
           .t_us = number(~std::uint64_t{0}),
           .device = static_cast<std::uint8_t>(number(kMaxTraceDevice)),
           .site = static_cast<std::uint32_t>(number(kMaxTraceSite))};
  }
  return rows;
}

std::vector<TraceRow> rows_in(const std::string& path) {
  TraceLines lines = *TraceLines::open(path);
  EXPECT_EQ(lines.try_next(), kTraceHeader);
  std::vector<TraceRow> rows;
  while (const std::optional<std::string_view> line = lines.try_next()) {
    rows.push_back(*parse_trace_row(*line));
  }
  EXPECT_FALSE(lines.fault());
  return rows;
}

Result<void> write(const std::string& path, const std::vector<TraceRow>& rows) {
  Result<TraceWriter> writer = TraceWriter::create(path);
  if (!writer) {
    return writer.failure();
  }
  for (const TraceRow& row : rows) {
    writer->write(row);
  }
  return writer->finish();
}

class TraceWriterTest : public ::testing::Test {
 protected:
  test::ScratchFolder folder;
};

TEST_F(TraceWriterTest, WritesWhatIsReadBack) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<TraceRow> rows = random_rows(seed);

  for (const char* name : {"t.csv.gz", "t.csv"}) {
    ASSERT_TRUE(write(folder.file(name), rows).ok());
    EXPECT_EQ(rows_in(folder.file(name)), rows);
  }
}

TEST_F(TraceWriterTest, PacksExactlyWhatIsNamedGz) {
  ASSERT_TRUE(write(folder.file("t.csv.gz"), {}).ok());
  ASSERT_TRUE(write(folder.file("t.csv"), {}).ok());

  EXPECT_TRUE(test::content_of(folder.file("t.csv.gz")).starts_with("\x1f\x8b"));
  EXPECT_EQ(test::content_of(folder.file("t.csv")), std::string(kTraceHeader) + "\n");
}

TEST_F(TraceWriterTest, WritesTheSameBytesForTheSameRows) {
  ASSERT_TRUE(write(folder.file("a.csv.gz"), random_rows(1)).ok());
  ASSERT_TRUE(write(folder.file("b.csv.gz"), random_rows(1)).ok());

  EXPECT_EQ(test::content_of(folder.file("a.csv.gz")), test::content_of(folder.file("b.csv.gz")));
  EXPECT_EQ(test::content_of(folder.file("a.csv.gz")).substr(3, 5), std::string(5, '\0'))
      << "gzip's head has neither a name nor a time";
}

TEST_F(TraceWriterTest, KeepsWhatWasThereUntilItIsFinished) {
  const std::string path = folder.with("t.csv", "before");
  Result<TraceWriter> writer = TraceWriter::create(path);
  ASSERT_TRUE(writer.ok());

  writer->write({});
  EXPECT_EQ(test::content_of(path), "before");

  ASSERT_TRUE(writer->finish().ok());
  EXPECT_EQ(rows_in(path), std::vector<TraceRow>{TraceRow{}});
  EXPECT_EQ(folder.files(), 1u);
}

TEST_F(TraceWriterTest, LeavesNothingBehindWhereItIsNotFinished) {
  {
    Result<TraceWriter> writer = TraceWriter::create(folder.file("t.csv.gz"));
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(folder.files(), 1u);  // the file in the making
  }

  EXPECT_EQ(folder.files(), 0u);
}

TEST_F(TraceWriterTest, GivesTheFileTheRightsOfAnyNewFile) {
  ASSERT_TRUE(write(folder.file("t.csv"), {}).ok());

  struct stat made {};
  struct stat plain {};
  ASSERT_EQ(stat(folder.file("t.csv").c_str(), &made), 0);
  ASSERT_EQ(stat(folder.with("other", "").c_str(), &plain), 0);
  EXPECT_EQ(made.st_mode, plain.st_mode);
}

TEST_F(TraceWriterTest, SaysThatThereIsNoSuchFolder) {
  const Result<void> written = write(folder.file("none/t.csv.gz"), {});

  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.failure().code, ErrorCode::kFile);
  EXPECT_EQ(written.failure().message, folder.file("none/t.csv.gz") +
                                           ": no trace can be written there: No such file or "
                                           "directory");
}

TEST_F(TraceWriterTest, SaysThatTheNameIsAFolders) {
  const std::string path = folder.file("t.csv.gz");
  ASSERT_TRUE(std::filesystem::create_directory(path));

  const Result<void> written = write(path, {});

  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.failure().message, path + ": the trace cannot be put in place: Is a directory");
  EXPECT_EQ(folder.files(), 1u);
}

/// Lets no file grow beyond some bytes, as a full disk would, while it lives.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : former_handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit tight{bytes, former_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &former_);
    signal(SIGXFSZ, former_handler_);
  }

 private:
  void (*former_handler_)(int);
  rlimit former_{};
};

TEST_F(TraceWriterTest, KeepsWhatWasThereWhereTheDiskIsFull) {
  for (const char* name : {"t.csv.gz", "t.csv"}) {
    // At 100 bytes the last write of all fails, at 64 KiB one between.
    for (const rlim_t bytes : {rlim_t{100}, rlim_t{64} << 10}) {
      const std::string path = folder.with(name, "before");
      const std::size_t files = folder.files();

      const Result<void> written = [&] {
        const FullDisk full(bytes);
        return write(path, random_rows(2));
      }();

      ASSERT_FALSE(written.ok()) << name << ", " << bytes;
      EXPECT_EQ(written.failure().code, ErrorCode::kFile);
      EXPECT_EQ(written.failure().message, path + ": the trace cannot be written: File too large");
      EXPECT_EQ(test::content_of(path), "before");
      EXPECT_EQ(folder.files(), files);
    }
  }
}

TEST_F(TraceWriterTest, ReportsRowsThatWereLostWhereThereIsRoomAgainLater) {
  Result<TraceWriter> writer = TraceWriter::create(folder.file("t.csv"));
  ASSERT_TRUE(writer.ok());
  {
    const FullDisk full(100);
    for (const TraceRow& row : random_rows(3)) {
      writer->write(row);
    }
  }

  EXPECT_FALSE(writer->finish().ok());
  EXPECT_EQ(folder.files(), 0u);
}

TEST_F(TraceWriterTest, StopsTheProgramWhereAFinishedTraceIsGivenARow) {
  Result<TraceWriter> writer = TraceWriter::create(folder.file("t.csv"));
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->finish().ok());

  EXPECT_DEATH(writer->write({}), "a row was given to a trace that is finished");
}

}  // namespace
}  // namespace tenure
