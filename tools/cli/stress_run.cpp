#include "tools/cli/stress_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tools/cli/output.hpp"
#include "tools/cli/stress_graph.hpp"
#include "tools/cli/stress_settle.hpp"

namespace tenure::cli {

namespace {

constexpr std::uint64_t kMostBetween =
    50'000;  // steps of a graph between comparisons of everything
constexpr std::uint64_t kLeastComparisons = 4;
constexpr std::uint64_t kStepsBeforeClose = 300;

class StressRun {
 public:
  StressRun(const StressLoad& load, Runtime& runtime)
      : load_(load), runtime_(runtime), bar_(fmt::format("seed {}", load.seed)) {
    if (load.threads > 1) {
      mail_.emplace();
    }
    for (std::uint32_t number = 0; number < load.threads; ++number) {
      graphs_.push_back(
          std::make_unique<StressGraph>(runtime, load.seed, number, mail_ ? &*mail_ : nullptr));
    }
  }

  // Gives what is wrong, or nothing.
  std::string run(Statistics& statistics) {
    std::string fault = work_all();
    const auto then = [&](const std::function<std::string(Mutator&)>& next) {
      if (fault.empty()) {
        Mutator mutator(runtime_);
        fault = next(mutator);
      }
    };
    then([&](Mutator& mutator) {
      for (const auto& graph : graphs_) {
        graph->drop_all();
      }
      return settle(runtime_, mutator, graphs_);
    });
    statistics = runtime_.statistics();
    then([&](Mutator& mutator) { return work_and_close(mutator); });
    return fault;
  }

 private:
  // All operations, and comparisons between them.
  std::string work_all() {
    const std::uint64_t each = load_.operations / load_.threads;
    const std::uint64_t at_a_time =
        std::clamp<std::uint64_t>(each / kLeastComparisons, 1, kMostBetween);
    for (std::uint64_t done = 0; done < each;) {
      const std::uint64_t now = std::min(at_a_time, each - done);
      std::string fault = work_beside(now);
      done += now;
      bar_.show(done, each);
      if (fault.empty()) {
        Mutator mutator(runtime_);
        distribute_mail();
        fault = settle(runtime_, mutator, graphs_);
      }
      if (!fault.empty()) {
        return fault;
      }
    }
    return {};
  }

  // A thread a graph; this one's where there is one alone.
  std::string work_beside(std::uint64_t steps) {
    std::atomic<bool> failed{false};
    std::vector<std::string> faults(graphs_.size());
    const auto work_on = [&](std::size_t k) {
      Mutator mutator(runtime_);
      faults[k] = work(*graphs_[k], mutator, steps, failed);
      if (!faults[k].empty()) {
        failed.store(true);
      }
    };
    if (graphs_.size() == 1) {
      work_on(0);
    } else {
      std::vector<std::thread> threads;
      for (std::size_t k = 0; k < graphs_.size(); ++k) {
        threads.emplace_back(work_on, k);
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    }
    const auto fault = std::find_if(faults.begin(), faults.end(),
                                    [](const std::string& text) { return !text.empty(); });
    return fault == faults.end() ? std::string{} : *fault;
  }

  // Ends early where another graph failed.
  static std::string work(StressGraph& graph, Mutator& mutator, std::uint64_t steps,
                          const std::atomic<bool>& failed) {
    graph.work_with(mutator);
    std::string fault;
    try {
      while (steps-- > 0 && fault.empty() && !failed.load()) {
        fault = graph.step();
      }
    } catch (const std::exception& error) {  // what `make` throws where the heap is full
      fault = error.what();
    }
    graph.rest();
    return fault;
  }

  // What nobody took, so that all that lives is somebody's.
  void distribute_mail() {
    for (std::size_t k = 0; mail_; ++k) {
      std::optional<StressMail::Letter> letter = mail_->take();
      if (!letter) {
        return;
      }
      graphs_[k % graphs_.size()]->adopt(std::move(*letter));
    }
  }

  std::string work_and_close(Mutator& mutator) {
    for (const auto& graph : graphs_) {
      if (std::string fault = work(*graph, mutator, kStepsBeforeClose, false); !fault.empty()) {
        return fault;
      }
    }
    return close_all(runtime_, mutator, graphs_);
  }

  StressLoad load_;
  Runtime& runtime_;
  ProgressBar bar_;
  std::optional<StressMail> mail_;
  StressGraphs graphs_;
};

}  // namespace

StressOutcome run_stress(const StressLoad& load, Runtime& runtime) {
  StressOutcome outcome;
  StressRun run(load, runtime);
  outcome.fault = run.run(outcome.statistics);
  return outcome;
}

}  // namespace tenure::cli
