// A runtime whose optimizer goes by a clock that is made up: what the heap copies and how often it is collected
// is real, and time is made of that, so that no verdict depends on the machine.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/runtime/optimizer.hpp"
#include "core/runtime/state.hpp"
#include "tenure/optimizer.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {

inline Config tunable() {
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
inline ProgramCounters made_up_time(const ProgramCounters& real, std::uint64_t markings) {
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

inline constexpr double kKiB = 1024;

}  // namespace tenure::testing
