// The events of a runtime as a program takes them.
#include "tenure/events.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include "tenure/profile.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config recorded(ProfileLevel level) {
  Config config = small_config();
  config.profile = level;
  return config;
}

std::vector<Event> of_kind(const EventBatch& batch, EventKind kind) {
  std::vector<Event> found;
  std::ranges::copy_if(batch.events, std::back_inserter(found),
                       [kind](const Event& event) { return event.kind == kind; });
  return found;
}

class RecordedEvents : public RuntimeTest {
 protected:
  RecordedEvents() : RuntimeTest(recorded(ProfileLevel::kComprehensive)) {}
  std::vector<Event> take(EventKind kind) {
    return of_kind(value_or_throw(take_events(runtime)), kind);
  }
};

TEST_F(RecordedEvents, AreOneForEachObjectWhateverItsSize) {
  const Local<Node> list = make_list(50'000);  // several nurseries
  const Local<RefArray<Node>> large = make_array<Node>(*mutator, 20'000);

  const std::vector<Event> events = take(EventKind::kAllocation);

  ASSERT_EQ(events.size(), 50'001u);
  std::map<std::string, std::uint64_t> by_type;
  std::map<std::string, std::uint64_t> bytes_by_type;
  for (const Event& event : events) {
    const std::string name(type_name(static_cast<TypeId>(event.subject)));
    ++by_type[name];
    bytes_by_type[name] += event.amount;
  }
  EXPECT_EQ(by_type["Node"], 50'000u);
  EXPECT_EQ(bytes_by_type["Node"], 50'000u * (kGranuleBytes + sizeof(Node)));
  EXPECT_EQ(by_type["Node[]"], 1u);
  EXPECT_EQ(length_of(list.get()), 50'000);
}

TEST_F(RecordedEvents, ComeFromAllThreadsWhileSomebodyTakesThem) {
  constexpr std::uint64_t kThreads = 3;
  constexpr std::uint64_t kObjects = 30'000;
  std::atomic<std::uint64_t> running{kThreads};
  std::vector<std::thread> threads;
  for (std::uint64_t k = 0; k < kThreads; ++k) {
    threads.emplace_back([&] {
      Mutator own(runtime);
      for (std::uint64_t n = 0; n < kObjects; ++n) {
        (void)make<Plain>(own);
      }
      --running;
    });
  }
  std::map<std::uint16_t, std::uint64_t> by_thread;
  const auto count = [&] {
    for (const Event& event : take(EventKind::kAllocation)) {
      ++by_thread[event.thread];
    }
  };
  {
    const Away away(*mutator);
    while (running > 0) {
      count();
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  count();

  ASSERT_EQ(by_thread.size(), kThreads);
  for (const auto& [thread, objects] : by_thread) {
    EXPECT_EQ(objects, kObjects);
    EXPECT_NE(thread, 0u);
  }
}

TEST_F(RecordedEvents, AreNoLongerThereAtALowerLevel) {
  (void)make_list(1000);
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kDetailed).ok());
  (void)make_list(1000);

  EXPECT_TRUE(take(EventKind::kAllocation).empty());

  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kComprehensive).ok());
  (void)make_list(10);
  EXPECT_EQ(take(EventKind::kAllocation).size(), 10u);
}

class OwnEvents : public RuntimeTest {
 protected:
  OwnEvents() : RuntimeTest(recorded(ProfileLevel::kBasic)) {}
};

TEST_F(OwnEvents, AreCollectionsWithTheirPhases) {
  const Local<Node> list = make_list(1000);
  const CollectionReport young = collect_young();
  const CollectionReport full = collect_full();

  const EventBatch batch = value_or_throw(take_events(runtime));

  const std::vector<Event> collections = of_kind(batch, EventKind::kCollection);
  ASSERT_EQ(collections.size(), 2u);
  EXPECT_EQ(collections[0].amount, young.pause_ns);
  EXPECT_EQ(collections[0].detail, 0u);
  EXPECT_EQ(collections[1].amount, full.pause_ns);
  EXPECT_EQ(collections[1].detail, 2u);
  EXPECT_EQ(collections[1].subject,
            static_cast<std::uint32_t>(CollectionTrigger::kExplicitRequest));
  EXPECT_EQ(of_kind(batch, EventKind::kToSafepoint).size(), 2u);
  const std::vector<Event> markings = of_kind(batch, EventKind::kMarking);
  ASSERT_EQ(markings.size(), 1u);
  EXPECT_EQ(markings[0].amount, full.marking_ns);
  EXPECT_GE(markings[0].time_ns, collections[1].time_ns);
  EXPECT_LE(markings[0].time_ns + markings[0].amount,
            collections[1].time_ns + collections[1].amount);
}

TEST_F(OwnEvents, AreThePoolsGrowthAndItsTrimming) {
  { const PayloadLease lease = value_or_throw(runtime.lease(32_MiB)); }
  (void)runtime.trim();

  const std::vector<Event> events =
      of_kind(value_or_throw(take_events(runtime)), EventKind::kReserved);

  ASSERT_EQ(events.size(), 2u);
  EXPECT_GE(events[0].amount, (32_MiB).count());
  EXPECT_EQ(events[0].subject, static_cast<std::uint32_t>(MemoryKind::kDevice));
  EXPECT_LT(events[1].amount, events[0].amount);
}

TEST_F(OwnEvents, AreTheStepsUnderPressure) {
  const PayloadLease most = value_or_throw(runtime.lease(1000_MiB));

  EXPECT_FALSE(runtime.lease(100_MiB).ok());

  EXPECT_FALSE(of_kind(value_or_throw(take_events(runtime)), EventKind::kPressureStep).empty());
}

TEST_F(OwnEvents, AreNotRecordedWhereNothingIsWatched) {
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kNone).ok());
  (void)collect_full();

  EXPECT_EQ(take_events(runtime).failure().code, ErrorCode::kBadArgument);
  ASSERT_TRUE(set_profile_level(runtime, ProfileLevel::kBasic).ok());
  EXPECT_TRUE(value_or_throw(take_events(runtime)).events.empty());
}

}  // namespace
}  // namespace tenure::testing
