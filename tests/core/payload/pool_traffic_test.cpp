// Made training traces on several streams: offload, prefetch, uses across streams. One pool for all
// streams reserves hardly more than is live, where free lists of each stream need much more; and the
// checker sees no byte reused too early.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/stream_traffic.hpp"

namespace tenure {
namespace {

using testing::kEventNs;
using testing::StreamTrace;
using testing::StreamTraceOptions;
using testing::StreamTraffic;

class PoolTrafficTest : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(PoolTrafficTest, OnePoolServesAllStreamsWhereFreeListsByStreamDoNot) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const StreamTrace trace(StreamTraceOptions{.streams = GetParam(), .seed = seed});
    const double by_stream = static_cast<double>(trace.peak_live()) /
                             static_cast<double>(trace.peak_of_free_lists_by_stream());
    EXPECT_LT(by_stream, 0.75);
    for (const std::uint64_t times : {1u, 2u, 5u}) {  // as slow as the host, and slower
      SCOPED_TRACE("seed " + std::to_string(seed) + ", work of " + std::to_string(times) +
                   " events");
      StreamTraffic traffic(trace, {.work_ns = kEventNs * times});

      traffic.run();

      EXPECT_GE(traffic.utilisation(), 0.95);
      EXPECT_TRUE(times == 1 || traffic.statistics().device_waits > 10);
      EXPECT_EQ(traffic.faults(), std::vector<std::string>());
      EXPECT_EQ(traffic.device().order_faults(), std::vector<std::string>());
      std::printf(
          "%u streams, seed %d, %zu events, work of %d: one pool %.3f, %d waits; free lists "
          "by stream %.3f at best\n",
          GetParam(), static_cast<int>(seed), trace.events().size(), static_cast<int>(times),
          traffic.utilisation(), static_cast<int>(traffic.statistics().device_waits), by_stream);
    }
  }
}

// A host that runs far ahead leaves nothing idle that could be mapped elsewhere, and with few layers a
// hole is a tenth of all. Where it must, the host waits, and no request is refused.
TEST_P(PoolTrafficTest, ABudgetJustAboveWhatIsLiveIsEnough) {
  std::uint64_t waits = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const StreamTrace trace(StreamTraceOptions{.streams = GetParam(), .layers = 24, .seed = seed});
    StreamTraffic traffic(trace,
                          {.work_ns = kEventNs * 5, .budget = Bytes{trace.peak_live() / 20 * 21}});

    traffic.run();

    EXPECT_EQ(traffic.refusals().size(), 0u);
    EXPECT_GE(traffic.utilisation(), 0.95);
    waits += traffic.waits_of_host();
    EXPECT_LT(traffic.waits_of_host(), trace.blocks() / 20);
    EXPECT_EQ(traffic.faults(), std::vector<std::string>());
    EXPECT_EQ(traffic.device().order_faults(), std::vector<std::string>());
  }
  EXPECT_GT(waits, 0u);
}

INSTANTIATE_TEST_SUITE_P(Streams, PoolTrafficTest, ::testing::Values(2u, 3u, 4u, 8u));

}  // namespace
}  // namespace tenure
