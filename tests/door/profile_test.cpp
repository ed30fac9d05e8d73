// The profiler as a program sees it: sites, what lives of them, how long, and what it costs to be wrong.
#include "tenure/profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/contention.hpp"
#include "tests/support/generations_fixture.hpp"

namespace tenure::testing {
namespace {

Config watched(ProfileLevel level, Bytes interval) {
  Config config = small_config();
  config.profile = level;
  config.sample_interval = interval;
  return config;
}

// Bytes of a place that many objects come from; its address is what a site is known by.
template <int kSite>
[[gnu::noinline]] std::uint64_t plant(Mutator& mutator, std::uint64_t bytes) {
  struct Planted {
    std::array<std::uint64_t, kSite + 1> data{};
  };
  constexpr std::uint64_t kSize = kGranuleBytes + sizeof(Planted);
  std::uint64_t made = 0;
  for (; made < bytes; made += kSize) {
    (void)make<Planted>(mutator);
  }
  return made;
}

const AllocationSite* find_site(const Profile& profile, const std::string& function) {
  const auto found = std::ranges::find_if(profile.sites, [&](const AllocationSite& site) {
    return !site.stack.empty() && site.stack[0].function.find(function) != std::string::npos;
  });
  return found == profile.sites.end() ? nullptr : &*found;
}

double sum_of(const Profile& profile, double AllocationSite::*field) {
  double sum = 0;
  for (const AllocationSite& site : profile.sites) {
    sum += site.*field;
  }
  return sum;
}
Bytes sum_of(const Profile& profile, Bytes AllocationSite::*field) {
  Bytes sum{};
  for (const AllocationSite& site : profile.sites) {
    sum += site.*field;
  }
  return sum;
}

class SampledSites : public RuntimeTest {
 protected:
  SampledSites() : RuntimeTest(watched(ProfileLevel::kDetailed, 4_KiB)) {}
};

TEST_F(SampledSites, AreFoundWithTheBytesThatWerePlanted) {
  constexpr std::uint64_t kBytes = 8u << 20;  // 2,048 samples: a deviation of 2.2 %
  const std::uint64_t planted[] = {plant<0>(*mutator, kBytes), plant<7>(*mutator, kBytes / 2),
                                   plant<40>(*mutator, 2 * kBytes), plant<400>(*mutator, kBytes)};

  const Profile profile = value_or_throw(take_profile(runtime));

  const char* const names[] = {"plant<0>", "plant<7>", "plant<40>", "plant<400>"};
  for (std::size_t k = 0; k < 4; ++k) {
    const AllocationSite* const site = find_site(profile, names[k]);
    ASSERT_NE(site, nullptr) << names[k];
    const auto bytes = static_cast<double>(site->total_bytes.count());
    EXPECT_NEAR(bytes / static_cast<double>(planted[k]), 1, 0.1) << names[k] << ", seed 1";
    EXPECT_EQ(site->what.find("Planted") != std::string::npos, true) << site->what;
  }
  EXPECT_NE(profile.top_allocators(1).at(0).stack[0].function.find("plant<40>"), std::string::npos);
}

TEST_F(SampledSites, NameTheCallersToo) {
  (void)plant<3>(*mutator, 1u << 20);

  const Profile profile = value_or_throw(take_profile(runtime));

  const AllocationSite* const site = find_site(profile, "plant<3>");
  ASSERT_NE(site, nullptr);
  EXPECT_TRUE(std::ranges::any_of(site->stack, [](const StackFrame& frame) {
    return frame.function.find("NameTheCallersToo") != std::string::npos;
  }));
  EXPECT_NE(site->stack[0].module.find("profile_test"), std::string::npos);
}

TEST_F(SampledSites, HaveNoBiasFromSixteenBytesToAMebibyte) {
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kNone).ok());
  std::uint64_t all = 0;
  struct Byte {
    std::uint64_t first = 0;
  };
  double worst = 0;
  for (std::uint64_t size = 16; size <= (1u << 20); size *= 8) {
    ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kDetailed).ok());
    std::uint64_t made = 0;
    const std::uint64_t bytes = std::max<std::uint64_t>(8u << 20, 24 * size);
    for (; made < bytes; made += size) {
      (void)make_with_tail<Byte>(*mutator, Bytes{size - 16});
    }
    const Profile profile = value_or_throw(take_profile(runtime));
    const auto estimate =
        static_cast<double>(sum_of(profile, &AllocationSite::total_bytes).count());
    worst = std::max(worst, std::abs(estimate / static_cast<double>(made) - 1));
    EXPECT_NEAR(estimate / static_cast<double>(made), 1, 0.09) << size << " bytes, seed 1";
    ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kNone).ok());
    all += made;
  }
  RecordProperty("worst", std::to_string(worst));
  EXPECT_GT(all, 0u);
}

// Each allocation is followed, so that all figures are exact.
Config exact(std::uint32_t generations) {
  Config config = config_of(generations);
  config.profile = ProfileLevel::kDetailed;
  config.sample_interval = Bytes{1};
  return config;
}

class FollowedObjects : public RuntimeTest, public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  FollowedObjects() : RuntimeTest(exact(GetParam())) {}

  void expect_live_as_in_the_heap() {
    const Profile profile = value_or_throw(take_profile(runtime));
    EXPECT_DOUBLE_EQ(std::round(sum_of(profile, &AllocationSite::live_allocations)),
                     static_cast<double>(profile.live.total.objects));
    EXPECT_EQ(sum_of(profile, &AllocationSite::live_bytes), profile.live.total.bytes);
  }
};
INSTANTIATE_TEST_SUITE_P(Generations, FollowedObjects, every_shape());

TEST_P(FollowedObjects, LiveAsManyAsTheHeapHasAfterAFullCollection) {
  const Local<Node> kept = make_list(3000);
  (void)make_list(2000);
  const Local<RefArray<Node>> large = make_array<Node>(*mutator, 20'000);

  collect_full();
  expect_live_as_in_the_heap();

  kept->left = nullptr;
  (void)make_list(500);
  collect_full();
  expect_live_as_in_the_heap();
  EXPECT_EQ(length_of(kept.get()), 1);
}

TEST_P(FollowedObjects, AreFollowedThroughEveryGenerationAndCompaction) {
  Local<RefArray<Node>> table = make_array<Node>(*mutator, 4000);
  for (std::uint32_t k = 0; k < 4000; ++k) {
    (*table)[k] = make_node(k);
  }
  for (std::uint32_t generation = 0; generation < GetParam(); ++generation) {
    (void)value_or_throw(runtime.collect_up_to(generation));
  }
  for (std::uint32_t k = 0; k < 4000; ++k) {
    if (k % 16 != 0) {
      (*table)[k] = nullptr;
    }
  }
  if (GetParam() > 1) {
    EXPECT_GT(value_or_throw(runtime.compact()).objects_compacted, 0u);
  }
  collect_full();

  expect_live_as_in_the_heap();
  EXPECT_EQ(objects(), 251u);
}

TEST_P(FollowedObjects, DieOnceAndLivedAsLongAsItTook) {
  constexpr auto kWait = std::chrono::milliseconds(30);
  const auto begun = std::chrono::steady_clock::now();
  (void)make_list(1000);
  std::this_thread::sleep_for(kWait);
  collect_full();
  const auto took = std::chrono::steady_clock::now() - begun;
  collect_full();

  const Profile profile = value_or_throw(take_profile(runtime));

  EXPECT_NEAR(sum_of(profile, &AllocationSite::deaths), 1000, 0.001);
  for (const AllocationSite& site : profile.sites) {
    EXPECT_GE(site.mean_lifetime_ns,
              static_cast<std::uint64_t>(std::chrono::nanoseconds(kWait).count()));
    EXPECT_LE(site.mean_lifetime_ns,
              static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
  }
}

TEST_P(FollowedObjects, OfAThreadThatEndedAreFollowedOn) {
  Handle<Node> kept;
  std::thread([&] {
    Mutator own(runtime);
    const Local<Node> node = make<Node>(own);
    (void)make<Node>(own);
    kept = Handle<Node>(node);
  }).join();

  collect_full();

  expect_live_as_in_the_heap();
}

TEST_P(FollowedObjects, LiveOnWhileAFinalizerWaitsForThem) {
  std::uint64_t ran = 0;
  {
    const Local<Node> node = make_node(1);
    ASSERT_TRUE(set_finalizer(*mutator, node, [&](const Local<Node>&) { ++ran; }).ok());
  }
  collect_full();
  expect_live_as_in_the_heap();

  mutator->poll();
  collect_full();

  EXPECT_EQ(ran, 1u);
  expect_live_as_in_the_heap();
  EXPECT_EQ(objects(), 0u);
}

class ProfileLevels : public RuntimeTest {
 protected:
  ProfileLevels() : RuntimeTest(watched(ProfileLevel::kNone, 1_KiB)) {}
};

TEST_F(ProfileLevels, HaveNothingToTellWhereNothingIsWatched) {
  (void)make_list(1000);

  EXPECT_EQ(take_profile(runtime).failure().code, ErrorCode::kBadArgument);
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kDetailed).ok());
  EXPECT_EQ(value_or_throw(take_profile(runtime)).samples, 0u) << "off, it recorded nothing";
}

TEST_F(ProfileLevels, CountAtBasicWithoutSamples) {
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kBasic).ok());
  const Local<Node> kept = make_list(1000);

  const Profile profile = value_or_throw(take_profile(runtime));

  EXPECT_EQ(profile.live.by_type.at("Node").objects, 1000u);
  EXPECT_EQ(profile.live.by_generation[0].objects, 1000u);
  EXPECT_GE(profile.bytes_allocated, Bytes{24'000});
  EXPECT_TRUE(profile.sites.empty());
}

TEST_F(ProfileLevels, DropSitesOnTheWayDown) {
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kDetailed).ok());
  const Local<Node> kept = make_list(10'000);
  EXPECT_GT(value_or_throw(take_profile(runtime)).samples, 100u);

  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kBasic).ok());
  collect_full();
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kDetailed).ok());

  const Profile profile = value_or_throw(take_profile(runtime));
  EXPECT_EQ(profile.samples, 0u);
  EXPECT_TRUE(profile.sites.empty());
}

TEST_F(ProfileLevels, MayBeSwitchedWhileThreadsAllocate) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([&] {
      Mutator own(runtime);
      while (!stop.load(std::memory_order_relaxed)) {
        const Local<Node> node = make<Node>(own);
        node->left = make<Node>(own);
        (void)value_or_throw(runtime.lease(4_KiB));
      }
    });
  }
  {
    const Away away(*mutator);
    for (int k = 0; k < 40; ++k) {
      ASSERT_TRUE(set_profile_level(runtime, static_cast<ProfileLevel>(k % 4)).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      if (k % 4 >= 2) {
        const Profile profile = value_or_throw(take_profile(runtime));
        EXPECT_EQ(profile.level, static_cast<ProfileLevel>(k % 4));
        EXPECT_GE(sum_of(profile, &AllocationSite::total_bytes),
                  sum_of(profile, &AllocationSite::live_bytes));
      }
    }
    stop = true;
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kNone).ok());
}

TEST_F(ProfileLevels, AreRefusedOnceTheRuntimeIsClosed) {
  mutator.reset();
  runtime.close();

  EXPECT_EQ(set_profile_level(runtime, ProfileLevel::kBasic).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(take_profile(runtime).failure().code, ErrorCode::kClosed);
}

class FollowedPayloads : public ::testing::TestWithParam<Check> {
 protected:
  FollowedPayloads() : runtime(value_or_throw(Runtime::open(config()))) {}
  static Config config() {
    Config config = watched(ProfileLevel::kDetailed, Bytes{1});
    config.check = GetParam();
    return config;
  }
  AllocationSite only_site() {
    const Profile profile = value_or_throw(take_profile(runtime));
    EXPECT_EQ(profile.sites.size(), 1u);
    return profile.sites.at(0);
  }

  Runtime runtime;
};
INSTANTIATE_TEST_SUITE_P(Checks, FollowedPayloads, ::testing::Values(Check::kOff, Check::kPayload));

TEST_P(FollowedPayloads, LiveFromTheirLeaseToTheirReturn) {
  std::vector<PayloadLease> kept;
  for (int k = 0; k < 100; ++k) {
    PayloadLease lease = value_or_throw(runtime.lease(10_KiB, {.kind = MemoryKind::kDevice}));
    if (k % 4 == 0) {
      kept.push_back(std::move(lease));
    }
  }

  const AllocationSite site = only_site();

  EXPECT_EQ(site.what, "device payload");
  EXPECT_TRUE(site.is_payload);
  EXPECT_EQ(site.samples, 100u);
  EXPECT_EQ(site.live_samples, 25u);
  EXPECT_EQ(site.total_bytes, 1000_KiB);
  EXPECT_EQ(site.live_bytes, 250_KiB);
  ASSERT_FALSE(site.stack.empty());
  EXPECT_NE(site.stack[0].function.find("LiveFromTheirLeaseToTheirReturn"), std::string::npos)
      << site.stack[0].function;
}

TEST_P(FollowedPayloads, OfObjectsEndWithTheCollectionThatFindsThemDead) {
  Mutator mutator(runtime);
  (void)value_or_throw(make_tensor(mutator, Shape{16, 16}, {.kind = MemoryKind::kDevice}));
  const auto live_payloads = [&] {
    std::uint64_t live = 0;
    for (const AllocationSite& site : value_or_throw(take_profile(runtime)).sites) {
      live += site.is_payload ? site.live_samples : 0;
    }
    return live;
  };
  ASSERT_EQ(live_payloads(), 1u);

  (void)value_or_throw(runtime.collect());

  EXPECT_EQ(live_payloads(), 0u);
}

TEST(FollowedEvictablePayloads, EndWhenTheyAreHandedBack) {
  Runtime runtime = value_or_throw(Runtime::open(watched(ProfileLevel::kDetailed, Bytes{1})));
  const LeaseOptions options{.kind = MemoryKind::kDevice, .evictable = true};
  { const PayloadLease lease = value_or_throw(runtime.lease(10_KiB, options)); }

  EXPECT_EQ(value_or_throw(take_profile(runtime)).sites.at(0).live_samples, 0u);
}

TEST(FollowedPayloadsOfThreads, EndWhereTheThreadLeasesTheBlockItKeptAnew) {
  Runtime runtime = value_or_throw(Runtime::open(watched(ProfileLevel::kDetailed, Bytes{1})));
  PayloadPool& pool = *value_or_throw(runtime.state().pool(MemoryKind::kDevice));
  std::vector<PayloadLease> held;
  while (held.size() < 64) {
    held.push_back(value_or_throw(runtime.lease(64_KiB)));
  }
  begin_caches(pool);
  for (PayloadLease& lease : held) {
    lease.release();
    lease = value_or_throw(runtime.lease(64_KiB));
  }
  ASSERT_GT(core_of(pool).caches->hits(), 50u) << "the pool was not asked";

  const Profile profile = value_or_throw(take_profile(runtime));

  EXPECT_NEAR(sum_of(profile, &AllocationSite::total_allocations), 128, 1e-6);
  EXPECT_NEAR(sum_of(profile, &AllocationSite::live_allocations), 64, 1e-6);
}

TEST(FollowedPayloadsOfThreads, EndWhereThreadsKeepTheBlocksToo) {
  Runtime runtime = value_or_throw(Runtime::open(watched(ProfileLevel::kDetailed, 4_KiB)));
  constexpr int kThreads = 4;
  constexpr std::uint64_t kTimes = 20'000;
  std::vector<std::thread> threads;
  for (int k = 0; k < kThreads; ++k) {
    threads.emplace_back([&] {
      for (std::uint64_t n = 0; n < kTimes; ++n) {
        (void)value_or_throw(runtime.lease(1_KiB));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }

  const AllocationSite site = value_or_throw(take_profile(runtime)).sites.at(0);

  EXPECT_EQ(site.live_samples, 0u);
  // 20,000 samples or so: a deviation of 0.7 %.
  EXPECT_NEAR(site.total_allocations, kThreads * kTimes, 0.04 * kThreads * kTimes) << "seed 1";
}

}  // namespace
}  // namespace tenure::testing
