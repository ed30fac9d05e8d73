// The N-th call of its backend fails, for each N of a pool's run of a made trace with work in flight: the
// pool is sound, gives errors that its contract names, and loses nothing; the checker sees no byte
// reused too early. The same at the front door: core/replay/replay_faults_test.
//
// TENURE_TEST_STRIDE=1 takes each N of a trace of 2,000 events; without it, some, of a shorter one.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/stream_traffic.hpp"

namespace tenure {
namespace {

using testing::kEventNs;
using testing::Load;
using testing::StreamTrace;
using testing::StreamTraceOptions;
using testing::StreamTraffic;

constexpr std::array kCalls{BackendCall::kReserve, BackendCall::kMap,  BackendCall::kAllocate,
                            BackendCall::kRecord,  BackendCall::kWait, BackendCall::kSynchronize};

bool takes_each() { return std::getenv("TENURE_TEST_STRIDE") != nullptr; }

class PoolTrafficFaults : public ::testing::TestWithParam<bool> {
 protected:
  // Scarce, and in small pieces, so that memory is moved and waited for.
  Load load() const {
    Load load;
    load.work_ns = kEventNs * 3;
    load.granularity = Bytes{64u << 10};
    load.capacity =
        round_up(Bytes{trace_.peak_live() / (GetParam() ? 20 : 10) * 22}, load.granularity);
    load.can_map = GetParam();
    return load;
  }

  void fail_each(ErrorCode code) {
    StreamTraffic plain(trace_, load());
    plain.run();
    ASSERT_EQ(plain.refusals().size(), 0u) << plain.refusals()[0].message;
    std::uint64_t runs = 0;
    std::uint64_t refused = 0;
    for (const BackendCall call : kCalls) {
      const std::uint64_t of_kind = plain.device().count(call);
      const std::uint64_t stride = takes_each() ? 1 : 1 + of_kind / 20;
      for (std::uint64_t nth = 1; nth <= of_kind; nth += stride) {
        SCOPED_TRACE(std::string(to_string(call)) + " " + std::to_string(nth) + " of " +
                     std::to_string(of_kind));
        StreamTraffic traffic(trace_, load());
        traffic.device().fail(call, nth, code);
        traffic.run();
        for (const Error& refusal : traffic.refusals()) {
          ASSERT_TRUE(refusal.code == code || refusal.code == ErrorCode::kOutOfMemory)
              << refusal.message;
        }
        ASSERT_EQ(traffic.statistics().live_blocks, 0u);
        ASSERT_EQ(traffic.device().mapped(MemoryKind::kDevice), Bytes{});
        ASSERT_EQ(traffic.faults(), std::vector<std::string>());
        ASSERT_EQ(traffic.device().order_faults(), std::vector<std::string>());
        ASSERT_FALSE(HasFailure());
        refused += traffic.refusals().empty() ? 0 : 1;
        ++runs;
      }
    }
    std::printf("%zu events, %s: %d calls failed in turn, after %d of them a lease was refused\n",
                trace_.events().size(), std::string(to_string(code)).c_str(),
                static_cast<int>(runs), static_cast<int>(refused));
    EXPECT_GT(runs, 40u) << "the trace hardly calls the backend";
    EXPECT_LT(refused, runs) << "nothing was survived";
  }

  const StreamTrace trace_{StreamTraceOptions{.layers = takes_each() ? 40u : 12u,
                                              .iterations = takes_each() ? 4u : 3u,
                                              .kinds = 8,
                                              .unit = 64u << 10,
                                              .seed = 3}};
};

TEST_P(PoolTrafficFaults, ARefusalOfEachCallLosesNothing) { fail_each(ErrorCode::kDeviceRefused); }
TEST_P(PoolTrafficFaults, AShortageAtEachCallLosesNothing) { fail_each(ErrorCode::kOutOfMemory); }
TEST_P(PoolTrafficFaults, ALossAtEachCallLosesNothing) { fail_each(ErrorCode::kDeviceLost); }

INSTANTIATE_TEST_SUITE_P(Backend, PoolTrafficFaults, ::testing::Bool(), [](const auto& mapped) {
  return std::string(mapped.param ? "Mapped" : "Segments");
});

}  // namespace
}  // namespace tenure
