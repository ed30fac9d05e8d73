// Traces spoilt at random: each is refused with a message that helps, or accepted and then adds up,
// and the oracle in tests/support, a second reader, says which of the two it has to be.
//
// A failure names a seed; TENURE_TEST_SEED=<that seed> runs the same inputs again.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

#include "core/observe/trace.hpp"
#include "tests/support/trace_oracle.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

using test::bytes_of;
using test::gzipped;
using test::OracleTrace;
using test::trace_of;
using test::TraceOracle;

constexpr std::string_view kName = "fuzz/spoilt.csv.gz";
constexpr int kRefusals = 10000;

/// Spoils a text or packed bytes in one of many ways.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : draw_(seed) {}

  std::size_t below(std::size_t end) { return end == 0 ? 0 : draw_() % end; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  void spoil_text(std::string& text) {
    switch (below(6)) {
      case 0:
        return flip_bit(text);
      case 1:
        return text.resize(below(text.size() + 1));
      case 2:
        return put_char(text);
      case 3:
        return replace_field(text);
      default:
        return spoil_lines(text);
    }
  }

  void spoil_packed(std::string& bytes) {
    switch (below(5)) {
      case 0:
        return bytes.resize(below(bytes.size() + 1));
      case 1:
        bytes.append(1 + below(20), static_cast<char>(one_in(2) ? 0 : below(256)));
        return;
      case 2: {
        const std::size_t at = below(bytes.size());
        bytes.erase(at, 1 + below(20));
        return;
      }
      default:
        return flip_bit(bytes);
    }
  }

 private:
  void flip_bit(std::string& bytes) {
    if (!bytes.empty()) {
      char& c = bytes[below(bytes.size())];
      c = static_cast<char>(c ^ (1 << below(8)));
    }
  }

  void put_char(std::string& text) {
    constexpr std::string_view kTelling("0123456789,,,\n\n\r-+. ex\0\xff", 23);
    const std::size_t at = below(text.size() + 1);
    text.insert(at, 1, kTelling[below(kTelling.size())]);
  }

  /// One number, or the word, becomes something at the edge of what is allowed.
  void replace_field(std::string& text) {
    const std::vector<std::string> edges{"0",
                                         "1",
                                         "2",
                                         "255",
                                         "256",
                                         "65535",
                                         "65536",
                                         "4294967295",
                                         "-1",
                                         "",
                                         "4294967296",
                                         "140737488355328",
                                         "140737488355329",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "9999999999999999999999999",
                                         "0007",
                                         " 3",
                                         "1e3",
                                         "0x10",
                                         "nan",
                                         "free",
                                         "alloc",
                                         "begin",
                                         "mark",
                                         "oom",
                                         "snapshot",
                                         "free_requested",
                                         "segment_alloc",
                                         "segment_free",
                                         std::string(300, '9'),
                                         std::string(200, '0')};
    std::vector<std::size_t> starts{0};
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == ',' || text[at] == '\n') {
        starts.push_back(at + 1);
      }
    }
    const std::size_t start = starts[below(starts.size())];
    const std::size_t end = std::min(text.find_first_of(",\n", start), text.size());
    text.replace(start, end - start, edges[below(edges.size())]);
  }

  void spoil_lines(std::string& text) {
    std::vector<std::string> lines = split(text);
    if (lines.empty()) {
      return;
    }
    const std::size_t at = below(lines.size());
    const std::size_t other = below(lines.size());
    switch (below(5)) {
      case 0:
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(other), std::string(lines[at]));
        break;
      case 2:
        std::swap(lines[at], lines[other]);
        break;
      case 3:
        lines.resize(at);
        break;
      default:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), std::string(below(600), 'x'));
        break;
    }
    text.clear();
    for (const std::string& line : lines) {
      text += line + "\n";
    }
  }

  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }

  std::mt19937_64 draw_;
};

/// Unpacks gzip with one call of zlib for each member. Empty where the bytes are not gzip from their
/// first to their last.
std::optional<std::string> unpacked(const std::string& bytes) {
  std::string text;
  z_stream zlib{};
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  zlib.avail_in = static_cast<uInt>(bytes.size());
  while (zlib.avail_in != 0) {
    constexpr int kGzipWindow = 15 + 16;
    constexpr std::size_t kRoom = std::size_t{4} << 20;  // more than any input here unpacks to
    if (inflateInit2(&zlib, kGzipWindow) != Z_OK) return std::nullopt;
    static std::vector<char> room(kRoom);  // once: filling it each time takes most of the test
    zlib.next_out = reinterpret_cast<Bytef*>(room.data());
    zlib.avail_out = static_cast<uInt>(kRoom);
    const int code = inflate(&zlib, Z_FINISH);
    inflateEnd(&zlib);
    if (code != Z_STREAM_END) return std::nullopt;
    text.append(room.data(), kRoom - zlib.avail_out);
  }
  return text;
}

class TraceFuzzTest : public ::testing::Test {
 protected:
  TraceFuzzTest() {
    const char* const wanted = std::getenv("TENURE_TEST_SEED");
    seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device{}();
  }

  /// The first `rows` rows of the recorded trace, and a snapshot that holds for them.
  static std::string window_of(const std::string& trace, std::size_t rows) {
    std::size_t end = 0;
    for (std::size_t line = 0; line <= rows && end < trace.size(); ++line) {
      end = trace.find('\n', end) + 1;
    }
    const std::string text = trace.substr(0, end);
    const std::uint64_t live = TraceOracle::read(text).final_live;
    return text + "snapshot,0," + std::to_string(live) + ",0,99999999,0,0\n";
  }

  /// Reads `bytes`, which hold `text` unless they are gzip that cannot be unpacked, and holds the
  /// answer against the oracle's.
  void try_one(const std::string& bytes, const std::optional<std::string>& text) {
    const Result<TraceData> trace = TraceData::read(std::string(kName), bytes_of(bytes));
    OracleTrace oracle;
    oracle.bad_line = 1;
    if (text) {
      oracle = TraceOracle::read(*text);
    }
    ASSERT_EQ(trace.ok(), oracle.bad_line == 0)
        << (trace.ok() ? "accepted, but for the oracle line " + std::to_string(oracle.bad_line)
                       : trace.failure().message);
    if (trace.ok()) {
      ++accepted;
      expect_equal(*trace, oracle);
    } else {
      ++refused;
      expect_helpful(trace.failure(), text, oracle.bad_line);
    }
  }

  static void expect_equal(const TraceData& trace, const OracleTrace& oracle) {
    const TraceFigures& figures = trace.figures();
    ASSERT_EQ(figures.allocations, oracle.allocations);
    ASSERT_EQ(figures.frees, oracle.frees);
    ASSERT_EQ(figures.prologue_events, oracle.prologue_events);
    ASSERT_EQ(figures.peak_live.count(), oracle.peak_live);
    ASSERT_EQ(figures.final_live.count(), oracle.final_live);
    ASSERT_EQ(figures.recorded_peak_reserved.count(), oracle.peak_reserved);
    ASSERT_TRUE(std::equal(figures.streams.begin(), figures.streams.end(), oracle.streams.begin(),
                           oracle.streams.end()));
    ASSERT_TRUE(std::equal(figures.devices.begin(), figures.devices.end(), oracle.devices.begin(),
                           oracle.devices.end()));
    ASSERT_EQ(trace.events().size(), oracle.sizes.size());
    std::vector<bool> live(figures.allocations);
    for (std::size_t at = 0; at < oracle.sizes.size(); ++at) {
      const TraceEvent& event = trace.events()[at];
      ASSERT_EQ(event.bytes, oracle.sizes[at]);
      ASSERT_LT(event.block, live.size());
      ASSERT_EQ(live[event.block], event.op == TraceOp::kFree);
      live[event.block] = !live[event.block];
    }
  }

  /// "FILE:LINE: sentence" with the first line at fault, or "FILE: sentence" where no line is.
  static void expect_helpful(const Error& error, const std::optional<std::string>& text,
                             std::uint64_t line) {
    ASSERT_EQ(error.code, ErrorCode::kBadTrace);
    ASSERT_TRUE(std::all_of(error.message.begin(), error.message.end(),
                            [](char c) { return c >= ' ' && c <= '~'; }))
        << "not printable: " << error.message;
    ASSERT_LT(error.message.size(), 400u);
    const std::string file(kName);
    if (!text) {  // a row may be found to be wrong before the gzip data is
      ASSERT_TRUE(error.message.starts_with(file + ":")) << error.message;
    } else if (text->empty()) {
      ASSERT_TRUE(error.message.starts_with(file + ": is empty")) << error.message;
    } else {
      ASSERT_TRUE(error.message.starts_with(file + ":" + std::to_string(line) + ": "))
          << error.message << "; the fault is in line " << line;
    }
  }

  std::uint64_t seed = 0;
  int accepted = 0;
  int refused = 0;
};

std::string recorded() {
  return *unpacked(test::content_of(std::string(TENURE_TEST_DATA) + "/gpt_train_cpu.csv.gz"));
}

TEST_F(TraceFuzzTest, TellsGoodTracesFromTenThousandSpoiltOnes) {
  const std::string trace = recorded();
  const std::vector<std::string> good{
      window_of(trace, 60), window_of(trace, 25),
      test::content_of(std::string(TENURE_TEST_DATA) + "/tiny.csv"),
      trace_of({"alloc,900,5,0,0,1,1", "alloc,1,5,0,0,0,1", "begin,0,0,0,0,0,0",
                "begin,0,0,0,0,1,0", "alloc,2,7,3,0,0,2", "free,900,5,1,4,1,3",
                "alloc,900,6,1,4,0,1", "snapshot,0,18,0,9,0,0", "snapshot,0,0,0,9,1,0"})};
  for (std::uint64_t input = 0; refused < kRefusals && !HasFatalFailure(); ++input) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", input " + std::to_string(input));
    ASSERT_LT(input, 3u * kRefusals) << "most inputs should be spoilt";
    Mutator mutator(seed + input);
    std::string text = good[mutator.below(good.size())];
    for (std::size_t times = mutator.below(4); times > 0; --times) {
      mutator.spoil_text(text);
    }
    if (mutator.one_in(2)) {
      std::string bytes = gzipped(text, 1);
      if (mutator.one_in(2)) {
        mutator.spoil_packed(bytes);
        const bool is_gzip = bytes.starts_with("\x1f\x8b");
        try_one(bytes, is_gzip ? unpacked(bytes) : bytes);
      } else {
        try_one(bytes, text);
      }
    } else {
      try_one(text, text);
    }
  }

  EXPECT_EQ(refused, kRefusals);
  EXPECT_GT(accepted, kRefusals / 20) << "good traces should be among the inputs";
}

TEST_F(TraceFuzzTest, TellsTheWholeRecordingFromSpoiltOnes) {
  const std::string text = recorded();
  const std::string packed = gzipped(text);
  for (std::uint64_t input = 0; input < 20 && !HasFatalFailure(); ++input) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", input " + std::to_string(input));
    Mutator mutator(seed + input);
    if (input % 2 == 0) {
      std::string spoilt = text;
      mutator.spoil_text(spoilt);
      try_one(spoilt, spoilt);
    } else {
      std::string spoilt = packed;
      mutator.spoil_packed(spoilt);
      try_one(spoilt, spoilt.starts_with("\x1f\x8b") ? unpacked(spoilt) : spoilt);
    }
  }

  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace tenure
