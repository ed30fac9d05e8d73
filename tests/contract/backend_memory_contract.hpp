// What every backend must do with memory: ranges, pieces, blocks, and broken contracts.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "tests/contract/backend_fixture.hpp"

namespace tenure::testing {

// --- memory -----------------------------------------------------------------------------------

TEST_P(BackendContract, DescribesEachKindThatItSupports) {
  const KindTraits traits = backend->traits(kind);

  EXPECT_TRUE(traits.supported);
  EXPECT_GE(traits.granularity, host_platform().page_size());
  EXPECT_EQ(traits.granularity.count() & (traits.granularity.count() - 1), 0u);
  EXPECT_EQ(traits.capacity, kCapacity);
}

TEST_P(BackendContract, ReservesMoreAddressesThanItHasMemory) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(4 * (kCapacity / granule));

  EXPECT_EQ(range.size, 4 * kCapacity);
  EXPECT_EQ(range.kind, kind);
  EXPECT_NE(range.base, nullptr);
}

TEST_P(BackendContract, ReservesRangesThatDoNotOverlap) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange first = reserve(4);
  const AddressRange second = reserve(4);

  EXPECT_TRUE(first.base + first.size.count() <= second.base ||
              second.base + second.size.count() <= first.base);
}

TEST_P(BackendContract, RefusesMoreAddressesThanThereAre) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const Result<AddressRange> range = backend->reserve(kind, Bytes{std::uint64_t{1} << 60});

  expect_refused(range, ErrorCode::kOutOfMemory);
  EXPECT_NE(range.failure().message.find("1 EiB"), std::string::npos) << range.failure().message;
}

TEST_P(BackendContract, KeepsWhatIsWrittenToAMappedPiece) {
  const AddressRange range = mapped_range(2);

  fill(range.base, 7, range.size);

  EXPECT_EQ(read(range.base), 7);
  EXPECT_EQ(read(at(range, 2) - 1), 7);
}

TEST_P(BackendContract, MapsPiecesOfARangeInAnyOrder) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(4);
  map(range, 3, 1);
  map(range, 0, 1);
  map(range, 1, 2);

  fill(range.base, 5, range.size);

  EXPECT_EQ(read(at(range, 2)), 5);
  EXPECT_EQ(read(at(range, 4) - 1), 5);
}

TEST_P(BackendContract, KeepsThePiecesBesideOneThatIsUnmapped) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = mapped_range(3);
  fill(range.base, 9, range.size);
  ASSERT_TRUE(backend->synchronize(record(StreamId::kDefault)).ok());

  backend->unmap(range, granule, granule);

  EXPECT_EQ(read(at(range, 1) - 1), 9);
  EXPECT_EQ(read(at(range, 2)), 9);
}

TEST_P(BackendContract, MapsAHoleAgain) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = mapped_range(3);
  backend->unmap(range, granule, granule);

  map(range, 1, 1);
  fill(range.base, 4, range.size);

  EXPECT_EQ(read(at(range, 1)), 4);
}

TEST_P(BackendContract, UnmapsAcrossPiecesThatWereMappedOneByOne) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(4);
  map(range, 0, 2);
  map(range, 2, 2);

  backend->unmap(range, granule, granule * 2);

  expect_refused(backend->fill(StreamId::kDefault, at(range, 1), std::byte{1}, granule * 2),
                 ErrorCode::kBadArgument);
  map(range, 1, 2);
}

TEST_P(BackendContract, MapsUpToItsCapacityAndNotAGranuleMore) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const std::uint64_t most = kCapacity / granule;
  const AddressRange range = reserve(most + 1);
  map(range, 0, most);

  expect_refused(backend->map(range, granule * most, granule), ErrorCode::kOutOfMemory);
}

TEST_P(BackendContract, NamesTheFiguresWhenMemoryIsShort) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(2 * (kCapacity / granule));
  map(range, 0, 32_MiB / granule);

  const Result<void> mapped = backend->map(range, 32_MiB, 48_MiB);

  ASSERT_FALSE(mapped.ok());
  EXPECT_NE(mapped.failure().message.find("48 MiB"), std::string::npos);  // asked
  EXPECT_NE(mapped.failure().message.find("32 MiB of 64 MiB"), std::string::npos)
      << mapped.failure().message;
  EXPECT_NE(mapped.failure().message.find(to_string(kind)), std::string::npos);
}

TEST_P(BackendContract, MapsNothingOfAPieceThatIsRefused) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(2 * (kCapacity / granule));
  expect_refused(backend->map(range, Bytes{}, 2 * kCapacity), ErrorCode::kOutOfMemory);

  map(range, 0, kCapacity / granule);

  EXPECT_FALSE(backend->map(range, kCapacity, granule).ok());
}

TEST_P(BackendContract, HasTheRoomAgainAfterUnmapping) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const std::uint64_t most = kCapacity / granule;
  const AddressRange range = reserve(most + 1);
  map(range, 0, most);

  backend->unmap(range, Bytes{}, granule);

  map(range, most, 1);
}

TEST_P(BackendContract, HasTheRoomAgainAfterReleasingARange) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange first = mapped_range(kCapacity / granule);

  backend->release(first);

  mapped_range(kCapacity / granule);
}

TEST_P(BackendContract, AllocatesInOnePiece) {
  const Bytes size = 3 * granule + 5_B;
  const Result<std::byte*> block = backend->allocate(kind, size);
  ASSERT_TRUE(block.ok()) << block.failure().message;

  fill(*block, 6, size);

  EXPECT_EQ(read(*block + size.count() - 1), 6);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*block) % host_platform().page_size().count(), 0u);
  backend->deallocate(kind, *block, size);
}

TEST_P(BackendContract, HasTheRoomAgainAfterDeallocating) {
  const Result<std::byte*> first = backend->allocate(kind, kCapacity);
  ASSERT_TRUE(first.ok());
  expect_refused(backend->allocate(kind, 1_B), ErrorCode::kOutOfMemory);

  backend->deallocate(kind, *first, kCapacity);

  EXPECT_TRUE(backend->allocate(kind, kCapacity).ok());
}

TEST_P(BackendContract, RefusesToAllocateMoreThanItsCapacity) {
  expect_refused(backend->allocate(kind, kCapacity + 1_B), ErrorCode::kOutOfMemory);
  expect_refused(backend->allocate(kind, kUnlimited), ErrorCode::kOutOfMemory);
}

TEST_P(BackendContract, GivesTheHostTheBytesOfKindsThatItMayFollow) {
  if (!backend->traits(kind).host_readable) {
    GTEST_SKIP() << "the host does not follow addresses of " << to_string(kind) << " memory";
  }
  const AddressRange range = mapped_range(1);
  fill(range.base, 3, granule);
  ASSERT_TRUE(backend->synchronize(record(StreamId::kDefault)).ok());

  EXPECT_EQ(range.base[1], std::byte{3});
}

TEST_P(BackendContract, RefusesToReserveAKindThatItCannotMap) {
  if (can_map()) GTEST_SKIP() << "this kind can be mapped";

  expect_refused(backend->reserve(kind, granule), ErrorCode::kUnsupported);
}

// --- broken contracts -------------------------------------------------------------------------

using BackendContractDeathTest = BackendContract;

TEST_P(BackendContractDeathTest, StopsWhereAPieceIsMappedTwice) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = mapped_range(2);

  EXPECT_DEATH(static_cast<void>(backend->map(range, granule, granule)), "mapped already");
}

TEST_P(BackendContractDeathTest, StopsWhereAPieceIsUnmappedTwice) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = mapped_range(2);
  backend->unmap(range, granule, granule);

  EXPECT_DEATH(backend->unmap(range, granule, granule), "not mapped");
  EXPECT_DEATH(backend->unmap(range, Bytes{}, granule * 2), "not mapped");
}

// --- hints ------------------------------------------------------------------------------------

TEST_P(BackendContract, KeepsEveryByteThroughHints) {
  const AddressRange range = mapped_range(2);
  const StreamId stream = make_stream();
  fill(range.base, 7, granule * 2, stream);
  for (const MemorySide side : {MemorySide::kHost, MemorySide::kDevice}) {
    EXPECT_TRUE(backend->prefetch(stream, range.base, granule * 2, side).ok());
  }
  for (const MemoryAdvice advice :
       {MemoryAdvice::kPreferHost, MemoryAdvice::kPreferDevice, MemoryAdvice::kPreferNeither,
        MemoryAdvice::kMostlyRead, MemoryAdvice::kReadAndWritten}) {
    EXPECT_TRUE(backend->advise(range.base, granule, advice).ok());
  }

  EXPECT_EQ(read(range.base, stream), 7);
  EXPECT_EQ(read(at(range, 1) + granule.count() - 1, stream), 7);
}

TEST_P(BackendContract, TakesHintsForUnifiedMemoryAlone) {
  const AddressRange range = mapped_range(1);
  if (kind == MemoryKind::kUnified) GTEST_SKIP() << "whether it takes them is the device's affair";

  EXPECT_EQ(*backend->prefetch(StreamId::kDefault, range.base, granule, MemorySide::kDevice),
            HintOutcome::kIgnored);
  EXPECT_EQ(*backend->advise(range.base, granule, MemoryAdvice::kMostlyRead),
            HintOutcome::kIgnored);
}

TEST_P(BackendContract, RefusesAPrefetchOnAStreamThatWasNeverMade) {
  const AddressRange range = mapped_range(1);

  expect_refused(backend->prefetch(kUnknown, range.base, granule, MemorySide::kHost),
                 ErrorCode::kBadArgument);
}

TEST_P(BackendContractDeathTest, StopsWhereAPieceIsOffTheGranularityOrPastTheEnd) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = reserve(2);

  EXPECT_DEATH(static_cast<void>(backend->map(range, granule / 2, granule)), "granularity");
  EXPECT_DEATH(static_cast<void>(backend->map(range, Bytes{}, granule / 2)), "granularity");
  EXPECT_DEATH(static_cast<void>(backend->map(range, Bytes{}, Bytes{})), "granularity");
  EXPECT_DEATH(static_cast<void>(backend->map(range, granule, granule * 2)), "past the range");
}

TEST_P(BackendContractDeathTest, StopsWhereNoSuchRangeIsThere) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  const AddressRange range = mapped_range(1);
  backend->release(range);

  EXPECT_DEATH(backend->release(range), "not there");
  EXPECT_DEATH(static_cast<void>(backend->map(range, Bytes{}, granule)), "not there");
}

TEST_P(BackendContractDeathTest, StopsWhereABlockIsDeallocatedTwice) {
  const Result<std::byte*> block = backend->allocate(kind, granule);
  ASSERT_TRUE(block.ok());
  backend->deallocate(kind, *block, granule);

  EXPECT_DEATH(backend->deallocate(kind, *block, granule), "not there");
}

TEST_P(BackendContractDeathTest, StopsWhereNothingIsReserved) {
  if (!can_map()) GTEST_SKIP() << kNoMapping;
  EXPECT_DEATH(static_cast<void>(backend->reserve(kind, Bytes{})), "granularity");
  EXPECT_DEATH(static_cast<void>(backend->reserve(kind, granule / 2)), "granularity");
}

TEST_P(BackendContractDeathTest, StopsWhereAnUnknownStreamIsAskedAfter) {
  EXPECT_DEATH(static_cast<void>(backend->reached(kUnknown)), "was made");
}

}  // namespace tenure::testing
