// Random leases, uses, returns and passing time on a simulated device, against an oracle that knows
// who may have which byte.
//
// Early reuse shows twice. In the order: the device knows which work comes behind which, and notes
// whoever writes bytes without being behind their last users. And in the bytes: each piece of work
// checks, as it ends, that its payload still bears its mark.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

struct Tenant {
  PayloadLease lease;
  StreamId home = StreamId::kDefault;
  std::vector<StreamId> users;  // that were ordered behind the home stream's first work
  std::uint64_t mark = 0;
};

struct Case {
  std::uint64_t seed = 0;
  std::uint32_t streams = 1;
  bool can_map = true;
  AllocationStrategy strategy = AllocationStrategy::kBestFit;
};

class PoolProperty : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::uint32_t kSteps = 100'000;
  static constexpr std::uint32_t kPhase = 512;

  PoolProperty() : random_(GetParam().seed) {
    streams_.push_back(StreamId::kDefault);
    while (streams_.size() < GetParam().streams) {
      streams_.push_back(*device_->make_stream());
    }
  }

  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  StreamId any_stream() { return below(4) == 0 ? streams_[below(streams_.size())] : favourite_; }

  // Small ones are common, as in programs; a few are as large as a tenth of the device.
  Bytes any_size() {
    const std::uint64_t widest = below(8) == 0 ? 22 : 17;
    const std::uint64_t scale = std::uint64_t{1} << below(widest);
    return Bytes{1 + below(scale)};
  }

  // A mark stands at the start of a payload, and at the end of one that has room for two.
  template <class Visit>
  static void each_place(const PayloadView& view, Visit visit) {
    const std::size_t size = view.size.count();
    visit(view.data, std::min(size, sizeof(std::uint64_t)));
    if (size >= 2 * sizeof(std::uint64_t)) {
      visit(view.data + size - sizeof(std::uint64_t), sizeof(std::uint64_t));
    }
  }
  static void write_mark(const PayloadView& view, std::uint64_t mark) {
    each_place(view, [&](std::byte* at, std::size_t bytes) { std::memcpy(at, &mark, bytes); });
  }
  static bool bears_mark(const PayloadView& view, std::uint64_t mark) {
    bool bears = true;
    each_place(view, [&](const std::byte* at, std::size_t bytes) {
      bears = bears && std::memcmp(at, &mark, bytes) == 0;
    });
    return bears;
  }

  void work(Tenant& tenant, StreamId stream, bool first) {
    const PayloadView view = tenant.lease.view();
    const auto effect = [this, view, mark = tenant.mark, first] {
      early_reuses_ += first || bears_mark(view, mark) ? 0 : 1;
      write_mark(view, mark);
    };
    const std::uint64_t duration_ns = below(50'000 * streams_.size());
    const Access access = first ? Access::kWrite : Access::kRead;  // readers come in any order
    ASSERT_TRUE(device_->submit(stream, duration_ns, effect, {DeviceUse(view, access)}).ok());
  }

  void take() {
    const Bytes size = any_size();
    const StreamId stream = any_stream();
    const auto effort = static_cast<Effort>(below(3));
    Result<PayloadLease> got = pool_->lease(size, stream, SiteId{7}, effort);
    if (!got) {
      ++refusals_;
      ASSERT_EQ(got.failure().code, ErrorCode::kOutOfMemory) << got.failure().message;
      return;
    }
    if (!got->owns()) {
      ASSERT_EQ(effort, Effort::kReuse);
      return;
    }
    Tenant tenant{std::move(*got), stream, {stream}, ++marks_};
    const PayloadView view = tenant.lease.view();
    ASSERT_EQ(view.size, size);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % kBlockStep, 0u);
    const auto above = taken_.lower_bound(view.data);
    ASSERT_TRUE(above == taken_.end() || view.data + size.count() <= above->first);
    ASSERT_TRUE(above == taken_.begin() || std::prev(above)->second <= view.data);
    taken_[view.data] = view.data + size.count();
    live_ += size;
    work(tenant, stream, true);
    tenants_.push_back(std::move(tenant));
  }

  void use() {
    Tenant& tenant = tenants_[below(tenants_.size())];
    const StreamId stream = any_stream();
    if (std::find(tenant.users.begin(), tenant.users.end(), stream) == tenant.users.end()) {
      const Result<StreamEvent> first = device_->record(tenant.home);
      ASSERT_TRUE(first.ok() && device_->wait(stream, *first).ok());
      tenant.users.push_back(stream);
    }
    work(tenant, stream, false);
    tenant.lease.used_on(stream);
  }

  void give() {
    const std::size_t chosen = below(tenants_.size());
    std::swap(tenants_[chosen], tenants_.back());
    const PayloadView view = tenants_.back().lease.view();
    taken_.erase(view.data);
    live_ -= view.size;
    tenants_.pop_back();
  }

  // Programs fill memory and empty it again, and move from stream to stream; so does the walk, as it
  // would else stay near one state.
  void step(std::uint32_t number) {
    const bool fills = number / kPhase % 2 == 0;
    if (number % kPhase == 0) {
      favourite_ = streams_[below(streams_.size())];
    }
    const std::uint64_t choice = below(100);
    if (tenants_.empty() || choice < (fills ? 40u : 10u)) {
      take();
    } else if (choice < 50) {
      give();
    } else if (choice < 75) {
      use();
    } else if (choice < 98) {
      device_->advance(below(200'000));
    } else {
      const HostWait wait = below(2) == 0 ? HostWait::kAllowed : HostWait::kNever;
      pool_->trim(Bytes{below(8u << 20)}, wait);
    }
  }

  // Small pieces, so that a small device has many, and few bytes are touched.
  static SimulatedOptions options() {
    SimulatedOptions options = testing::device_of(Bytes{4u << 20}, GetParam().can_map);
    options.granularity = Bytes{64u << 10};
    options.checks_order = true;
    return options;
  }

  std::unique_ptr<SimulatedDevice> device_ = std::make_unique<SimulatedDevice>(options());
  std::unique_ptr<PayloadPool> pool_ = std::make_unique<PayloadPool>(
      *device_, MemoryKind::kDevice, PoolOptions{.strategy = GetParam().strategy});
  std::mt19937_64 random_;
  std::vector<StreamId> streams_;
  StreamId favourite_ = StreamId::kDefault;
  std::vector<Tenant> tenants_;
  std::map<const std::byte*, const std::byte*> taken_;  // what is leased: begin to end
  Bytes live_;
  std::uint64_t marks_ = 0;
  std::uint64_t early_reuses_ = 0;
  std::uint64_t refusals_ = 0;
};

TEST_P(PoolProperty, NeverHandsOutBytesThatSomebodyMayStillUse) {
  SCOPED_TRACE("seed " + std::to_string(GetParam().seed));
  for (std::uint32_t i = 0; i < kSteps; ++i) {
    step(i);
    ASSERT_FALSE(HasFatalFailure()) << "step " << i;
    ASSERT_EQ(early_reuses_, 0u) << "step " << i;
    if (i % 256 == 0) {
      ASSERT_EQ(device_->order_faults(), std::vector<std::string>()) << "step " << i;
      ASSERT_TRUE(is_sound(*pool_)) << "step " << i;
      const PoolStatistics statistics = pool_->statistics();
      ASSERT_EQ(statistics.live, live_) << "step " << i;
      ASSERT_EQ(statistics.live_blocks, tenants_.size()) << "step " << i;
      ASSERT_EQ(statistics.reserved, device_->mapped(MemoryKind::kDevice)) << "step " << i;
    }
  }
  tenants_.clear();
  device_->advance_until_idle();

  EXPECT_EQ(early_reuses_, 0u);
  EXPECT_TRUE(is_sound(*pool_));
  const PoolStatistics statistics = pool_->statistics();
  EXPECT_EQ(statistics.live, Bytes{});
  // The walk came by what it is there to test.
  EXPECT_GT(refusals_, 5u);
  EXPECT_GT(statistics.trims, 20u);
  EXPECT_EQ(statistics.device_waits > 5, GetParam().streams > 1);
  pool_->trim(kUnlimited, HostWait::kAllowed);
  EXPECT_EQ(device_->mapped(MemoryKind::kDevice), Bytes{}) << "trimming an empty pool left memory";
}

// Each case names itself in the list of tests.
std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return std::to_string(info.param.streams) + "Streams" +
         (info.param.can_map ? "Mapped" : "Segments") + "Seed" + std::to_string(info.param.seed) +
         "By" + std::to_string(static_cast<int>(info.param.strategy));
}

INSTANTIATE_TEST_SUITE_P(Random, PoolProperty,
                         ::testing::Values(Case{1, 1, true}, Case{2, 1, false}, Case{3, 3, true},
                                           Case{4, 3, true}, Case{5, 3, false}, Case{6, 8, true}),
                         name_of);

// Every other strategy, where one order is enough and where there are several.
INSTANTIATE_TEST_SUITE_P(Strategies, PoolProperty,
                         ::testing::Values(Case{11, 1, true, AllocationStrategy::kFirstFit},
                                           Case{12, 3, true, AllocationStrategy::kFirstFit},
                                           Case{13, 1, true, AllocationStrategy::kNextFit},
                                           Case{14, 3, false, AllocationStrategy::kNextFit},
                                           Case{15, 1, false, AllocationStrategy::kWorstFit},
                                           Case{16, 3, true, AllocationStrategy::kWorstFit},
                                           Case{17, 1, true, AllocationStrategy::kSegregatedFit},
                                           Case{18, 8, true, AllocationStrategy::kSegregatedFit}),
                         name_of);

}  // namespace
}  // namespace tenure
