// Each order that is a fault is planted here, with one that is none beside it. No pool, no backend.
#include "core/payload/payload_checker.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/checked_fixture.hpp"

namespace tenure {
namespace {

constexpr StreamId kA{0};
constexpr StreamId kB{1};

class PayloadCheckerTest : public ::testing::Test {
 protected:
  CheckedPayload payload(std::size_t at, std::uint64_t size, StreamId stream, SiteId site) {
    return {
        &memory[at], Bytes{size}, &memory[at + 8], Bytes{size - 16}, site, MemoryKind::kDevice, 0,
        {stream},    false};
  }
  void lease(std::size_t at, std::uint64_t size, StreamId stream, SiteId site = SiteId{7}) {
    checker.lease(payload(at, size, stream, site));
  }
  void give(std::size_t at) {
    ASSERT_TRUE(checker.hand_back(&memory[at]));
    checker.set_free(&memory[at]);
  }
  StreamEvent record(StreamId stream) {
    const StreamEvent event{stream, ++sequence};
    return *checker.record([&] { return Result<StreamEvent>(event); });
  }

  std::array<std::byte, 4096> memory{};
  testing::FaultLog faults;
  PayloadChecker checker{"sim:1GiB", faults.sink()};
  std::uint64_t sequence = 0;
};

TEST_F(PayloadCheckerTest, FindsReuseByAStreamThatIsNotBehindTheLastUse) {
  lease(0, 512, kA, SiteId{3});
  give(0);

  lease(256, 512, kB, SiteId{4});

  EXPECT_TRUE(faults.is_one({"before a use of it was over", "496 B", "site 3", "site 4", "stream 0",
                             "stream 1", "sim:1GiB", "device"}));
}

TEST_F(PayloadCheckerTest, FindsReuseBeforeAUseOnAnotherStream) {
  lease(0, 512, kA);
  checker.use(&memory[0], kB);
  give(0);

  lease(0, 512, kA);

  EXPECT_TRUE(faults.is_one({"stream 1 may still be using"}));
}

TEST_F(PayloadCheckerTest, LetsReuseBehindTheLastUsePass) {
  lease(0, 512, kA);
  give(0);
  lease(0, 512, kA);  // the same stream
  give(0);
  checker.wait(kB, record(kA));
  lease(0, 512, kB);  // behind a wait
  give(0);
  checker.observe(record(kB));
  lease(0, 512, kA);  // the host saw it over

  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

TEST_F(PayloadCheckerTest, AnEventOfBeforeTheUseEndedIsNotEnough) {
  lease(0, 512, kA);
  const StreamEvent early = record(kA);
  give(0);
  checker.wait(kB, early);

  lease(0, 512, kB);

  EXPECT_EQ(faults.all().size(), 1u);
}

TEST_F(PayloadCheckerTest, APartOfWhatWasFreeKeepsItsUses) {
  lease(0, 2048, kA);
  give(0);
  lease(512, 512, kA);  // leaves a part before it and one behind it
  checker.wait(kA, record(kB));

  lease(0, 512, kB);
  lease(1024, 512, kB);

  EXPECT_EQ(faults.all().size(), 2u);
}

TEST_F(PayloadCheckerTest, FindsMemoryThatTwoHave) {
  lease(0, 512, kA);

  lease(256, 512, kA);

  EXPECT_TRUE(faults.is_one({"two payloads share memory"}));
}

TEST_F(PayloadCheckerTest, FindsMemoryThatIsKeptFromReuse) {
  lease(0, 512, kA);
  ASSERT_TRUE(checker.hand_back(&memory[0]));

  lease(0, 512, kA);

  EXPECT_TRUE(faults.is_one({"share memory", "kept from reuse"}));
}

TEST_F(PayloadCheckerTest, FindsADoubleFree) {
  lease(0, 512, kA);
  ASSERT_TRUE(checker.hand_back(&memory[0]));

  EXPECT_FALSE(checker.hand_back(&memory[0]));

  EXPECT_TRUE(faults.is_one({"double free", "496 B", "site 7", "stream 0"}));
}

TEST_F(PayloadCheckerTest, FindsAForeignPointer) {
  lease(0, 512, kA);

  EXPECT_FALSE(checker.hand_back(&memory[1024]));

  EXPECT_TRUE(faults.is_one({"foreign pointer"}));
}

TEST_F(PayloadCheckerTest, FindsMemoryThatGoesBeforeItsUsesAreOver) {
  lease(0, 512, kA);
  give(0);
  checker.wait(kB, record(kA));  // the device is in order, and the host knows nothing

  checker.unmap(memory.data(), Bytes{memory.size()});

  EXPECT_TRUE(faults.is_one({"given back before a use of it was over", "stream 0"}));
}

TEST_F(PayloadCheckerTest, LetsMemoryGoThatIsIdle) {
  lease(0, 512, kA);
  give(0);
  checker.observe(record(kA));

  checker.unmap(memory.data(), Bytes{memory.size()});
  lease(0, 512, kB);  // mapped anew

  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

TEST_F(PayloadCheckerTest, FindsMemoryThatGoesUnderAPayload) {
  lease(0, 512, kA);

  checker.unmap(memory.data(), Bytes{memory.size()});

  EXPECT_TRUE(faults.is_one({"given back under a payload"}));
}

TEST_F(PayloadCheckerTest, FindsCopiesOfWhatWasHandedBack) {
  lease(0, 512, kA);
  checker.touch(kA, &memory[8], Bytes{16});
  ASSERT_EQ(faults.all().size(), 0u);
  ASSERT_TRUE(checker.hand_back(&memory[0]));

  checker.touch(kB, &memory[8], Bytes{16});

  EXPECT_TRUE(faults.is_one({"use after free", "stream 1"}));
}

TEST_F(PayloadCheckerTest, ExpectsNoOrderOfALostDevice) {
  lease(0, 512, kA);
  give(0);
  checker.lose();

  lease(0, 512, kB);
  give(0);
  checker.unmap(memory.data(), Bytes{memory.size()});

  EXPECT_EQ(faults.all(), std::vector<std::string>());
}

TEST_F(PayloadCheckerTest, SaysWhetherAUseIsAllowed) {
  lease(0, 512, kA);
  const auto refusal = [&](StreamId stream, std::size_t at, std::uint64_t size) {
    const Result<void> may = checker.may_use(stream, &memory[at], Bytes{size});
    return may.ok() ? std::string("yes") : may.failure().message;
  };

  EXPECT_EQ(refusal(kA, 8, 496), "yes");
  EXPECT_NE(refusal(kA, 9, 496).find("reach out of"), std::string::npos);
  EXPECT_NE(refusal(kA, 0, 16).find("reach out of"), std::string::npos);
  EXPECT_NE(refusal(kA, 2048, 1).find("foreign pointer"), std::string::npos);
  EXPECT_NE(refusal(kB, 8, 1).find("used_on"), std::string::npos);
  checker.use(&memory[0], kB);
  EXPECT_EQ(refusal(kB, 8, 1), "yes");
  ASSERT_TRUE(checker.hand_back(&memory[0]));
  EXPECT_NE(refusal(kA, 8, 1).find("use after free"), std::string::npos);
}

TEST_F(PayloadCheckerTest, ListsWhatIsLeased) {
  lease(0, 512, kA, SiteId{3});
  lease(1024, 512, kA, SiteId{4});
  ASSERT_TRUE(checker.hand_back(&memory[0]));

  const std::vector<CheckedPayload> leased = checker.leased();

  ASSERT_EQ(leased.size(), 1u);
  EXPECT_EQ(leased[0].site, SiteId{4});
}

TEST(PayloadCheckerDeathTest, StopsTheProgramWhereNobodyListens) {
  PayloadChecker checker("sim:1GiB");
  std::byte byte{};

  EXPECT_DEATH((void)checker.hand_back(&byte), "check=payload found a fault: foreign pointer");
}

}  // namespace
}  // namespace tenure
