#include "tenure/bytes.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

TEST(Bytes, PrintsAsAPersonReadsThem) {
  EXPECT_EQ(to_string(0_B), "0 B");
  EXPECT_EQ(to_string(512_B), "512 B");
  EXPECT_EQ(to_string(1536_B), "1.50 KiB");
  EXPECT_EQ(to_string(80_GiB), "80 GiB");
  EXPECT_EQ(to_string(Bytes{12'345'678}), "11.8 MiB");
  EXPECT_EQ(to_string(kUnlimited), "unlimited");
}

TEST(Bytes, RoundsToPowersOfTwo) {
  EXPECT_EQ(round_up(1_B, 512_B), 512_B);
  EXPECT_EQ(round_up(512_B, 512_B), 512_B);
  EXPECT_EQ(round_up(0_B, 512_B), 0_B);
  EXPECT_EQ(round_down(1023_B, 512_B), 512_B);
}

TEST(Bytes, CountsInUnitsOfPowersOfTwo) {
  EXPECT_EQ((1_KiB).count(), 1024u);
  EXPECT_EQ(1_MiB, 1024 * 1_KiB);
  EXPECT_EQ(1_TiB / 1_GiB, 1024u);
  EXPECT_LT(1_KiB - 1_B, 1_KiB);
}

}  // namespace
}  // namespace tenure
