// The optimizer on real heaps: what they copy and how often they are collected is real, time is made of that.
#include "tenure/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime/optimizer.hpp"
#include "core/runtime/state.hpp"
#include "tenure/allocation_pattern.hpp"
#include "tenure/decisions.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config tunable() {
  Config config = small_config();
  config.nursery = 512_KiB;
  config.large_object = 32_KiB;
  config.heap_limit = 256_MiB;
  config.max_pause_us = 1'000'000;
  config.gc_workers = 1;
  config.verify = false;
  return config;
}

// A program to which a byte allocated is a nanosecond, one copied three, a stop 20 microseconds, and a marking
// of the oldest generation ten milliseconds.
ProgramCounters made_up_time(const ProgramCounters& real, std::uint64_t markings) {
  constexpr std::uint64_t kNsPerCopied = 3;
  constexpr std::uint64_t kNsPerStop = 20'000;
  constexpr std::uint64_t kNsPerMarking = 10'000'000;
  ProgramCounters made = real;
  made.paused_ns =
      real.bytes_copied * kNsPerCopied + real.collections * kNsPerStop + markings * kNsPerMarking;
  made.processor_ns = made.now_ns = real.bytes_allocated + made.paused_ns;
  return made;
}

class OptimizerTest : public RuntimeTest {
 protected:
  explicit OptimizerTest(const Config& config = tunable()) : RuntimeTest(config) {
    runtime.state().optimizer().measure([this](const ProgramCounters& real) {
      Statistics so_far;
      runtime.state().conductor().account(so_far);
      return made_up_time(real, so_far.full_collections);
    });
  }

  std::uint64_t collections() const { return runtime.statistics().collections; }

  /// So many objects of 32 bytes, of which the last `live` live at any moment.
  void churn(int count, std::size_t live) {
    ring_.resize(live);
    for (int k = 0; k < count; ++k) {
      const Local<Node> node = make<Node>(*mutator);
      if (live > 0) {
        ring_[at_++ % live] = Handle<Node>(node);
      }
    }
  }

  /// Batches of so many bytes in a list that dies with its batch.
  void batches(int count, Bytes bytes) {
    for (int batch = 0; batch < count; ++batch) {
      {
        Local<Node> list(*mutator);
        for (std::uint64_t k = 0; k < bytes.count() / 24; ++k) {
          const Local<Node> node = make<Node>(*mutator);
          node->left = list;
          list = node;
        }
      }
      note_batch_boundary(*mutator);
    }
  }

  void try_change(const std::string& strategy, const std::string& parameter, double value) {
    OptimizationRecommendation change;
    change.strategy.name = strategy;
    change.parameters[parameter] = value;
    change.reasoning = "the test says so";
    value_or_throw(try_optimization(runtime, change));
  }

  /// Until the trial has ended.
  template <class Load>
  OptimizationTrial run_trial(Load load) {
    for (const std::uint64_t most = collections() + 2000; is_under_way() && collections() < most;) {
      load();
    }
    return optimization_report(runtime).trials.back();
  }

  [[nodiscard]] bool is_under_way() const {
    const TrialState state = optimization_report(runtime).trials.back().state;
    return state == TrialState::kWaiting || state == TrialState::kRunning;
  }

  [[nodiscard]] double nursery() const {
    return static_cast<double>(runtime.state().heap().young().nursery_size().count());
  }

 private:
  std::vector<Handle<Node>> ring_;
  std::size_t at_ = 0;
};

constexpr double kKiB = 1024;

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

// Pauses by the clock that is made up: so many nanoseconds each.
class CollectionRulesTest : public OptimizerTest {
 protected:
  void pauses(std::uint64_t ns) {
    runtime.state().optimizer().measure([ns](const ProgramCounters& real) {
      ProgramCounters made = real;
      made.paused_ns = real.collections * ns;
      return made;
    });
  }
  void run(std::size_t live) {
    for (const std::uint64_t until = collections() + 12; collections() < until;) {
      churn(10'000, live);
    }
  }
};

TEST_F(CollectionRulesTest, GrowTheNurseryOfShortPausesUpToItsBound) {
  pauses(1'000);
  run(0);
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).nursery,
            Bytes{(512_KiB).count() * 11 / 10});
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).nursery,
            Bytes{(512_KiB).count() * 11 / 10})
      << "too few collections since";
}

TEST_F(CollectionRulesTest, ShrinkTheNurseryOfLongPausesDownToItsBound) {
  pauses(2'000'000'000);
  Bytes nursery;
  for (int k = 0; k < 6; ++k) {
    run(0);
    nursery = value_or_throw(optimize_collection_parameters(runtime)).nursery;
  }
  EXPECT_EQ(nursery, 256_KiB);
  churn(100'000, 0);
  EXPECT_EQ(runtime.state().heap().young().nursery_size(), 256_KiB);
}

TEST_F(CollectionRulesTest, LetObjectsWaitShorterWhereFewAreEverPromoted) {
  pauses(1'000'000'000);
  run(1'000);  // none of them survives twice
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).promotion_age, 2u);
  run(1'000);
  EXPECT_EQ(value_or_throw(optimize_collection_parameters(runtime)).promotion_age, 1u);
  run(1'000);
  EXPECT_LE(runtime.statistics().promotion_age[0], 1u);
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
