// Every call that a pool makes of its backend fails once, at each place of a run that needs them all.
// The pool stays sound, gives errors that its contract names, and loses nothing.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::array kCalls{BackendCall::kReserve, BackendCall::kMap,  BackendCall::kAllocate,
                            BackendCall::kRecord,  BackendCall::kWait, BackendCall::kSynchronize};

class Script {
 public:
  explicit Script(bool can_map)
      : device_(testing::device_of(Bytes{64 * kMiB}, can_map)),
        left_(*device_.make_stream()),
        right_(*device_.make_stream()) {}

  SimulatedDevice& device() { return device_; }

  /// Three streams that take turns with all of the memory, in growing and shrinking pieces.
  void run() {
    for (std::uint64_t round = 0; round < 6; ++round) {
      for (const StreamId stream : {StreamId::kDefault, left_, right_}) {
        for (const std::uint64_t mebibytes : {1u, 7u, 3u, 12u, 5u}) {
          take(mebibytes + round, stream);
        }
        use_and_give(stream);
      }
      device_.advance(round % 2 == 0 ? 0 : 50'000);
      pool_->trim(Bytes{8 * kMiB}, round % 3 == 0 ? HostWait::kAllowed : HostWait::kNever);
      expect_sound();
    }
    leases_.clear();
    expect_sound();
    EXPECT_EQ(pool_->statistics().live, Bytes{});
  }

  void end() {
    device_.advance_until_idle();
    pool_.reset();
  }

 private:
  void take(std::uint64_t mebibytes, StreamId stream) {
    Result<PayloadLease> got = pool_->lease(Bytes{mebibytes * kMiB}, stream, SiteId{1},
                                            mebibytes % 2 == 0 ? Effort::kWait : Effort::kGrow);
    expect_sound();
    if (got) {
      leases_.push_back(std::move(*got));
      return;
    }
    const ErrorCode code = got.failure().code;
    EXPECT_TRUE(code == ErrorCode::kOutOfMemory || code == ErrorCode::kDeviceRefused ||
                code == ErrorCode::kDeviceLost)
        << got.failure().message;
  }

  void use_and_give(StreamId stream) {
    const StreamId other = stream == left_ ? right_ : left_;
    for (std::size_t i = 0; i < leases_.size(); ++i) {
      use(leases_[i], stream, 10'000);
      if (i % 3 == 0) use(leases_[i], other, 20'000);
    }
    while (leases_.size() > 2) leases_.erase(leases_.begin());
  }

  void use(PayloadLease& lease, StreamId stream, std::uint64_t duration_ns) {
    (void)device_.submit(stream, duration_ns, {}, {lease.view()});
    lease.used_on(stream);
  }

  void expect_sound() { EXPECT_TRUE(is_sound(*pool_)); }

  SimulatedDevice device_;
  StreamId left_;
  StreamId right_;
  std::unique_ptr<PayloadPool> pool_ = std::make_unique<PayloadPool>(device_, MemoryKind::kDevice);
  std::vector<PayloadLease> leases_;
};

class PoolFaults : public ::testing::TestWithParam<bool> {
 protected:
  // Fails the n-th call of each kind in a run of its own, for all n of a run without faults.
  void fail_each(ErrorCode code) {
    Script plain(GetParam());
    plain.run();
    std::uint64_t runs = 0;
    for (const BackendCall call : kCalls) {
      const std::uint64_t calls = plain.device().count(call);
      for (std::uint64_t nth = 1; nth <= calls; ++nth) {
        SCOPED_TRACE(std::string(to_string(call)) + " " + std::to_string(nth) + " of " +
                     std::to_string(calls));
        Script script(GetParam());
        script.device().fail(call, nth, code);
        script.run();
        script.end();
        ASSERT_EQ(script.device().mapped(MemoryKind::kDevice), Bytes{});
        ASSERT_FALSE(HasFailure());
        ++runs;
      }
    }
    EXPECT_GT(runs, 50u) << "the script hardly calls the backend";
  }
};

TEST_P(PoolFaults, ARefusalAnywhereLeavesThePoolSound) { fail_each(ErrorCode::kDeviceRefused); }

TEST_P(PoolFaults, MemoryThatIsRefusedInPassingIsNobodysConcern) {
  SimulatedDevice device(testing::device_of(Bytes{64 * kMiB}, GetParam()));
  PayloadPool pool(device, MemoryKind::kDevice);
  const BackendCall call = GetParam() ? BackendCall::kMap : BackendCall::kAllocate;
  device.fail(call, 1, ErrorCode::kDeviceRefused);
  EXPECT_TRUE(pool.lease(Bytes{kMiB}, StreamId::kDefault).ok());
  EXPECT_EQ(device.count(call), 2u);

  device.fail(call, 1, ErrorCode::kDeviceRefused);
  device.fail(call, 2, ErrorCode::kDeviceRefused);
  const Result<PayloadLease> refused = pool.lease(Bytes{32 * kMiB}, StreamId::kDefault);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kDeviceRefused);
  EXPECT_EQ(device.count(call), 4u);
}

TEST_P(PoolFaults, ShortageAnywhereLeavesThePoolSound) { fail_each(ErrorCode::kOutOfMemory); }

TEST_P(PoolFaults, ADeviceLostAnywhereLeavesThePoolSound) { fail_each(ErrorCode::kDeviceLost); }

TEST_P(PoolFaults, ManyRefusalsLeaveThePoolSound) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Script script(GetParam());
    script.device().fail_randomly(0.2, seed);
    script.run();
    script.device().fail_randomly(0, seed);
    script.end();
    ASSERT_EQ(script.device().mapped(MemoryKind::kDevice), Bytes{});
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(Backend, PoolFaults, ::testing::Bool(), [](const auto& mapped) {
  return std::string(mapped.param ? "Mapped" : "Segments");
});

}  // namespace
}  // namespace tenure
