#include "core/payload/stream_clocks.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

constexpr StreamId kA{0};
constexpr StreamId kB{1};
constexpr StreamId kC{2};

TEST(StreamClocks, AStreamIsBehindItsOwnUsesAndNoOther) {
  StreamClocks clocks;

  const StreamClocks::Moment use = clocks.tick(kA);

  EXPECT_TRUE(clocks.is_behind(kA, use));
  EXPECT_FALSE(clocks.is_behind(kB, use));
  EXPECT_FALSE(clocks.is_over(use));
}

TEST(StreamClocks, AWaitPutsAStreamBehindWhatTheEventIsBehind) {
  StreamClocks clocks;
  const StreamClocks::Moment before = clocks.tick(kA);
  clocks.recorded({kA, 1});
  const StreamClocks::Moment after = clocks.tick(kA);

  clocks.waited(kB, {kA, 1});

  EXPECT_TRUE(clocks.is_behind(kB, before));
  EXPECT_FALSE(clocks.is_behind(kB, after)) << "the event does not stand behind a later use";
  EXPECT_FALSE(clocks.is_behind(kC, before));
  EXPECT_FALSE(clocks.is_over(before)) << "the host did not wait";
}

TEST(StreamClocks, OrderIsHandedOn) {
  StreamClocks clocks;
  const StreamClocks::Moment use = clocks.tick(kA);
  clocks.recorded({kA, 1});
  clocks.waited(kB, {kA, 1});
  clocks.recorded({kB, 1});

  clocks.waited(kC, {kB, 1});

  EXPECT_TRUE(clocks.is_behind(kC, use));
}

TEST(StreamClocks, WhatTheHostSawComesBeforeAllThatIsPutOnAnyStream) {
  StreamClocks clocks;
  const StreamClocks::Moment use = clocks.tick(kA);
  clocks.recorded({kA, 1});

  clocks.observed({kA, 1});

  EXPECT_TRUE(clocks.is_over(use));
  EXPECT_TRUE(clocks.is_behind(kC, use));
}

TEST(StreamClocks, ALaterEventStandsForTheEarlierOnes) {
  StreamClocks clocks;
  const StreamClocks::Moment use = clocks.tick(kA);
  clocks.recorded({kA, 1});
  clocks.recorded({kA, 2});
  clocks.recorded({kA, 3});

  clocks.observed({kA, 2});

  EXPECT_TRUE(clocks.is_over(use));
  EXPECT_EQ(clocks.events(), 1u) << "what was seen reached is not kept";
  clocks.waited(kB, {kA, 1});  // seen already: nothing to be learnt
  EXPECT_TRUE(clocks.is_behind(kB, use));
}

TEST(StreamClocks, AnEventThatWasReachedBringsWhatItsStreamHadWaitedFor) {
  StreamClocks clocks;
  const StreamClocks::Moment use = clocks.tick(kA);
  clocks.recorded({kA, 1});
  clocks.waited(kB, {kA, 1});
  clocks.recorded({kB, 1});

  clocks.observed({kB, 1});

  EXPECT_TRUE(clocks.is_over(use));
}

TEST(StreamClocks, AnEventOfSomebodyElseTeachesNothing) {
  StreamClocks clocks;
  const StreamClocks::Moment use = clocks.tick(kA);

  clocks.waited(kB, {kA, 7});
  clocks.observed({kA, 7});

  EXPECT_FALSE(clocks.is_behind(kB, use));
}

}  // namespace
}  // namespace tenure
