// The order in which survivors are laid down, as the optimizer changes it.
#include <gtest/gtest.h>

#include "tests/support/optimizer_fixture.hpp"

namespace tenure::testing {
namespace {

// How many of a list's nodes lie right behind the one before, once it was copied among 31 others.
class LayoutTest : public OptimizerTest {
 protected:
  std::uint64_t walked_ = 0;
  std::uint64_t last_ = 0;

  int neighbours() {
    const std::size_t lists = 32;
    const Local<RefArray<Node>> heads = make_array<Node>(*mutator, lists);
    for (int k = 0; k < 50; ++k) {
      for (std::uint32_t list = 0; list < lists; ++list) {
        const Local<Node> node = make<Node>(*mutator);
        node->left = (*heads)[list];
        (*heads)[list] = node;
      }
    }
    collect_young();
    int near = 0;
    const Node* node = (*heads)[0].get();
    for (const Node* next = node->left.get(); next != nullptr;
         node = next, next = next->left.get()) {
      const auto step =
          reinterpret_cast<std::uintptr_t>(next) - reinterpret_cast<std::uintptr_t>(node);
      near += step == 24 ? 1 : 0;
    }
    return near;
  }
};

TEST_F(LayoutTest, LaysChildrenBesideTheirParentsOnTrialAndNotAfterwards) {
  EXPECT_LT(neighbours(), 10);
  runtime.state().heap().set_copies_ahead(1);
  EXPECT_GT(neighbours(), 45);
  runtime.state().heap().set_copies_ahead(16);
  EXPECT_LT(neighbours(), 10);
}

TEST_F(LayoutTest, IsTakenBackWhereTheProgramIsNoFasterForIt) {
  try_change("Cache-Friendly Layout", "copies_ahead", 1);
  bool was_set = false;
  const OptimizationTrial trial = run_trial([&] {
    churn(10'000, 4'000);
    was_set |= runtime.state().heap().copies_ahead() == 1;
  });
  EXPECT_EQ(trial.state, TrialState::kTakenBack) << trial.conclusion;
  EXPECT_TRUE(was_set);
  EXPECT_EQ(runtime.state().heap().copies_ahead(), 16u);
}

TEST_F(LayoutTest, IsKeptWhereTheProgramIsFasterForIt) {
  runtime.state().optimizer().measure([this](const ProgramCounters& real) {
    ProgramCounters made = made_up_time(real, 0);
    // Uses of what lies apart cost as much again; what was allocated since the last look.
    walked_ +=
        (real.bytes_allocated - last_) * (runtime.state().heap().copies_ahead() == 1 ? 1 : 2);
    last_ = real.bytes_allocated;
    made.processor_ns += walked_;
    made.now_ns = made.processor_ns;
    return made;
  });
  try_change("Cache-Friendly Layout", "copies_ahead", 1);
  const OptimizationTrial trial = run_trial([this] { churn(10'000, 4'000); });
  EXPECT_EQ(trial.state, TrialState::kKept) << trial.conclusion;
  EXPECT_EQ(runtime.state().heap().copies_ahead(), 1u);
  value_or_throw(revert_optimization(runtime, "Cache-Friendly Layout"));
  EXPECT_EQ(runtime.state().heap().copies_ahead(), 16u);
}

}  // namespace
}  // namespace tenure::testing
