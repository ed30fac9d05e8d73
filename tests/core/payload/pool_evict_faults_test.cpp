// Every call that evictions and returns make of the backend fails once, at each place. What could not be
// moved is where it was, and no byte is lost.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/evictable_payload.hpp"

namespace tenure {
namespace {

using testing::EvictablePayload;
using testing::is_sound;

constexpr std::array kCalls{BackendCall::kMap, BackendCall::kRecord, BackendCall::kWait,
                            BackendCall::kSynchronize, BackendCall::kCopy};

SimulatedOptions small_device() {
  SimulatedOptions options = testing::device_of(16_MiB);
  options.granularity = 64_KiB;
  options.costs = SimulatedCosts{};
  return options;
}

// Six payloads of which four fit; each is used, by either stream, three times.
class Script {
 public:
  explicit Script(Bytes pinned) : pinned_(device_, MemoryKind::kPinned, pinned) {
    for (std::uint64_t k = 0; k < 6; ++k) {
      if (k >= 4) (void)pool_.evict(128_KiB, &pinned_);
      payloads_.emplace_back(
          value_or_throw(pool_.lease_evictable(128_KiB, k % 2 == 0 ? left_ : StreamId::kDefault,
                                               SiteId{1}, Effort::kGrow, ClientId::kNone)),
          k * 1000);
      EXPECT_TRUE(
          payloads_.back().step(device_, k % 2 == 0 ? left_ : StreamId::kDefault, 10'000, broken_));
    }
  }
  SimulatedDevice& device() { return device_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

  void run() {
    for (std::size_t k = 0; k < 18; ++k) {
      EvictablePayload& payload = payloads_[k % 6];
      const StreamId stream = k % 4 < 2 ? left_ : StreamId::kDefault;
      bool used = false;
      for (int tries = 0; tries < 12 && !used; ++tries) used = use(payload, stream);
      EXPECT_TRUE(used || is_lost());
    }
  }
  /// Without faults: whatever happened, each has its bytes.
  void settle() {
    device_.fail_randomly(0, 0);
    for (EvictablePayload& payload : payloads_) {
      for (int tries = 0; tries < 3 && !use(payload, left_); ++tries) {
      }
      device_.advance_until_idle();
      const Result<PayloadUse> use = pool_.use(payload.block(), left_, Effort::kGrow);
      EXPECT_TRUE(is_lost() || (use.ok() && payload.is_whole()));
    }
    EXPECT_EQ(broken_, 0u);
    payloads_.clear();
    EXPECT_TRUE(is_sound(pool_));
    EXPECT_TRUE(is_sound(pinned_));
    pool_.close();
    pinned_.close();
    EXPECT_EQ(device_.mapped(MemoryKind::kDevice), 0_B);
    EXPECT_EQ(device_.mapped(MemoryKind::kPinned), 0_B);
  }

 private:
  [[nodiscard]] bool is_lost() {
    const Result<StreamEvent> event = device_.record(StreamId::kDefault);
    return !event && event.failure().code == ErrorCode::kDeviceLost;
  }
  bool use(EvictablePayload& payload, StreamId stream) {
    Result<PayloadUse> use = pool_.use(payload.block(), stream, Effort::kGrow);
    if (!use && use.failure().code == ErrorCode::kOverBudget) {
      const EvictionOutcome outcome = pool_.evict_for_return(payload.block(), &pinned_);
      failures_ += outcome.failure.empty() ? 0 : 1;
      use = pool_.use(payload.block(), stream, Effort::kGrow);
    }
    EXPECT_TRUE(is_sound(pool_));
    if (!use) {
      ++failures_;
      return false;
    }
    return payload.step(device_, stream, 10'000, broken_);
  }

  SimulatedDevice device_{small_device()};
  StreamId left_ = *device_.make_stream();
  PayloadPool pinned_;
  PayloadPool pool_{device_, MemoryKind::kDevice, 512_KiB};
  std::vector<EvictablePayload> payloads_;
  std::uint64_t broken_ = 0;
  std::uint64_t failures_ = 0;
};

// The parameter: how much goes to pinned memory.
class PoolEvictFaults : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void fail_each(ErrorCode code) {
    Script plain(Bytes{GetParam()});
    std::array<std::uint64_t, kCalls.size()> before{};
    for (std::size_t i = 0; i < kCalls.size(); ++i) before[i] = plain.device().count(kCalls[i]);
    plain.run();
    ASSERT_EQ(plain.failures(), 0u);
    std::uint64_t failures = 0;
    for (std::size_t i = 0; i < kCalls.size(); ++i) {
      const std::uint64_t calls = plain.device().count(kCalls[i]) - before[i];
      EXPECT_GT(calls, 10u) << to_string(kCalls[i]);
      for (std::uint64_t nth = 1; nth <= calls; ++nth) {
        SCOPED_TRACE(std::string(to_string(kCalls[i])) + " " + std::to_string(nth) + " of " +
                     std::to_string(calls));
        Script script(Bytes{GetParam()});
        script.device().fail(kCalls[i], nth, code);
        script.run();
        script.settle();
        failures += script.failures();
        ASSERT_FALSE(HasFailure());
      }
    }
    EXPECT_GE(failures, 10u);
  }
};

TEST_P(PoolEvictFaults, ARefusalAnywhereLosesNothing) { fail_each(ErrorCode::kDeviceRefused); }

TEST_P(PoolEvictFaults, ADeviceLostAnywhereEndsInItsError) { fail_each(ErrorCode::kDeviceLost); }

TEST_P(PoolEvictFaults, ManyRefusalsLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Script script(Bytes{GetParam()});
    script.device().fail_randomly(0.05, seed);
    script.run();
    script.settle();
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Refuge, PoolEvictFaults, ::testing::Values(0u, 8u << 20),
                         [](const auto& pinned) { return pinned.param == 0 ? "Plain" : "Pinned"; });

}  // namespace
}  // namespace tenure
