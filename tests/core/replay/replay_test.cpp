// A trace through a runtime: what the pools count agrees with what the trace has live, and nothing is
// left.
#include "tenure/replay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/observe/trace.hpp"
#include "tests/support/trace_text.hpp"

namespace tenure {
namespace {

using test::bytes_of;
using test::trace_of;

const std::string kData = TENURE_TEST_DATA;

Trace made(const std::string& text) {
  Result<TraceData> data = TraceData::read("made.csv", bytes_of(text));
  return Trace(std::make_shared<const TraceData>(value_or_throw(std::move(data))));
}

ReplayOptions on(const std::string& device, Lifetimes lifetimes = Lifetimes::kExplicit) {
  ReplayOptions options;
  options.lifetimes = lifetimes;
  options.config.device = device;
  return options;
}

class ReplayOnDeviceTest : public ::testing::TestWithParam<const char*> {};

// The reader's sum and the pool's own count have nothing in common but the trace.
TEST_P(ReplayOnDeviceTest, LeasesToTheByteWhatTheTraceHasLiveAtItsPeak) {
  for (const char* const name : {"gpt_train_cpu.csv.gz", "tiny.csv"}) {
    SCOPED_TRACE(name);
    const Trace trace = value_or_throw(Trace::read(kData + "/" + name));

    const Result<ReplayReport> report = replay(trace, on(GetParam()));

    ASSERT_TRUE(report.ok()) << report.failure().message;
    EXPECT_EQ(report->peak_leased, trace.peak_live());
    EXPECT_EQ(report->peak_live, trace.peak_live());
    EXPECT_GE(report->peak_reserved, report->peak_leased);
    EXPECT_EQ(report->leaked_blocks, 0u);
  }
}

TEST_P(ReplayOnDeviceTest, LeavesNothingWhereTheCollectorHasToFindIt) {
  const Trace trace = value_or_throw(Trace::read(kData + "/gpt_train_cpu.csv.gz"));

  const Result<ReplayReport> report = replay(trace, on(GetParam(), Lifetimes::kCollected));

  ASSERT_TRUE(report.ok()) << report.failure().message;
  EXPECT_GE(report->peak_leased, trace.peak_live());
  EXPECT_GT(report->collections, 0u);
  EXPECT_EQ(report->pauses.count(), report->collections);
  EXPECT_EQ(report->leaked_blocks, 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, ReplayOnDeviceTest, ::testing::Values("host", "sim:24GiB"),
                         [](const auto& device) {
                           const std::string name = device.param;
                           return name.substr(0, name.find(':'));
                         });

// Threads race, so that figures of memory vary; what was leased and handed back does not.
TEST(ReplayTest, SpreadsATraceOverThreadsAndLosesNothing) {
  const Trace trace = value_or_throw(Trace::read(kData + "/gpt_train_cpu.csv.gz"));
  for (const std::uint32_t threads : {2u, 4u}) {
    SCOPED_TRACE(threads);
    ReplayOptions options = on("host");
    options.threads = threads;
    options.repetitions = 2;

    const ReplayReport report = value_or_throw(replay(trace, options));

    EXPECT_EQ(report.threads, threads);
    EXPECT_EQ(report.leaked_blocks, 0u);
    EXPECT_EQ(report.repetitions[0].leases, trace.allocations());
    EXPECT_EQ(report.repetitions[1].leases, trace.allocations());
    EXPECT_EQ(report.leases_ns.count() + report.returns_ns.count(), report.events);
    EXPECT_GT(report.leases_ns.percentile_ns(50), 0u);
    EXPECT_GE(report.peak_reserved, report.peak_leased);
    // The threads are no further apart than a window.
    EXPECT_LE(report.peak_leased.count(), 2 * trace.peak_live().count());
  }
}

// Each free is on another thread than its lease, and waits for it.
TEST(ReplayTest, HandsBackOnAnotherThreadWhatIsThere) {
  std::string text = trace_of({});
  for (int k = 1; k <= 2000; ++k) {
    const std::string block = std::to_string(k);
    text += "alloc," + block + ",4096,0,0,0,0\nfree," + block + ",4096,0,0,0,0\n";
  }
  const Trace trace = made(text);
  ReplayOptions options = on("sim:64MiB");
  options.threads = 3;

  const ReplayReport report = value_or_throw(replay(trace, options));

  EXPECT_EQ(report.leases_ns.count(), 2000u);
  EXPECT_EQ(report.returns_ns.count(), 2000u);
  EXPECT_LE(report.peak_leased.count(), 3 * 4096u)
      << "threads lease one ahead of a return at the most";
}

TEST(ReplayTest, NamesTheLineAtWhichAThreadFindsNoRoomAndStopsTheOthers) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0", "alloc,2,140737488355328,0,0,0,0",
                                     "alloc,3,512,0,0,0,0", "free,2,140737488355328,0,0,0,0"}));
  ReplayOptions options = on("sim:1GiB");
  options.threads = 2;

  const Result<ReplayReport> report = replay(trace, options);

  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.failure().message.rfind("made.csv:3: ", 0), 0u) << report.failure().message;
}

TEST(ReplayTest, RefusesThreadsForWhatHasNone) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0"}));
  ReplayOptions collected = on("host", Lifetimes::kCollected);
  collected.threads = 2;
  ReplayOptions model = on("host");
  model.threads = 2;
  model.policy = Policy::kPyTorch;
  ReplayOptions none = on("host");
  none.threads = 0;

  for (const ReplayOptions& options : {collected, model, none}) {
    const Result<ReplayReport> report = replay(trace, options);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.failure().code, ErrorCode::kBadArgument);
  }
}

TEST(ReplayTest, TimesTheWindowAndNotThePrologue) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0", "begin,0,0,0,0,0,0",
                                     "alloc,2,512,0,5,0,0", "free,2,512,0,2000000,0,0"}));

  const ReplayReport report = value_or_throw(replay(trace, on("sim:1GiB")));

  EXPECT_EQ(report.events, 2u);
  EXPECT_EQ(report.recorded_seconds, 2.0);
  EXPECT_EQ(report.peak_live, Bytes{1024});
}

TEST(ReplayTest, ReusesOnOneStreamWhatAnotherGaveBack) {
  const Trace trace = made(trace_of({"alloc,1,1048576,1,0,0,0", "alloc,2,512,65535,0,0,0",
                                     "free,1,1048576,1,0,0,0", "alloc,3,1048576,65535,0,0,0"}));

  const ReplayReport report = value_or_throw(replay(trace, on("sim:2MiB")));

  EXPECT_EQ(report.peak_reserved, 2_MiB);
  EXPECT_EQ(report.leaked_blocks, 0u);
}

TEST(ReplayTest, NamesTheLineOfAnAllocationThatFindsNoRoom) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0", "alloc,2,140737488355328,0,0,0,0"}));

  for (const Lifetimes lifetimes : {Lifetimes::kExplicit, Lifetimes::kCollected}) {
    const Result<ReplayReport> report = replay(trace, on("sim:1GiB", lifetimes));

    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.failure().code, ErrorCode::kOutOfMemory);
    EXPECT_EQ(report.failure().message.rfind("made.csv:3: ", 0), 0u) << report.failure().message;
  }
}

TEST(ReplayTest, ReportsTheDeviceThatWasUsed) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0"}));
  ASSERT_EQ(setenv("TENURE_DEVICE", "sim:2GiB", 1), 0);

  const ReplayReport report = value_or_throw(replay(trace, on("host")));

  ASSERT_EQ(unsetenv("TENURE_DEVICE"), 0);
  EXPECT_EQ(report.device, "sim:2GiB");
}

TEST(ReplayTest, TellsHowFarItIs) {
  const Trace trace = value_or_throw(Trace::read(kData + "/gpt_train_cpu.csv.gz"));
  std::vector<std::uint64_t> seen;
  ReplayOptions options = on("sim:24GiB");
  options.progress = [&](std::uint64_t done, std::uint64_t of) {
    EXPECT_EQ(of, trace.events());
    seen.push_back(done);
  };

  ASSERT_TRUE(replay(trace, options).ok());

  ASSERT_FALSE(seen.empty());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_LE(seen.back(), trace.events());
}

TEST(ReplayTest, RepeatsATraceInOneAndTheSamePools) {
  const Trace trace = value_or_throw(Trace::read(kData + "/gpt_train_cpu.csv.gz"));

  for (const Lifetimes lifetimes : {Lifetimes::kExplicit, Lifetimes::kCollected}) {
    ReplayOptions options = on("sim:24GiB", lifetimes);
    options.repetitions = 3;
    const ReplayReport report = value_or_throw(replay(trace, options));

    ASSERT_EQ(report.repetitions.size(), 3u);
    for (const RepetitionReport& repetition : report.repetitions) {
      EXPECT_EQ(repetition.leases, trace.allocations());
      EXPECT_GE(repetition.peak_reserved, trace.peak_live());
      EXPECT_LE(repetition.peak_reserved, report.peak_reserved);
    }
    EXPECT_EQ(report.leaked_blocks, 0u);
  }
}

TEST(ReplayTest, PutsAllOnOneStreamWhereAsked) {
  const Trace trace = made(
      trace_of({"alloc,1,1048576,1,0,0,0", "free,1,1048576,1,0,0,0", "alloc,2,1048576,2,0,0,0"}));
  ReplayOptions options = on("sim:1GiB");
  options.policy = Policy::kCuPy;  // never uses what another stream freed
  EXPECT_EQ(value_or_throw(replay(trace, options)).peak_reserved, 2_MiB);

  options.streams = ReplayStreams::kOne;

  EXPECT_EQ(value_or_throw(replay(trace, options)).peak_reserved, 1_MiB);
  options.policy = Policy::kNative;
  const ReplayReport native = value_or_throw(replay(trace, options));
  EXPECT_EQ(native.device_waits, 0u);
}

TEST(ReplayTest, KeepsToTheCapacity) {
  const Trace trace = made(trace_of({"alloc,1,1048576,0,0,0,0", "alloc,2,8388608,0,0,0,0"}));
  for (const Policy policy : kAllPolicies) {
    SCOPED_TRACE(to_string(policy));
    ReplayOptions options = on("sim:1GiB");
    options.policy = policy;
    options.capacity = 8_MiB;

    const Result<ReplayReport> report = replay(trace, options);

    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.failure().message.rfind("made.csv:3: ", 0), 0u) << report.failure().message;
  }
}

TEST(ReplayTest, RefusesAModelWithACollectorAndNoRepetitions) {
  const Trace trace = made(trace_of({"alloc,1,512,0,0,0,0"}));
  ReplayOptions options = on("sim:1GiB", Lifetimes::kCollected);
  options.policy = Policy::kPyTorch;
  EXPECT_FALSE(replay(trace, options).ok());

  options = on("sim:1GiB");
  options.repetitions = 0;
  EXPECT_FALSE(replay(trace, options).ok());
}

TEST(ReplayTest, TakesATraceWithoutEvents) {
  const ReplayReport report = value_or_throw(replay(made(trace_of({})), on("sim:1GiB")));

  EXPECT_EQ(report.events, 0u);
  EXPECT_EQ(report.peak_reserved, Bytes{});
  EXPECT_EQ(report.utilisation, 1.0);
  EXPECT_EQ(report.leaked_blocks, 0u);
}

}  // namespace
}  // namespace tenure
