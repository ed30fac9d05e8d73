// The optimizer on real heaps: what they copy and how often they are collected is real, time is made of that.
#include "tenure/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tenure/allocation_pattern.hpp"
#include "tenure/decisions.hpp"
#include "tests/support/optimizer_fixture.hpp"

namespace tenure::testing {
namespace {

TEST_F(OptimizerTest, KeepsALargerNurseryForALoadWhoseSurvivorsAreAsManyAnyway) {
  try_change("Generation Tuning", "nursery_bytes", 1024 * kKiB);
  const OptimizationTrial trial = run_trial([this] { churn(10'000, 4'000); });

  EXPECT_EQ(trial.state, TrialState::kKept) << trial.conclusion;
  EXPECT_GT(trial.gain, 0.1) << trial.conclusion;
  churn(100'000, 4'000);
  EXPECT_EQ(nursery(), 1024 * kKiB);
}

TEST_F(OptimizerTest, TakesALargerNurseryBackFromALoadThatKeepsAll) {
  runtime.state().optimizer().measure(
      [](const ProgramCounters& real) { return made_up_time(real, 0); });
  // A queue of 24 MiB: each object is copied until it is old, and dies there.
  constexpr std::uint32_t kLength = 1'000'000;
  const Local<RefArray<Node>> queue = make_array<Node>(*mutator, kLength);
  std::uint32_t at = 0;
  const auto run = [&] {
    for (int k = 0; k < 10'000; ++k) {
      const Local<Node> node = make<Node>(*mutator);
      (*queue)[at++ % kLength] = node;
    }
  };
  try_change("Generation Tuning", "nursery_bytes", 1024 * kKiB);
  const OptimizationTrial trial = run_trial(run);

  EXPECT_EQ(trial.state, TrialState::kTakenBack) << trial.conclusion;
  churn(100'000, 100);
  EXPECT_EQ(nursery(), 512 * kKiB);
}

TEST_F(OptimizerTest, KeepsCollectingAtBoundariesWhereBatchesDieAtThem) {
  try_change("Batch Collection", "at_batch_boundaries", 1);
  const OptimizationTrial trial = run_trial([this] { batches(10, 200_KiB); });

  EXPECT_EQ(trial.state, TrialState::kKept) << trial.conclusion;
  EXPECT_GT(trial.gain, 0.9) << trial.conclusion;
  const std::uint64_t before = runtime.statistics().bytes_copied.count();
  batches(100, 200_KiB);
  EXPECT_LT(runtime.statistics().bytes_copied.count() - before, 100'000u)
      << "nothing lives where a batch ends";
}

TEST_F(OptimizerTest, TakesBatchCollectionBackWhereBoundariesAreNoDeaths) {
  try_change("Batch Collection", "at_batch_boundaries", 1);
  // What is alive does not depend on where the batch ends, and the nursery is not used to its end.
  const OptimizationTrial trial = run_trial([this] {
    churn(12'000, 4'000);
    note_batch_boundary(*mutator);
  });

  EXPECT_EQ(trial.state, TrialState::kTakenBack) << trial.conclusion;
  EXPECT_EQ(runtime.state().optimizer().report().trials.back().before, 0);
}

// 6 KiB each, the last `live` of them living; and small ones that die.
struct Middling {
  Middling(Mutator& mutator, std::size_t live) : ring(make_array<Node>(mutator, 1)), held(live) {}
  Local<RefArray<Node>> ring;
  std::vector<Handle<RefArray<Node>>> held;
  std::size_t at = 0;

  void run(Mutator& mutator, int count) {
    for (int k = 0; k < count; ++k) {
      const Local<RefArray<Node>> array = make_array<Node>(mutator, 1'500);
      held[at++ % held.size()] = Handle<RefArray<Node>>(array);
      for (int small = 0; small < 10; ++small) {
        (void)make<Node>(mutator);
      }
    }
  }
};

TEST_F(OptimizerTest, KeepsALowerBoundOfWhatIsLargeWhereMiddlingObjectsLive) {
  Middling load(*mutator, 200);
  try_change("Large Object Heap", "large_object_bytes", 4 * kKiB);
  const OptimizationTrial trial = run_trial([&] { load.run(*mutator, 200); });

  EXPECT_EQ(trial.state, TrialState::kKept) << trial.conclusion;
  EXPECT_GT(trial.gain, 0.9) << trial.conclusion;
  EXPECT_EQ(runtime.state().large_object(), 4_KiB);
}

TEST_F(OptimizerTest, TakesALowerBoundBackWhereSuchObjectsDieYoung) {
  Middling load(*mutator, 1);
  try_change("Large Object Heap", "large_object_bytes", 4 * kKiB);
  // Born old they are copied less, and fill the oldest generation, which is marked for it again and again.
  const OptimizationTrial trial = run_trial([&] {
    load.run(*mutator, 100);
    churn(2'000, 1'000);
  });

  EXPECT_EQ(trial.state, TrialState::kTakenBack) << trial.conclusion;
  EXPECT_NE(trial.conclusion.find("slower"), std::string::npos) << trial.conclusion;
  EXPECT_EQ(runtime.state().large_object(), 32_KiB);
}

TEST_F(OptimizerTest, RevertsWhatWasKept) {
  try_change("Generation Tuning", "nursery_bytes", 1024 * kKiB);
  ASSERT_EQ(run_trial([this] { churn(10'000, 4'000); }).state, TrialState::kKept);

  value_or_throw(revert_optimization(runtime, "Generation Tuning"));
  churn(100'000, 4'000);

  EXPECT_EQ(nursery(), 512 * kKiB);
  EXPECT_EQ(optimization_report(runtime).trials.back().state, TrialState::kRevoked);
  EXPECT_FALSE(revert_optimization(runtime, "Generation Tuning").ok());
}

TEST_F(OptimizerTest, TellsOfWhatItChangedAmongTheDecisions) {
  try_change("Generation Tuning", "nursery_bytes", 1024 * kKiB);
  ASSERT_EQ(run_trial([this] { churn(10'000, 4'000); }).state, TrialState::kKept);
  value_or_throw(revert_optimization(runtime, "Generation Tuning"));

  std::vector<Decision> told = decisions(runtime);
  std::erase_if(told, [](const Decision& one) { return one.parameter != Adapted::kNurseryLimit; });
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].before, 512 * kKiB);
  EXPECT_EQ(told[0].after, 1024 * kKiB);
  EXPECT_NE(told[0].reason.find("share of time in collections"), std::string::npos)
      << told[0].reason;
  EXPECT_EQ(told[1].after, 512 * kKiB);
}

TEST_F(OptimizerTest, KeepsTheSizesOfATrialOutOfTheDecisions) {
  try_change("Generation Tuning", "nursery_bytes", 1024 * kKiB);
  (void)run_trial([this] { churn(10'000, 4'000); });
  const std::vector<Decision> told = decisions(runtime);
  EXPECT_LE(std::ranges::count(told, Adapted::kNursery, &Decision::parameter), 1);
}

TEST_F(OptimizerTest, FindsByItselfWhatToTry) {
  value_or_throw(set_auto_optimize(runtime, true));
  for (const std::uint64_t most = collections() + 3000;
       optimization_report(runtime).trials.empty() && collections() < most;) {
    churn(10'000, 4'000);
  }
  ASSERT_FALSE(optimization_report(runtime).trials.empty());
  const OptimizationTrial first = optimization_report(runtime).trials.front();
  EXPECT_EQ(first.strategy, "Generation Tuning");
  EXPECT_NE(first.reasoning.find("% of time went into collections"), std::string::npos);

  for (const std::uint64_t most = collections() + 3000;
       optimization_report(runtime).trials.front().state != TrialState::kKept &&
       collections() < most;) {
    churn(10'000, 4'000);
  }
  EXPECT_EQ(optimization_report(runtime).trials.front().state, TrialState::kKept)
      << optimization_report(runtime).text();
}

class SmallOptimizerTest : public OptimizerTest {
 protected:
  SmallOptimizerTest() : OptimizerTest(small()) {}

 private:
  static Config small() {
    Config config = tunable();
    config.heap_limit = 6_MiB;  // the nursery may be a quarter of that
    return config;
  }
};

TEST_F(SmallOptimizerTest, SettlesOnASteadyLoad) {
  value_or_throw(set_auto_optimize(runtime, true));
  const auto run = [this](std::uint64_t more) {
    for (const std::uint64_t until = collections() + more; collections() < until;) {
      churn(10'000, 2'000);
    }
  };
  run(300);
  const auto settled = static_cast<double>(runtime.state().conductor().nursery_limit().count());
  run(150);
  // Trials of what did not pay come again now and then; what is in force stays.
  EXPECT_EQ(runtime.state().conductor().nursery_limit(),
            Bytes{static_cast<std::uint64_t>(settled)});
  EXPECT_GT(settled, 512 * kKiB);
}

TEST_F(OptimizerTest, DoesNothingByItselfUnlessItIsAskedTo) {
  for (const std::uint64_t until = collections() + 200; collections() < until;) {
    churn(10'000, 4'000);
  }
  EXPECT_TRUE(optimization_report(runtime).trials.empty());
  EXPECT_EQ(nursery(), 512 * kKiB);
}

TEST_F(OptimizerTest, TriesWhatItRecommendsWhereItIsAsked) {
  for (const std::uint64_t until = collections() + 20; collections() < until;) {
    churn(10'000, 4'000);
  }
  const auto recommended = value_or_throw(recommend_optimizations(runtime));
  ASSERT_EQ(recommended.size(), 1u);
  EXPECT_EQ(recommended[0].strategy.name, "Generation Tuning");
  EXPECT_GE(recommended[0].confidence, 0.7);

  EXPECT_EQ(value_or_throw(optimize(runtime)), std::vector<std::string>{"Generation Tuning"});
  EXPECT_EQ(optimization_report(runtime).trials.size(), 1u);
  EXPECT_TRUE(value_or_throw(optimize(runtime)).empty()) << "too few collections since";
}

TEST_F(OptimizerTest, RefusesWhatCannotBe) {
  OptimizationRecommendation change;
  change.strategy.name = "Wishful Thinking";
  EXPECT_FALSE(try_optimization(runtime, change).ok());

  change.strategy.name = "Generation Tuning";
  EXPECT_FALSE(try_optimization(runtime, change).ok()) << "no parameter";
  for (const double bytes : {0.0, 1.0, 1e12, 512 * kKiB}) {
    change.parameters["nursery_bytes"] = bytes;
    EXPECT_FALSE(try_optimization(runtime, change).ok()) << bytes;
  }
  EXPECT_FALSE(revert_optimization(runtime, "Generation Tuning").ok());
  EXPECT_FALSE(set_optimization_parameters(runtime, {.min_confidence = 1.5}).ok());
  EXPECT_FALSE(set_optimization_parameters(runtime, {.max_optimizations_per_cycle = 0}).ok());
}

TEST_F(OptimizerTest, MayBeCalledWhileOthersAllocate) {
  mutator.reset();
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k) {
    threads.emplace_back([&] {
      Mutator own(runtime);
      std::vector<Handle<Node>> kept(500);
      for (std::size_t at = 0; !is_over.load(); ++at) {
        const Local<Node> node = make<Node>(own);
        kept[at % kept.size()] = Handle<Node>(node);
        if (at % 5'000 == 0) {
          record_access(runtime, type_id<Node>(), node.get(), AccessKind::kWrite);
          note_batch_boundary(own);
        }
      }
    });
  }
  value_or_throw(set_auto_optimize(runtime, true));
  for (int k = 0; k < 100; ++k) {
    OptimizationRecommendation change;
    change.strategy.name = "Batch Collection";
    change.parameters["at_batch_boundaries"] = 1;
    (void)try_optimization(runtime, change);
    (void)value_or_throw(optimize(runtime));
    (void)value_or_throw(recommend_optimizations(runtime));
    (void)value_or_throw(optimize_collection_parameters(runtime));
    (void)optimization_report(runtime).text();
    (void)revert_optimization(runtime, "Batch Collection");
    if (k % 10 == 0) {
      value_or_throw(clear_optimization_history(runtime));
    }
  }
  is_over = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(verify_heap(runtime).ok());
}

TEST_F(OptimizerTest, IsClosedWithItsRuntime) {
  mutator.reset();
  runtime.close();
  EXPECT_EQ(optimize(runtime).failure().code, ErrorCode::kClosed);
  EXPECT_EQ(set_auto_optimize(runtime, true).failure().code, ErrorCode::kClosed);
}

Config manual() {
  Config config = tunable();
  config.mode = Mode::kManual;
  return config;
}

class ManualOptimizerTest : public OptimizerTest {
 protected:
  ManualOptimizerTest() : OptimizerTest(manual()) {}
};

TEST_F(ManualOptimizerTest, ChangesNothing) {
  EXPECT_EQ(set_auto_optimize(runtime, true).failure().code, ErrorCode::kUnsupported);
  EXPECT_EQ(optimize(runtime).failure().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tenure::testing
