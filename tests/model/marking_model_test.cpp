// Every order of steps of two mutators and a marker: nothing reachable is left unmarked, and nobody
// runs in a stop; and neither holds any more when one of the steps is left out.
#include <gtest/gtest.h>

#include <string>

#include "tests/model/explorer.hpp"
#include "tests/model/marking_model.hpp"

namespace tenure::model {
namespace {

void expect_sound(const MarkingModel& model) {
  const Exploration result = explore(model);

  EXPECT_EQ(result.fault, "") << story(result);
}

TEST(MarkingModel, HoldsWhereBothMutatorsStore) { expect_sound({.stores = {1, 1}}); }

TEST(MarkingModel, HoldsWhereOneMutatorStoresTwice) { expect_sound({.stores = {2, 0}}); }

TEST(MarkingModel, HoldsWhereTheWorldStopsForADrainOnTheWay) {
  expect_sound({.stores = {1, 0}, .stops = 1});
}

// Why logs are drained in stops alone: with a drain beside it, the barrier's load of the card byte
// would have to wait for its store to the slot. Without store buffers it has.
TEST(MarkingModel, LosesNothingToADrainBesideMutatorsWhereStoresLandAtOnce) {
  expect_sound({.removed = Removed::kDrainsInStops, .buffered = 0, .stores = {2, 0}});
}

TEST(MarkingModel, NeedsNoFenceOnOpeningWhereStoresLandAtOnce) {
  expect_sound({.removed = Removed::kOpeningFence, .buffered = 0});
}

TEST(MarkingModel, NeedsNoFenceOnParkingWhereStoresLandAtOnce) {
  expect_sound({.removed = Removed::kParkingFence, .buffered = 0});
}

struct Left {
  Removed removed;
  const char* name;
  const char* fault;
};

class WithoutAStep : public ::testing::TestWithParam<Left> {};

TEST_P(WithoutAStep, TheModelFails) {
  // The first store on a card logs it, and the second may be missed by a drain beside it.
  const bool stores_twice = GetParam().removed == Removed::kDrainsInStops;
  MarkingModel model{.removed = GetParam().removed};
  if (stores_twice) {
    model.stores = {2, 0};
  }

  const Exploration result = explore(model);

  EXPECT_EQ(result.fault, GetParam().fault) << story(result);
}

constexpr char kLost[] = "a reachable object is not marked";
constexpr char kMissed[] = "a mutator does not know that it is to stop";
constexpr char kRuns[] = "a mutator runs in a stop";

INSTANTIATE_TEST_SUITE_P(MarkingModel, WithoutAStep,
                         ::testing::Values(Left{Removed::kCardRecord, "CardRecord", kLost},
                                           Left{Removed::kRescan, "Rescan", kLost},
                                           Left{Removed::kLastRoots, "LastRoots", kLost},
                                           Left{Removed::kDrainsInStops, "DrainsInStops", kLost},
                                           Left{Removed::kFlagFirst, "FlagFirst", kMissed},
                                           Left{Removed::kLimitFirst, "LimitFirst", kMissed},
                                           Left{Removed::kOpeningFence, "OpeningFence", kMissed},
                                           Left{Removed::kParkingFence, "ParkingFence", kLost},
                                           Left{Removed::kWaitForMutators, "WaitForMutators",
                                                kRuns},
                                           Left{Removed::kWaitOnReturn, "WaitOnReturn", kRuns}),
                         [](const auto& left) { return std::string(left.param.name); });

}  // namespace
}  // namespace tenure::model
