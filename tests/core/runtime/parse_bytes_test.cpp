// Sizes as users write them, in options, environment variables and names of simulated devices.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tenure/config.hpp"

namespace tenure {
namespace {

// The size that `text` is read as; a failure of the test where it is refused.
Bytes size_of(std::string_view text) {
  const Result<Bytes> size = parse_bytes(text);
  EXPECT_TRUE(size.ok()) << size.failure().message;
  return size ? *size : kUnlimited;
}

// The reason for which `text` is refused; empty where it is not.
std::string refusal_of(std::string_view text) {
  const Result<Bytes> size = parse_bytes(text);
  if (size) {
    ADD_FAILURE() << '"' << text << "\" was read as " << to_string(*size);
    return {};
  }
  EXPECT_EQ(size.failure().code, ErrorCode::kBadArgument);
  return size.failure().message;
}

TEST(ParseBytesTest, ReadsANumberWithoutAUnitAsBytes) {
  EXPECT_EQ(size_of("0"), 0_B);
  EXPECT_EQ(size_of("512"), 512_B);
  EXPECT_EQ(size_of("18446744073709551615"), kUnlimited);
}

TEST(ParseBytesTest, ReadsEveryUnitAsAPowerOfTwo) {
  const std::vector<std::pair<std::string, Bytes>> cases{
      {"7B", 7_B},   {"7KiB", 7_KiB}, {"7MiB", 7_MiB}, {"7GiB", 7_GiB}, {"7TiB", 7_TiB},
      {"7K", 7_KiB}, {"7M", 7_MiB},   {"7G", 7_GiB},   {"7T", 7_TiB}};
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(size_of(text), expected) << text;
  }
}

TEST(ParseBytesTest, ReadsUnitsInEitherCase) {
  EXPECT_EQ(size_of("80gib"), 80_GiB);
  EXPECT_EQ(size_of("8m"), 8_MiB);
}

TEST(ParseBytesTest, SkipsSpacesAroundTheNumberAndTheUnit) {
  EXPECT_EQ(size_of("32 MiB"), 32_MiB);
  EXPECT_EQ(size_of("  32\tMiB "), 32_MiB);
}

TEST(ParseBytesTest, ReadsFractionsExactly) {
  EXPECT_EQ(size_of("1.5GiB"), 1536_MiB);
  EXPECT_EQ(size_of("0.25 KiB"), 256_B);
  EXPECT_EQ(size_of("0.0009765625MiB"), 1_KiB);
  EXPECT_EQ(size_of("3.5" + std::string(60, '0') + "M"), 3584_KiB);
}

TEST(ParseBytesTest, DropsThePartOfAByteThatAFractionLeaves) {
  EXPECT_EQ(size_of("1.3KiB"), 1331_B);
}

TEST(ParseBytesTest, RefusesWhatDoesNotStartWithANumber) {
  for (const char* const text : {"", "   ", "GiB", "-1", "+1", ".5GiB", "unlimited"}) {
    EXPECT_NE(refusal_of(text).find("does not start with a number"), std::string::npos) << text;
  }
}

TEST(ParseBytesTest, NamesTheUnitThatItDoesNotKnow) {
  EXPECT_NE(refusal_of("80GB").find("no unit \"GB\""), std::string::npos);
  EXPECT_NE(refusal_of("1e9").find("no unit \"e9\""), std::string::npos);
  EXPECT_NE(refusal_of("1 Gi B").find("no unit \"Gi B\""), std::string::npos);
  EXPECT_NE(refusal_of("1,5GiB").find("no unit \",5GiB\""), std::string::npos);
}

TEST(ParseBytesTest, QuotesWhatItRefusesAndSaysWhatToWrite) {
  const std::string refusal = refusal_of("80GB");

  EXPECT_NE(refusal.find("\"80GB\""), std::string::npos);
  EXPECT_NE(refusal.find("GiB"), std::string::npos);
}

TEST(ParseBytesTest, RefusesPartsOfAByte) {
  EXPECT_NE(refusal_of("0.5").find("part of a byte"), std::string::npos);
  EXPECT_NE(refusal_of("1.0B").find("part of a byte"), std::string::npos);
  EXPECT_NE(refusal_of("1.GiB").find("behind the point"), std::string::npos);
}

TEST(ParseBytesTest, RefusesMoreThanSixtyFourBitsHold) {
  for (const char* const text :
       {"18446744073709551616", "16777216TiB", "99999999999999999999999GiB"}) {
    EXPECT_NE(refusal_of(text).find("2^64"), std::string::npos) << text;
  }
  EXPECT_EQ(size_of("16777215TiB"), Bytes{16777215ull << 40});
}

}  // namespace
}  // namespace tenure
