// Maps of pools: each place is somebody's or nobody's, and together they are all that is mapped.
#include "tenure/payload_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "tenure/profile.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class PayloadMapTest : public RuntimeTest {
 protected:
  explicit PayloadMapTest(const Config& config = small_config()) : RuntimeTest(config) {}

  std::vector<PayloadMap> maps() { return value_or_throw(take_payload_maps(runtime)); }

  PayloadLease lease(Bytes size, const LeaseOptions& options = {}) {
    return value_or_throw(runtime.lease(size, options));
  }

  /// The place that has the address, inside of it or at its beginning.
  static PayloadPlace at(const std::vector<PayloadMap>& maps, const std::byte* data) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(data);
    for (const PayloadMap& map : maps) {
      for (const PayloadRun& run : map.runs) {
        std::uintptr_t address = run.address;
        for (const PayloadPlace& place : run.places) {
          if (wanted >= address && wanted < address + place.size.count()) {
            return place;
          }
          address += place.size.count();
        }
      }
    }
    ADD_FAILURE() << "no place has that address";
    return {};
  }

  /// What `statistics` says of the pools, against what the maps add up to.
  void expect_agreement(const std::vector<PayloadMap>& maps) {
    const Statistics statistics = runtime.statistics();
    ASSERT_EQ(maps.size(), statistics.pools.size());
    for (std::size_t k = 0; k < maps.size(); ++k) {
      const PoolStatistics& pool = statistics.pools[k];
      EXPECT_EQ(maps[k].kind, pool.kind);
      EXPECT_EQ(maps[k].backend, pool.backend);
      EXPECT_EQ(maps[k].size(), pool.reserved);
      Bytes asked{};
      std::uint64_t live = 0;
      std::uintptr_t reached = 0;
      for (const PayloadRun& run : maps[k].runs) {
        EXPECT_GT(run.address, reached) << "two runs touch, or are out of order";
        reached = run.address + run.size().count();
        for (const PayloadPlace& place : run.places) {
          EXPECT_FALSE(place.size.is_zero());
          asked += place.asked;
          live += place.asked.is_zero() ? 0 : 1;
        }
      }
      EXPECT_EQ(asked, pool.live);
      EXPECT_EQ(live, pool.live_blocks);
    }
  }
};

TEST_F(PayloadMapTest, HasNoPoolBeforeOneIsAskedFor) { EXPECT_TRUE(maps().empty()); }

TEST_F(PayloadMapTest, SaysWhoHasWhat) {
  const StreamId stream = value_or_throw(runtime.make_stream());
  const ClientId client = value_or_throw(runtime.make_client("trainer"));
  const PayloadLease first = lease(1000_B);
  const PayloadLease second =
      lease(3_MiB, {.stream = stream, .site = static_cast<SiteId>(12), .client = client});

  const std::vector<PayloadMap> now = maps();
  ASSERT_EQ(now.size(), 1u);
  EXPECT_EQ(now[0].kind, MemoryKind::kDevice);
  EXPECT_EQ(now[0].clients, (std::vector<std::string>{"", "trainer"}));
  const PayloadPlace one = at(now, first.data());
  EXPECT_EQ(one.state, PlaceState::kLeased);
  EXPECT_EQ(one.asked, 1000_B);
  EXPECT_EQ(one.size, 1024_B);
  EXPECT_EQ(one.stream, StreamId::kDefault);
  const PayloadPlace two = at(now, second.data());
  EXPECT_EQ(two.state, PlaceState::kLeased);
  EXPECT_EQ(two.asked, 3_MiB);
  EXPECT_EQ(two.stream, stream);
  EXPECT_EQ(two.site, static_cast<SiteId>(12));
  EXPECT_EQ(two.client, client);
  expect_agreement(now);
}

TEST_F(PayloadMapTest, ShowsTheHoleThatAReturnLeaves) {
  const PayloadLease below = lease(1_MiB);
  PayloadLease middle = lease(1_MiB);
  const PayloadLease above = lease(1_MiB);
  const std::byte* const hole = middle.data();
  middle.release();

  const std::vector<PayloadMap> now = maps();
  const PayloadPlace found = at(now, hole);
  EXPECT_EQ(found.state, PlaceState::kFree);
  EXPECT_EQ(found.size, 1_MiB);
  EXPECT_TRUE(found.asked.is_zero());
  expect_agreement(now);
}

TEST_F(PayloadMapTest, HasARunOnEitherSideOfWhatWentBack) {
  const PayloadLease below = lease(8_MiB);
  PayloadLease middle = lease(8_MiB);
  const PayloadLease above = lease(8_MiB);
  middle.release();
  ASSERT_GE(runtime.trim(), 8_MiB);
  const std::vector<PayloadMap> now = maps();
  EXPECT_EQ(now[0].runs.size(), 2u);
  expect_agreement(now);
  EXPECT_EQ(at(now, below.data()).state, PlaceState::kLeased);
  EXPECT_EQ(at(now, above.data()).state, PlaceState::kLeased);
}

TEST_F(PayloadMapTest, AgreesThroughARandomRun) {
  std::mt19937 random(11);
  SCOPED_TRACE("seed 11");
  struct Held {
    PayloadLease lease;
    LeaseOptions options;
    Bytes asked;
  };
  const std::array streams{StreamId::kDefault, value_or_throw(runtime.make_stream()),
                           value_or_throw(runtime.make_stream())};
  std::vector<Held> held;
  for (int step = 0; step < 4000; ++step) {
    if (!held.empty() && random() % 2 == 0) {
      const std::size_t which = random() % held.size();
      std::swap(held[which], held.back());
      held.pop_back();
    } else {
      const LeaseOptions options{
          .kind = random() % 2 == 0 ? MemoryKind::kDevice : MemoryKind::kHost,
          .stream = streams[random() % streams.size()],
          .site = static_cast<SiteId>(random() % 5)};
      const Bytes asked{1 + random() % (random() % 8 == 0 ? 1u << 20 : 1u << 13)};
      held.push_back({lease(asked, options), options, asked});
    }
    if (step % 400 != 399) {
      continue;
    }
    const std::vector<PayloadMap> now = maps();
    expect_agreement(now);
    for (const Held& one : held) {
      const PayloadPlace place = at(now, one.lease.data());
      EXPECT_EQ(place.state, PlaceState::kLeased);
      EXPECT_EQ(place.asked, one.asked);
      EXPECT_EQ(place.stream, one.options.stream);
      EXPECT_EQ(place.site, one.options.site);
    }
  }
}

TEST_F(PayloadMapTest, TellsWhatALayoutKeepsFromWhatIsLeasedInIt) {
  const auto iterate = [&] {
    std::vector<PayloadLease> held;
    for (int k = 0; k < 60; ++k) {
      held.push_back(lease(Bytes{static_cast<std::uint64_t>(1 + k % 7) << 16}));
      if (k % 3 == 2) held.erase(held.begin());
    }
  };
  for (int k = 0; k < 40 && runtime.statistics().pools.empty(); ++k) iterate();
  for (int k = 0; k < 200 && runtime.statistics().pools[0].planned_leases == 0; ++k) {
    iterate();
    runtime.await_plans();
  }
  ASSERT_GT(runtime.statistics().pools[0].planned_leases, 0u) << "no layout was taken up";
  const PayloadLease inside = lease(64_KiB);
  const std::vector<PayloadMap> now = maps();
  expect_agreement(now);
  EXPECT_EQ(at(now, inside.data()).state, PlaceState::kLeased);
  EXPECT_TRUE(std::ranges::any_of(now[0].runs, [](const PayloadRun& run) {
    return std::ranges::any_of(
        run.places, [](const PayloadPlace& place) { return place.state == PlaceState::kPlanned; });
  }));
}

TEST_F(PayloadMapTest, HasNoRunsOfAPoolThatSleeps) {
  const PayloadLease held = lease(1_MiB);
  value_or_throw(runtime.sleep(MemoryKind::kDevice));
  const std::vector<PayloadMap> asleep = maps();
  ASSERT_EQ(asleep.size(), 1u);
  EXPECT_TRUE(asleep[0].runs.empty());
  value_or_throw(runtime.wake(MemoryKind::kDevice));
  EXPECT_EQ(at(maps(), held.data()).state, PlaceState::kLeased);
}

TEST_F(PayloadMapTest, HasTheProgramsOwnSiteOfWhatTheProfilerFollows) {
  value_or_throw(set_profile_level(runtime, ProfileLevel::kDetailed));
  const PayloadLease followed = lease(64_MiB, {.site = static_cast<SiteId>(12)});
  EXPECT_EQ(value_or_throw(take_profile(runtime)).samples, 1u);
  EXPECT_EQ(at(maps(), followed.data()).site, static_cast<SiteId>(12));
}

TEST_F(PayloadMapTest, IsRefusedOnceTheRuntimeIsClosed) {
  mutator.reset();
  runtime.close();
  const Result<std::vector<PayloadMap>> refused = take_payload_maps(runtime);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kClosed);
}

class FullDevice : public PayloadMapTest {
 protected:
  FullDevice()
      : PayloadMapTest([] {
          Config config = small_config();
          config.device = "sim:8MiB";
          return config;
        }()) {}
};

TEST_F(FullDevice, TellsWhatWasEvicted) {
  const PayloadLease cold = lease(6_MiB, {.evictable = true});
  const PayloadLease other = lease(4_MiB, {.evictable = true});
  const std::vector<PayloadMap> now = maps();
  const PayloadPlace place = at(now, cold.view().data);
  EXPECT_EQ(place.state, PlaceState::kEvicted);
  EXPECT_EQ(place.asked, 6_MiB);
  EXPECT_EQ(at(now, other.view().data).state, PlaceState::kLeased);
}

class Checked : public PayloadMapTest {
 protected:
  Checked()
      : PayloadMapTest([] {
          Config config = small_config();
          config.check = Check::kPayload;
          return config;
        }()) {}
};

TEST_F(Checked, TellsWhatIsKeptFromReuse) {
  PayloadLease gone = lease(1000_B);
  const PayloadLease held = lease(2000_B);
  const std::byte* const data = gone.data();
  gone.release();
  const std::vector<PayloadMap> now = maps();
  EXPECT_EQ(at(now, data).state, PlaceState::kQuarantined);
  EXPECT_EQ(at(now, held.data()).state, PlaceState::kLeased);
  EXPECT_EQ(at(now, held.data()).asked, 2000_B);
}

}  // namespace
}  // namespace tenure::testing
