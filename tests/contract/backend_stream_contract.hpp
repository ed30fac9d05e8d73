// What every backend must do with streams: events, waits, copies and fills, for several threads, and
// at its end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/contract/backend_fixture.hpp"

namespace tenure::testing {

// --- streams and events -----------------------------------------------------------------------

TEST_P(BackendContract, HasTheDefaultStreamFromTheStart) {
  EXPECT_TRUE(backend->has_stream(StreamId::kDefault));
  EXPECT_FALSE(backend->has_stream(kUnknown));
}

TEST_P(BackendContract, MakesStreamsOfTheirOwn) {
  const StreamId first = make_stream();
  const StreamId second = make_stream();

  EXPECT_NE(first, StreamId::kDefault);
  EXPECT_NE(first, second);
  EXPECT_TRUE(backend->has_stream(first));
  EXPECT_TRUE(backend->has_stream(second));
}

TEST_P(BackendContract, RefusesWorkOnAStreamThatWasNeverMade) {
  const AddressRange range = mapped_range(1);
  const StreamEvent known = record(StreamId::kDefault);
  std::byte byte{};

  expect_refused(backend->record(kUnknown), ErrorCode::kBadArgument);
  expect_refused(backend->wait(kUnknown, known), ErrorCode::kBadArgument);
  expect_refused(backend->copy(kUnknown, &byte, range.base, 1_B), ErrorCode::kBadArgument);
  expect_refused(backend->fill(kUnknown, range.base, byte, 1_B), ErrorCode::kBadArgument);
}

TEST_P(BackendContract, NumbersTheEventsOfAStreamFromOne) {
  const StreamId stream = make_stream();

  EXPECT_EQ(record(stream), (StreamEvent{stream, 1}));
  EXPECT_EQ(record(stream), (StreamEvent{stream, 2}));
}

TEST_P(BackendContract, NumbersTheEventsOfEachStreamByItself) {
  const StreamId stream = make_stream();
  record(StreamId::kDefault);
  record(StreamId::kDefault);

  EXPECT_EQ(record(stream).sequence, 1u);
}

TEST_P(BackendContract, ReachesNoEventThatWasNotRecorded) {
  const StreamId stream = make_stream();
  EXPECT_EQ(backend->reached(stream), 0u);

  const StreamEvent event = record(stream);
  ASSERT_TRUE(backend->synchronize(event).ok());

  EXPECT_EQ(backend->reached(stream), 1u);
  EXPECT_EQ(backend->reached(StreamId::kDefault), 0u);
}

TEST_P(BackendContract, HasReachedWhatWasSynchronizedWith) {
  const AddressRange range = mapped_range(1);
  const StreamId stream = make_stream();
  for (std::uint64_t k = 1; k <= 20; ++k) {
    fill(range.base, 1, granule, stream);
    record(stream);
  }

  ASSERT_TRUE(backend->synchronize({stream, 13}).ok());

  EXPECT_GE(backend->reached(stream), 13u);
}

TEST_P(BackendContract, NeverFallsBackBehindAnEventThatWasReached) {
  const AddressRange range = mapped_range(1);
  std::uint64_t last = 0;
  for (int k = 0; k < 100; ++k) {
    fill(range.base, k, granule);
    record(StreamId::kDefault);
    const std::uint64_t reached = backend->reached(StreamId::kDefault);
    ASSERT_GE(reached, last);
    last = reached;
  }
  EXPECT_LE(last, 100u);
}

TEST_P(BackendContract, TakesThePlaceBeforeTheFirstEventAsReached) {
  const StreamId stream = make_stream();

  EXPECT_TRUE(backend->wait(StreamId::kDefault, {stream, 0}).ok());
  EXPECT_TRUE(backend->synchronize({stream, 0}).ok());
}

TEST_P(BackendContract, RefusesToWaitForWhatWasNeverRecorded) {
  const StreamId stream = make_stream();
  record(stream);

  const Result<void> waited = backend->wait(StreamId::kDefault, {stream, 2});

  expect_refused(waited, ErrorCode::kBadArgument);
  EXPECT_NE(waited.failure().message.find("event 2"), std::string::npos)
      << waited.failure().message;
  expect_refused(backend->wait(StreamId::kDefault, {kUnknown, 1}), ErrorCode::kBadArgument);
  expect_refused(backend->synchronize({stream, 2}), ErrorCode::kBadArgument);
  expect_refused(backend->synchronize({kUnknown, 1}), ErrorCode::kBadArgument);
}

TEST_P(BackendContract, DoesTheWorkOfAStreamInItsOrder) {
  const AddressRange range = mapped_range(2);
  const StreamId stream = make_stream();
  fill(range.base, 1, granule, stream);
  ASSERT_TRUE(backend->copy(stream, at(range, 1), range.base, granule).ok());
  fill(range.base, 2, granule, stream);

  EXPECT_EQ(read(at(range, 1), stream), 1);
  EXPECT_EQ(read(range.base, stream), 2);
}

TEST_P(BackendContract, OrdersAStreamBehindAnotherByAWait) {
  const AddressRange range = mapped_range(2);
  const StreamId left = make_stream();
  const StreamId right = make_stream();
  fill(range.base, 8, granule, left);
  const StreamEvent written = record(left);

  ASSERT_TRUE(backend->wait(right, written).ok());
  ASSERT_TRUE(backend->copy(right, at(range, 1), range.base, granule).ok());

  EXPECT_EQ(read(at(range, 1), right), 8);
}

// --- copies and fills -------------------------------------------------------------------------

TEST_P(BackendContract, CopiesFromAndToEveryOtherKind) {
  const AddressRange range = mapped_range(1);
  for (std::size_t k = 0; k < kMemoryKinds; ++k) {
    const auto other = static_cast<MemoryKind>(k);
    if (!backend->traits(other).supported) continue;
    const Result<std::byte*> block = backend->allocate(other, 4_KiB);
    ASSERT_TRUE(block.ok()) << block.failure().message;

    fill(*block, 40 + static_cast<int>(k), 4_KiB);
    ASSERT_TRUE(backend->copy(StreamId::kDefault, range.base, *block, 2_KiB).ok());
    ASSERT_TRUE(backend->copy(StreamId::kDefault, *block + 2048, range.base, 2_KiB).ok());

    EXPECT_EQ(read(range.base + 2047), 40 + static_cast<int>(k)) << to_string(other);
    EXPECT_EQ(read(*block + 4095), 40 + static_cast<int>(k)) << to_string(other);
    backend->deallocate(other, *block, 4_KiB);
  }
}

TEST_P(BackendContract, FillsThatManyBytesAndNoMore) {
  const AddressRange range = mapped_range(1);
  fill(range.base, 0, granule);

  fill(range.base + 10, 255, 100_B);

  EXPECT_EQ(read(range.base + 9), 0);
  EXPECT_EQ(read(range.base + 10), 255);
  EXPECT_EQ(read(range.base + 109), 255);
  EXPECT_EQ(read(range.base + 110), 0);
}

TEST_P(BackendContract, CopiesNothingFromAndToAnywhere) {
  EXPECT_TRUE(backend->copy(StreamId::kDefault, nullptr, nullptr, Bytes{}).ok());
  EXPECT_TRUE(backend->fill(StreamId::kDefault, nullptr, std::byte{1}, Bytes{}).ok());
  EXPECT_TRUE(backend->synchronize(record(StreamId::kDefault)).ok());
}

TEST_P(BackendContract, RefusesToTouchBytesThatAreNotMapped) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(4);
  map(range, 1, 1);
  std::vector<std::byte> host(granule.count() * 2);

  expect_refused(backend->fill(StreamId::kDefault, range.base, std::byte{1}, granule),
                 ErrorCode::kBadArgument);
  expect_refused(backend->copy(StreamId::kDefault, host.data(), at(range, 1), granule * 2),
                 ErrorCode::kBadArgument);
  expect_refused(backend->copy(StreamId::kDefault, at(range, 1), host.data(), granule + 1_B),
                 ErrorCode::kBadArgument);
  expect_refused(backend->copy(StreamId::kDefault, at(range, 1), nullptr, 1_B),
                 ErrorCode::kBadArgument);
  EXPECT_TRUE(backend->copy(StreamId::kDefault, at(range, 1), host.data(), granule).ok());
  EXPECT_TRUE(backend->synchronize(record(StreamId::kDefault)).ok());
}

// --- threads, and the end ---------------------------------------------------------------------

constexpr int kThreads = 4;

TEST_P(BackendContract, TakesWorkOnOneStreamFromSeveralThreads) {
  constexpr std::uint64_t kEach = 100;
  const AddressRange range = mapped_range(1);
  const StreamId stream = make_stream();
  std::atomic<std::uint64_t> sum{0};

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t k = 0; k < kEach; ++k) {
        fill(range.base, t, 4_KiB, stream);
        sum += record(stream).sequence;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  constexpr std::uint64_t kAll = kThreads * kEach;
  EXPECT_EQ(sum.load(), kAll * (kAll + 1) / 2);  // each number once
  // Why on that stream: behind all of its fills.
  EXPECT_EQ(read(range.base, stream), read(range.base + 4095, stream));
}

TEST_P(BackendContract, LetsNoOtherWorkOfAStreamBetweenTheBytesOfOne) {
  const AddressRange range = mapped_range(1_MiB / std::min(granule, 1_MiB));
  const Bytes size = std::min(range.size, 1_MiB);
  const StreamId stream = make_stream();
  fill(range.base, 0, size, stream);
  std::atomic<int> mixed{0};

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::byte> seen(size.count());
      for (int k = 0; k < 20; ++k) {
        fill(range.base, t, size, stream);
        ASSERT_TRUE(backend->copy(stream, seen.data(), range.base, size).ok());
        ASSERT_TRUE(backend->synchronize(record(stream)).ok());
        mixed += std::count(seen.begin(), seen.end(), seen.front()) !=
                 static_cast<std::ptrdiff_t>(seen.size());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(mixed.load(), 0);
}

TEST_P(BackendContract, MapsForSeveralThreadsAtOnce) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  std::vector<AddressRange> ranges;
  for (int t = 0; t < kThreads; ++t) ranges.push_back(reserve(4));

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const StreamId stream = make_stream();
      const AddressRange& range = ranges[static_cast<std::size_t>(t)];
      for (int k = 0; k < 20; ++k) {
        map(range, 1, 2);
        fill(at(range, 1), t, granule * 2, stream);
        EXPECT_EQ(read(at(range, 2), stream), t);
        backend->unmap(range, granule, granule * 2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  mapped_range(kCapacity / granule);  // all of it is there again
}

TEST_P(BackendContract, MakesStreamsForSeveralThreadsAtOnce) {
  std::vector<std::vector<StreamId>> made(kThreads);

  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) mine.push_back(make_stream());
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::set<StreamId> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kThreads * 50));
}

TEST_P(BackendContract, ShowsAThreadThatSawAnEventReachedTheWorkBeforeIt) {
  const AddressRange range = mapped_range(1);
  const StreamId stream = make_stream();
  std::byte seen{};
  ASSERT_TRUE(backend->fill(stream, range.base, std::byte{5}, granule).ok());
  ASSERT_TRUE(backend->copy(stream, &seen, range.base, 1_B).ok());
  const StreamEvent event = record(stream);

  std::byte observed{};
  std::thread other([&] {
    ASSERT_TRUE(backend->synchronize(event).ok());
    observed = seen;
  });
  other.join();

  EXPECT_EQ(observed, std::byte{5});
}

TEST_P(BackendContract, EndsItsWorkBeforeItIsGone) {
  std::vector<std::byte> host(granule.count());
  const AddressRange range = mapped_range(1);
  fill(range.base, 11, granule);
  ASSERT_TRUE(backend->copy(StreamId::kDefault, host.data(), range.base, granule).ok());

  backend.reset();

  EXPECT_EQ(host.back(), std::byte{11});
}

}  // namespace tenure::testing
