#include "core/observe/ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace tenure::testing {
namespace {

constexpr std::uint64_t kMostEvents = EventLog::kMostPieces * EventPiece::kSize;

TEST(EventRing, GivesEachEventOnceWithoutBeingFull) {
  EventLog log;
  EventRing ring(log, 3);
  ring.set_time(10);
  ring.add_allocation(5, 64);

  const EventBatch first = log.take();
  ring.add_allocation(6, 32);
  const EventBatch second = log.take();

  ASSERT_EQ(first.events.size(), 1u);
  EXPECT_EQ(first.events[0].time_ns, 10u);
  EXPECT_EQ(first.events[0].amount, 64u);
  EXPECT_EQ(first.events[0].subject, 5u);
  EXPECT_EQ(first.events[0].thread, 3u);
  ASSERT_EQ(second.events.size(), 1u);
  EXPECT_EQ(second.events[0].subject, 6u);
  EXPECT_TRUE(log.take().events.empty());
}

TEST(EventRing, OverwritesTheOldestAndSaysHowMany) {
  EventLog log;
  EventRing ring(log, 1);
  constexpr std::uint64_t kMore = 3 * EventPiece::kSize;
  for (std::uint64_t k = 0; k < kMostEvents + kMore; ++k) {
    ring.add_allocation(1, k);
  }

  const EventBatch batch = log.take();

  EXPECT_EQ(batch.events.size(), kMostEvents);
  EXPECT_EQ(batch.lost, kMore);
  EXPECT_EQ(batch.events.front().amount, kMore);
}

TEST(EventRing, KeepsThePieceOfAThreadThatWritesSeldom) {
  EventLog log;
  EventRing seldom(log, 1);
  EventRing often(log, 2);
  seldom.add_allocation(7, 70);
  for (std::uint64_t k = 0; k < kMostEvents + 3 * EventPiece::kSize; ++k) {
    often.add_allocation(1, k);
  }
  seldom.add_allocation(8, 80);

  std::uint64_t amount = 0;
  for (const Event& event : log.take().events) {
    amount += event.thread == 1 ? event.amount : 0;
  }

  EXPECT_EQ(amount, 150u);
}

TEST(EventRing, IsReadWhileItsThreadWrites) {
  EventLog log;
  constexpr std::uint64_t kThreads = 3;
  constexpr std::uint64_t kEvents = 60'000;
  std::atomic<std::uint64_t> running{kThreads};
  std::vector<std::thread> threads;
  for (std::uint64_t k = 0; k < kThreads; ++k) {
    threads.emplace_back([&log, &running, k] {
      EventRing ring(log, static_cast<std::uint16_t>(k));
      for (std::uint64_t n = 1; n <= kEvents; ++n) {
        ring.add_allocation(1, n);
      }
      --running;
    });
  }
  std::vector<std::uint64_t> sums(kThreads);
  const auto take = [&] {
    for (const Event& event : log.take().events) {
      sums[event.thread] += event.amount;
    }
  };
  while (running > 0) {
    take();
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  take();

  for (const std::uint64_t sum : sums) {
    EXPECT_EQ(sum, kEvents * (kEvents + 1) / 2);
  }
}

TEST(EventLog, OrdersTheEventsOfAllByTime) {
  EventLog log;
  EventRing ring(log, 1);
  ring.set_time(20);
  ring.add_allocation(1, 1);
  log.add({.time_ns = 10, .kind = EventKind::kCollection});
  log.add({.time_ns = 30, .kind = EventKind::kReserved});

  const EventBatch batch = log.take();

  ASSERT_EQ(batch.events.size(), 3u);
  EXPECT_EQ(batch.events[0].kind, EventKind::kCollection);
  EXPECT_EQ(batch.events[1].kind, EventKind::kAllocation);
  EXPECT_EQ(batch.events[2].kind, EventKind::kReserved);
}

TEST(EventLog, KeepsTheRuntimesOwnWherePiecesAreDropped) {
  EventLog log;
  EventRing ring(log, 1);
  ring.add_allocation(1, 1);
  log.add({.time_ns = 10, .kind = EventKind::kCollection});

  log.drop_pieces();

  EXPECT_EQ(log.take().events.size(), 1u);
  log.add({.time_ns = 11, .kind = EventKind::kCollection});
  log.clear();
  EXPECT_TRUE(log.take().events.empty());
}

}  // namespace
}  // namespace tenure::testing
