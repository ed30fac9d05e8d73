// Every call that falling asleep and waking up make of the backend fails once, at each place. A sleep
// that fails leaves the pool awake, a wake that fails leaves it asleep, and no byte is lost.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/filled_payloads.hpp"

namespace tenure {
namespace {

using testing::count_broken;
using testing::FilledPayload;
using testing::is_sound;

constexpr std::array kCalls{BackendCall::kMap, BackendCall::kRecord, BackendCall::kWait,
                            BackendCall::kSynchronize, BackendCall::kCopy};

SimulatedOptions small_device() {
  SimulatedOptions options = testing::device_of(16_MiB);
  options.granularity = 64_KiB;
  return options;
}

class Script {
 public:
  explicit Script(SleepContents contents)
      : contents_(contents), device_(small_device()), left_(*device_.make_stream()) {
    for (std::uint64_t k = 0; k < 6; ++k) {
      const StreamId stream = k % 2 == 0 ? left_ : StreamId::kDefault;
      payloads_.emplace_back(value_or_throw(pool_.lease(Bytes{(3 + k) * 50'000}, stream)), k + 1);
      payloads_.back().fill();
      EXPECT_TRUE(device_.submit(stream, 1000).ok());
    }
    payloads_.erase(payloads_.begin() + 1);
  }

  SimulatedDevice& device() { return device_; }

  /// Sleeps and wakes, each as often as it takes.
  void run() {
    bool slept = false;
    for (int tries = 0; tries < 3 && !slept; ++tries) {
      slept = pool_.sleep({.contents = contents_, .directory = {}}).ok();
      failures_ += slept ? 0 : 1;
      EXPECT_EQ(pool_.is_asleep(), slept);
      EXPECT_TRUE(slept || is_lost() || whole());
      EXPECT_TRUE(is_sound(pool_));
    }
    bool woken = !slept;
    for (int tries = 0; tries < 3 && !woken; ++tries) {
      woken = pool_.wake().ok();
      failures_ += woken ? 0 : 1;
      EXPECT_EQ(pool_.is_asleep(), !woken);
      EXPECT_TRUE(is_sound(pool_));
    }
    EXPECT_TRUE(is_lost() || (slept && woken && whole()));
  }
  /// The same under many faults, and then without.
  void run_and_settle() {
    for (int tries = 0; tries < 6; ++tries) {
      (void)pool_.sleep({.contents = contents_, .directory = {}});
      EXPECT_TRUE(is_sound(pool_));
      (void)pool_.wake();
      EXPECT_TRUE(is_sound(pool_));
    }
    device_.fail_randomly(0, 0);
    if (pool_.is_asleep()) {
      EXPECT_TRUE(pool_.wake().ok());
    }
    EXPECT_TRUE(whole());
  }
  void end() {
    pool_.close();
    EXPECT_EQ(device_.mapped(MemoryKind::kDevice), 0_B);
  }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  [[nodiscard]] bool whole() const {
    return contents_ == SleepContents::kDropped || count_broken(payloads_) == 0;
  }
  [[nodiscard]] bool is_lost() {
    const Result<StreamEvent> event = device_.record(StreamId::kDefault);
    return !event && event.failure().code == ErrorCode::kDeviceLost;
  }

  SleepContents contents_;
  SimulatedDevice device_;
  StreamId left_;
  PayloadPool pool_{device_, MemoryKind::kDevice};
  std::vector<FilledPayload> payloads_;
  int failures_ = 0;
};

class PoolSleepFaults : public ::testing::TestWithParam<SleepContents> {
 protected:
  void fail_each(ErrorCode code, int least_failures) {
    Script plain(GetParam());
    std::array<std::uint64_t, kCalls.size()> before{};
    for (std::size_t i = 0; i < kCalls.size(); ++i) before[i] = plain.device().count(kCalls[i]);
    plain.run();
    ASSERT_EQ(plain.failures(), 0);
    int failures = 0;
    for (std::size_t i = 0; i < kCalls.size(); ++i) {
      const std::uint64_t calls = plain.device().count(kCalls[i]) - before[i];
      for (std::uint64_t nth = 1; nth <= calls; ++nth) {
        SCOPED_TRACE(std::string(to_string(kCalls[i])) + " " + std::to_string(nth) + " of " +
                     std::to_string(calls));
        Script script(GetParam());
        script.device().fail(kCalls[i], nth, code);
        script.run();
        failures += script.failures();
        script.end();
        ASSERT_FALSE(HasFailure());
      }
    }
    EXPECT_GE(failures, least_failures);
  }
};

TEST_P(PoolSleepFaults, ARefusalAnywhereLosesNothing) {
  fail_each(ErrorCode::kDeviceRefused, GetParam() == SleepContents::kDropped ? 1 : 10);
}

TEST_P(PoolSleepFaults, ADeviceLostAnywhereEndsInItsError) {
  fail_each(ErrorCode::kDeviceLost, 10);
}

TEST_P(PoolSleepFaults, ManyRefusalsLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Script script(GetParam());
    script.device().fail_randomly(0.1, seed);
    script.run_and_settle();
    script.end();
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Contents, PoolSleepFaults,
                         ::testing::Values(SleepContents::kDropped, SleepContents::kOnHost,
                                           SleepContents::kInFile),
                         [](const auto& contents) {
                           return contents.param == SleepContents::kDropped  ? "Dropped"
                                  : contents.param == SleepContents::kOnHost ? "OnHost"
                                                                             : "InFile";
                         });

}  // namespace
}  // namespace tenure
