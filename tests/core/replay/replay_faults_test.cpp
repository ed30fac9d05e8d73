// The N-th call that a replay makes of its backend fails, for each N: the replay goes on, or ends with
// an error that its contract names; nothing is leaked, and no memory is used by two.
//
// TENURE_TEST_STRIDE=1 takes each N, as far as the trace has calls; without it, some of them, and a
// shorter trace.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/observe/trace.hpp"
#include "host/simulated_device.hpp"
#include "tenure/replay.hpp"
#include "tests/support/checked_fixture.hpp"
#include "tests/support/stream_trace.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {

namespace {

// The device that the next runtime opens, which outlives it.
SimulatedDevice* next_device = nullptr;

}  // namespace

// Why here: runtimes open their backend by this, and the link takes the first definition.
Result<std::unique_ptr<Backend>> open_backend(std::string_view, std::uint64_t) {
  return std::unique_ptr<Backend>(std::make_unique<testing::LyingBackend>(*next_device));
}
void inspect_devices(MachineReport&) {}

namespace {

using testing::StreamTrace;
using testing::StreamTraceOptions;

constexpr std::array kCalls{BackendCall::kReserve,     BackendCall::kMap,    BackendCall::kAllocate,
                            BackendCall::kMakeStream,  BackendCall::kRecord, BackendCall::kWait,
                            BackendCall::kSynchronize, BackendCall::kCopy,   BackendCall::kFill};

bool takes_each() { return std::getenv("TENURE_TEST_STRIDE") != nullptr; }

struct Case {
  const char* name;
  Lifetimes lifetimes;
  bool can_map;
  Check check;
};

class ReplayFaults : public ::testing::TestWithParam<Case> {
 protected:
  ReplayFaults() {
    const StreamTrace made(StreamTraceOptions{.layers = takes_each() ? 40u : 10u,
                                              .iterations = takes_each() ? 5u : 3u,
                                              .unit = 64u << 10});
    peak_ = made.peak_live();
    Result<TraceData> data = TraceData::read("made.csv", test::bytes_of(made.to_csv()));
    trace_ =
        std::make_unique<Trace>(std::make_shared<const TraceData>(value_or_throw(std::move(data))));
  }

  // Scarce, so that memory is moved, waited for and collected for.
  SimulatedOptions device() const {
    SimulatedOptions options;
    options.capacity =
        round_up(Bytes{GetParam().can_map ? peak_ / 8 * 9 : peak_ * 2}, Bytes{64u << 10});
    options.granularity = Bytes{64u << 10};
    options.can_map.fill(GetParam().can_map);
    options.keeps_waits = false;
    return options;
  }

  static Result<ReplayReport> run(const Trace& trace) {
    ReplayOptions options;
    options.lifetimes = GetParam().lifetimes;
    options.config.check = GetParam().check;
    return replay(trace, options);
  }

  // Fails the n-th call of that kind, and holds the outcome to the contract.
  void fail_one(BackendCall call, std::uint64_t nth, ErrorCode code) {
    SimulatedDevice faulty(device());
    next_device = &faulty;
    faulty.fail(call, nth, code);

    const Result<ReplayReport> report = run(*trace_);

    EXPECT_EQ(faulty.mapped(MemoryKind::kDevice), Bytes{});
    if (report) {
      ++recovered_;
      EXPECT_EQ(report->leaked_blocks, 0u);
      return;
    }
    ++refused_;
    const ErrorCode found = report.failure().code;
    EXPECT_TRUE(found == code || found == ErrorCode::kOutOfMemory) << report.failure().message;
    EXPECT_FALSE(report.failure().message.empty());
  }

  void fail_each(ErrorCode code) {
    SimulatedDevice plain(device());
    next_device = &plain;
    const Result<ReplayReport> whole = run(*trace_);
    ASSERT_TRUE(whole.ok()) << whole.failure().message;
    std::uint64_t calls = 0;
    for (const BackendCall call : kCalls) {
      const std::uint64_t of_kind = plain.count(call);
      const std::uint64_t stride = takes_each() ? 1 : 1 + of_kind / 8;
      for (std::uint64_t nth = 1; nth <= of_kind; nth += stride) {
        SCOPED_TRACE(std::string(to_string(call)) + " " + std::to_string(nth) + " of " +
                     std::to_string(of_kind));
        fail_one(call, nth, code);
        ASSERT_FALSE(HasFailure());
        ++calls;
      }
    }
    std::printf("%s, %s: %d events, %d calls failed in turn, %d replays went on, %d were refused\n",
                GetParam().name, std::string(to_string(code)).c_str(),
                static_cast<int>(trace_->events()), static_cast<int>(calls),
                static_cast<int>(recovered_), static_cast<int>(refused_));
    EXPECT_GT(calls, 15u) << "the replay hardly calls its backend";
    EXPECT_TRUE(recovered_ > 0 || code == ErrorCode::kDeviceLost);
  }

  std::uint64_t peak_ = 0;
  std::unique_ptr<Trace> trace_;
  std::uint64_t recovered_ = 0;
  std::uint64_t refused_ = 0;
};

TEST_P(ReplayFaults, ARefusalOfEachCallIsSurvivedOrReported) {
  fail_each(ErrorCode::kDeviceRefused);
}
TEST_P(ReplayFaults, AShortageAtEachCallIsSurvivedOrReported) {
  fail_each(ErrorCode::kOutOfMemory);
}
TEST_P(ReplayFaults, ALossAtEachCallIsReported) { fail_each(ErrorCode::kDeviceLost); }

INSTANTIATE_TEST_SUITE_P(
    Of, ReplayFaults,
    ::testing::Values(Case{"Explicit", Lifetimes::kExplicit, true, Check::kOff},
                      Case{"ExplicitSegments", Lifetimes::kExplicit, false, Check::kOff},
                      Case{"Collected", Lifetimes::kCollected, true, Check::kOff},
                      Case{"CollectedChecked", Lifetimes::kCollected, true, Check::kPayload}),
    [](const auto& info_of) { return std::string(info_of.param.name); });

}  // namespace
}  // namespace tenure
