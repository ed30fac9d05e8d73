// Every order of steps of two holders and a pool that ends: each block comes back or is inert, whoever
// goes last takes the rest along; and neither holds any more when one of the steps is left out.
#include "tests/model/closing_model.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/model/explorer.hpp"

namespace tenure::model {
namespace {

TEST(ClosingModel, HoldsOnEachWay) {
  for (const std::size_t rare : {0u, 1u, 2u}) {
    const Exploration result = explore(ClosingModel{.rare = rare});

    EXPECT_EQ(result.fault, "") << story(result);
    EXPECT_GT(result.states, 100u);
  }
}

struct Case {
  Left left;
  const char* name;
};

class ClosingWithoutAStep : public ::testing::TestWithParam<Case> {};

TEST_P(ClosingWithoutAStep, TheModelFails) {
  std::string faults;
  for (const std::size_t rare : {0u, 1u, 2u}) {
    faults += explore(ClosingModel{.left = GetParam().left, .rare = rare}).fault;
  }

  EXPECT_NE(faults, "");
  RecordProperty("faults", faults);
}

INSTANTIATE_TEST_SUITE_P(ClosingModel, ClosingWithoutAStep,
                         ::testing::Values(Case{Left::kLook, "Look"},
                                           Case{Left::kLookLast, "LookLast"},
                                           Case{Left::kRestore, "Restore"},
                                           Case{Left::kSkip, "Skip"}, Case{Left::kLink, "Link"},
                                           Case{Left::kHoldersFirst, "HoldersFirst"},
                                           Case{Left::kFlagFirst, "FlagFirst"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace tenure::model
