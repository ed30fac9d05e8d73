#include "core/base/team.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace tenure {
namespace {

TEST(Team, CallsTheWorkOnceOnEachMember) {
  Team team(4);
  std::array<std::atomic<int>, 4> calls{};

  for (int run = 1; run <= 1000; ++run) {
    team.run([&](std::uint32_t member) { ++calls[member]; });

    for (const std::atomic<int>& count : calls) {
      ASSERT_EQ(count, run);
    }
  }
}

TEST(Team, RunsMemberZeroOnTheCallersOwnThread) {
  Team team(2);
  std::array<std::thread::id, 2> ids;

  team.run([&](std::uint32_t member) { ids[member] = std::this_thread::get_id(); });

  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_NE(ids[1], ids[0]);
}

TEST(Team, LeavesOutMembersThatARunDoesNotWant) {
  Team team(3);
  std::array<std::atomic<int>, 3> calls{};

  for (std::uint32_t run = 0; run < 300; ++run) {
    team.run(1 + run % 3, [&](std::uint32_t member) { ++calls[member]; });
  }

  EXPECT_EQ(calls[0], 300);
  EXPECT_EQ(calls[1], 200);
  EXPECT_EQ(calls[2], 100);
}

TEST(Team, StartsItsThreadsAgainAfterItWasDismissed) {
  Team team(3);
  std::array<std::atomic<int>, 3> calls{};

  for (int round = 0; round < 50; ++round) {
    team.run([&](std::uint32_t member) { ++calls[member]; });
    team.dismiss();
  }

  for (const std::atomic<int>& count : calls) {
    EXPECT_EQ(count, 50);
  }
}

TEST(Team, ShowsEachMemberWhatWasWrittenBeforeAndTheCallerWhatTheyWrote) {
  Team team(2);
  std::array<std::uint64_t, 2> plain{};

  for (std::uint64_t run = 1; run <= 2000; ++run) {
    plain[0] = run;
    team.run([&](std::uint32_t member) {
      if (member == 1) {
        plain[1] = plain[0] * 2;
      }
    });
    ASSERT_EQ(plain[1], run * 2);
  }
}

}  // namespace
}  // namespace tenure
