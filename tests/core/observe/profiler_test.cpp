// Sites, peaks, lifetimes and the timeline, by hand and with a clock of our own.
#include "core/observe/profiler.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "core/observe/byte_sampler.hpp"

namespace tenure::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class ProfilerTest : public ::testing::Test {
 protected:
  ProfilerTest() { profiler.set_level(ProfileLevel::kDetailed, now); }

  SampleId begin(std::uintptr_t frame, std::uint64_t size) {
    const std::array<std::uintptr_t, 2> frames{frame, 0x1000};
    return profiler.begin({.what = {.what = 1}, .size = size, .frames = frames}, now);
  }
  void end(SampleId sample) { profiler.end({&sample, 1}, now); }
  Profile report() {
    Profile profile;
    profile.taken_ns = now;
    profiler.report(profile, [](std::uintptr_t address) {
      StackFrame frame;
      frame.address = address;
      return frame;
    });
    return profile;
  }

  // So small an interval that each sample stands for itself.
  Profiler profiler{Bytes{1}};
  std::uint64_t now = 100 * kSecond;
};

TEST_F(ProfilerTest, TellsSitesByTheirStacks) {
  (void)begin(0x10, 100);
  (void)begin(0x20, 1000);
  (void)begin(0x10, 200);

  const Profile profile = report();

  ASSERT_EQ(profile.sites.size(), 2u);
  EXPECT_EQ(profile.sites[0].stack[0].address, 0x20u) << "the most live bytes first";
  EXPECT_EQ(profile.sites[1].total_bytes, Bytes{300});
  EXPECT_DOUBLE_EQ(profile.sites[1].total_allocations, 2);
  EXPECT_DOUBLE_EQ(profile.sites[1].average_size(), 150);
}

TEST_F(ProfilerTest, KnowsTheTotalTheLiveAndThePeak) {
  const SampleId first = begin(0x10, 100);
  const SampleId second = begin(0x10, 200);
  end(first);
  end(second);
  (void)begin(0x10, 50);

  const AllocationSite site = report().sites.at(0);

  EXPECT_EQ(site.total_bytes, Bytes{350});
  EXPECT_EQ(site.live_bytes, Bytes{50});
  EXPECT_EQ(site.peak_bytes, Bytes{300});
  EXPECT_DOUBLE_EQ(site.peak_allocations, 2);
  EXPECT_DOUBLE_EQ(site.deaths, 2);
}

TEST_F(ProfilerTest, KnowsHowLongAllocationsLived) {
  const SampleId first = begin(0x10, 100);
  now += 2 * kSecond;
  const SampleId second = begin(0x10, 100);
  end(first);
  now += 4 * kSecond;
  end(second);

  const AllocationSite site = report().sites.at(0);

  EXPECT_EQ(site.mean_lifetime_ns, 3 * kSecond);
  EXPECT_EQ(site.first_seen_ns, 100 * kSecond);
  EXPECT_EQ(site.last_seen_ns, 102 * kSecond);
}

TEST_F(ProfilerTest, KnowsTheRateOfTheLastMinute) {
  for (int k = 0; k < 600; ++k) {
    (void)begin(0x10, 100);
    now += kSecond / 10;
  }
  EXPECT_NEAR(report().sites.at(0).allocations_per_second, 10, 2);

  now += 90 * kSecond;

  EXPECT_EQ(report().sites.at(0).allocations_per_second, 0);
}

TEST_F(ProfilerTest, UsesTheIdOfWhatEndedAgain) {
  const SampleId first = begin(0x10, 100);
  end(first);

  EXPECT_EQ(begin(0x20, 100), first);
}

TEST_F(ProfilerTest, EndsAPayloadByItsAddressOnce) {
  const int payload = 0;
  profiler.begin_payload(&payload,
                         {.what = {.what = 0, .is_payload = true}, .size = 100, .frames = {}}, now);
  EXPECT_EQ(report().sites.at(0).live_samples, 1u);
  EXPECT_EQ(report().sites.at(0).what, "host payload");

  profiler.end_payload(&payload, now);
  profiler.end_payload(&payload, now);

  EXPECT_EQ(report().sites.at(0).live_samples, 0u);
  EXPECT_DOUBLE_EQ(report().sites.at(0).deaths, 1);
}

TEST_F(ProfilerTest, DropsWhatALowerLevelDoesNotKeep) {
  (void)begin(0x10, 100);

  profiler.set_level(ProfileLevel::kBasic, now);

  EXPECT_EQ(begin(0x10, 100), SampleId::kNone);
  profiler.set_level(ProfileLevel::kDetailed, now);
  EXPECT_TRUE(report().sites.empty());
  EXPECT_EQ(report().samples, 0u);
}

TEST_F(ProfilerTest, HasATimelineWhoseSumIsTheTotal) {
  for (int k = 0; k < 50; ++k) {
    end(begin(0x10, 100));
    now += kSecond / 2;
  }
  profiler.note_collection(true, 7, now);

  const Profile profile = report();

  double allocations = 0;
  Bytes freed{};
  for (const TimelineSecond& second : profile.timeline) {
    allocations += second.allocations;
    freed += second.freed;
  }
  EXPECT_EQ(profile.timeline.size(), 26u);
  EXPECT_DOUBLE_EQ(allocations, 50);
  EXPECT_EQ(freed, Bytes{5000});
  EXPECT_EQ(profile.timeline.back().collections, 1u);
  EXPECT_EQ(profile.timeline.back().pause_ns, 7u);
}

TEST_F(ProfilerTest, KeepsAnHourOfTheTimeline) {
  for (int k = 0; k < 5000; ++k) {
    (void)begin(0x10, 1);
    now += kSecond;
  }

  EXPECT_EQ(report().timeline.size(), 3600u);
}

TEST_F(ProfilerTest, FindsABurstAndNoneOnAFlatLoad) {
  const auto flat = [&](int seconds) {
    for (int k = 0; k < seconds; ++k) {
      (void)begin(0x10, 2u << 20);
      now += kSecond;
    }
  };
  flat(30);
  EXPECT_TRUE(report().patterns.bursts.empty());

  (void)begin(0x10, 20u << 20);
  const std::uint64_t second = now / kSecond;
  now += kSecond;
  flat(20);

  const std::vector<AllocationBurst> bursts = report().patterns.bursts;
  ASSERT_EQ(bursts.size(), 1u);
  EXPECT_EQ(bursts[0].second, second);
  EXPECT_EQ(bursts[0].allocated, Bytes{20u << 20});
  EXPECT_EQ(bursts[0].before, Bytes{2u << 20});
}

TEST_F(ProfilerTest, SeesLiveBytesGrowAndNotWhereTheyStay) {
  for (int k = 0; k < 60; ++k) {
    (void)begin(0x10, 1000);
    now += kSecond;
  }
  EXPECT_NEAR(report().patterns.growth_bytes_per_second, 1000, 1);

  profiler.set_level(ProfileLevel::kNone, now);
  profiler.set_level(ProfileLevel::kDetailed, now);
  for (int k = 0; k < 60; ++k) {
    end(begin(0x10, 1000));
    now += kSecond;
  }
  EXPECT_NEAR(report().patterns.growth_bytes_per_second, 0, 1);
}

TEST_F(ProfilerTest, HasAHistogramOfSizesByPowersOfTwo) {
  for (const std::uint64_t size : {1u, 16u, 17u, 32u, 33u, 4u << 20, 5u << 20, 100u << 20}) {
    (void)begin(0x10, size);
  }

  const auto histogram = report().patterns.size_histogram;

  // One unit of size 1 stands for a little more than itself.
  EXPECT_NEAR(histogram[0], 1 + weight_of(1, 1), 1e-3);
  EXPECT_NEAR(histogram[1], 2, 1e-3);
  EXPECT_NEAR(histogram[2], 1, 1e-3);
  EXPECT_DOUBLE_EQ(histogram[18], 1);
  EXPECT_DOUBLE_EQ(histogram[19], 2);
}

class Growth : public ProfilerTest {
 protected:
  // Each site's live bytes after the next full collection.
  void collect_with(std::uintptr_t frame, std::uint64_t live) {
    for (SampleId& sample : held[frame]) {
      end(sample);
    }
    held[frame] = {begin(frame, live)};
  }
  void collect() {
    profiler.note_full_collection();
    now += 200 * kSecond;
  }

  std::map<std::uintptr_t, std::vector<SampleId>> held;
};

TEST_F(Growth, IsSeenAcrossThreeFullCollectionsAndNotInBoundedCaches) {
  for (std::uint64_t k = 1; k <= 3; ++k) {
    (void)begin(0x10, 2u << 20);                            // never dies
    collect_with(0x20, (8u << 20) + (k % 2) * (4u << 20));  // up and down
    collect_with(0x30, 8u << 20);                           // full from the start
    EXPECT_TRUE(report().growing_sites().empty()) << "after " << k - 1;
    collect();
  }

  const std::vector<AllocationSite> growing = report().growing_sites();

  ASSERT_EQ(growing.size(), 1u);
  EXPECT_EQ(growing[0].stack[0].address, 0x10u);
  EXPECT_EQ(growing[0].live_after_full[3], Bytes{6u << 20});
}

TEST_F(Growth, IsNotSeenInWhatIsYoungOrSmall) {
  for (std::uint64_t k = 1; k <= 3; ++k) {
    (void)begin(0x10, 300u << 10);
    collect();
  }

  EXPECT_TRUE(report().growing_sites().empty()) << "less than a MiB";
  EXPECT_EQ(report().growing_sites({.least_bytes = Bytes{500u << 10}}).size(), 1u);
  EXPECT_TRUE(report()
                  .growing_sites({.least_age_ns = 601 * kSecond, .least_bytes = Bytes{500u << 10}})
                  .empty());
}

TEST(GrowthOfEstimates, IsNotSeenWhereChanceAloneWouldDo) {
  Profile profile;
  profile.sample_interval = Bytes{512u << 10};
  profile.taken_ns = 1000 * kSecond;
  AllocationSite site;
  site.full_collections = 5;
  site.live_after_full = {Bytes{10u << 20}, Bytes{11u << 20}, Bytes{12u << 20}, Bytes{13u << 20}};
  profile.sites = {site};
  EXPECT_TRUE(profile.growing_sites().empty()) << "3 MiB of 13, and a deviation of 2.5";

  profile.sites[0].live_after_full[3] = Bytes{24u << 20};

  EXPECT_EQ(profile.growing_sites().size(), 1u);
}

}  // namespace
}  // namespace tenure::testing
