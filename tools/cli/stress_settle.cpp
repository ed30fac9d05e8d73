#include "tools/cli/stress_settle.hpp"

#include <fmt/format.h>

#include "tenure/inspect.hpp"

namespace tenure::cli {

namespace {

// Rounds of running what waits, until a collection begins with nobody waiting.
constexpr int kRounds = 10;

std::string expect(const char* what, std::uint64_t found, std::uint64_t wanted) {
  return found == wanted
             ? std::string{}
             : fmt::format("after a full collection {}: {} are found and {} are expected", what,
                           found, wanted);
}

std::string first_of(std::initializer_list<std::string> faults) {
  for (const std::string& fault : faults) {
    if (!fault.empty()) {
      return fault;
    }
  }
  return {};
}

// Calls `ask` of each graph until one says what is wrong.
template <class Ask>
std::string ask_all(const StressGraphs& graphs, Ask ask) {
  for (std::size_t k = 0; k < graphs.size(); ++k) {
    if (std::string fault = ask(*graphs[k], k); !fault.empty()) {
      return fault;
    }
  }
  return {};
}

std::string hear_all(const StressGraphs& graphs) {
  return ask_all(graphs, [](StressGraph& graph, std::size_t) { return graph.hear(); });
}

// Runs what waits, hears it, and collects everything. Why again where somebody waited before: what
// awaits its finalizer keeps what it leads to, and the oracle calls that dead.
std::string collect_cleanly(Runtime& runtime, Mutator& mutator, const StressGraphs& graphs,
                            std::vector<StressSet>& reached) {
  for (int round = 0; round < kRounds; ++round) {
    (void)run_finalizers(mutator);
    if (std::string fault = hear_all(graphs); !fault.empty()) {
      return fault;
    }
    reached.clear();
    for (const auto& graph : graphs) {
      reached.push_back(graph->reach());
    }
    const Result<CollectionReport> report = runtime.collect(Collect::kFull);
    if (!report) {
      return report.failure().message;
    }
    if (runtime.statistics().finalizers.waiting == report->finalizers_queued) {
      return {};
    }
  }
  return "finalizers keep waiting, however often they are run";
}

// What has to be right as soon as a full collection has ended.
std::string compare_weak(Runtime& runtime, const StressGraphs& graphs,
                         const std::vector<StressSet>& reached) {
  std::uint64_t living = 0;
  std::uint64_t dead = 0;
  std::string fault = ask_all(graphs, [&](StressGraph& graph, std::size_t k) {
    living += graph.finalizers().to_come(reached[k], true);
    dead += graph.finalizers().to_come(reached[k], false);
    return graph.check_weak(reached[k]);
  });
  const FinalizerStatistics finalizers = runtime.statistics().finalizers;
  return first_of({fault, expect("finalizers of the living", finalizers.set, living),
                   expect("finalizers that wait", finalizers.waiting, dead)});
}

std::string compare_finalized(Runtime& runtime, const StressGraphs& graphs) {
  std::uint64_t ran = 0;
  std::uint64_t threw = 0;
  for (const auto& graph : graphs) {
    ran += graph->finalizers().ran();
    threw += graph->finalizers().threw();
  }
  const FinalizerStatistics finalizers = runtime.statistics().finalizers;
  return first_of({expect("finalizers that ran", finalizers.ran, ran),
                   expect("finalizers that threw", finalizers.failed, threw)});
}

std::string compare_census(Runtime& runtime, const StressGraphs& graphs,
                           const std::vector<StressSet>& reached) {
  StressCounts wanted;
  for (std::size_t k = 0; k < graphs.size(); ++k) {
    wanted.add(graphs[k]->ledger().count(reached[k]));
  }
  Census census = take_census(runtime);
  std::uint64_t blocks = 0;
  for (const PoolStatistics& pool : runtime.statistics().pools) {
    blocks += pool.live_blocks;
  }
  const Result<void> sound = verify_heap(runtime);
  return first_of({expect("vertices", census.by_type["Vertex"].objects, wanted.vertices),
                   expect("fans", census.by_type["Vertex[]"].objects, wanted.fans),
                   expect("tensors", census.by_type["Tensor"].objects, wanted.tensors),
                   expect("payloads", blocks, wanted.payloads),
                   sound ? std::string{} : sound.failure().message});
}

}  // namespace

std::string settle(Runtime& runtime, Mutator& mutator, const StressGraphs& graphs) {
  for (const auto& graph : graphs) {
    graph->work_with(mutator);
  }
  std::vector<StressSet> reached;
  std::string fault =
      ask_all(graphs, [](StressGraph& graph, std::size_t) { return graph.compare_all(); });
  // Twice: the first time finalizers are due, the second time what they left dead is gone.
  for (int round = 0; round < 2 && fault.empty(); ++round) {
    fault = collect_cleanly(runtime, mutator, graphs, reached);
    if (fault.empty()) {
      fault = compare_weak(runtime, graphs, reached);
    }
  }
  if (fault.empty()) {
    fault = first_of({compare_finalized(runtime, graphs),
                      expect("finalizers that wait", runtime.statistics().finalizers.waiting, 0),
                      compare_census(runtime, graphs, reached)});
  }
  for (const auto& graph : graphs) {
    graph->rest();
  }
  return fault;
}

std::string close_all(Runtime& runtime, Mutator& mutator, const StressGraphs& graphs) {
  for (const auto& graph : graphs) {
    graph->work_with(mutator);
  }
  if (std::string fault = hear_all(graphs); !fault.empty()) {
    return fault;
  }
  std::uint64_t to_come = 0;
  std::uint64_t to_throw = 0;
  for (const auto& graph : graphs) {
    to_come += graph->finalizers().to_come().size();
    to_throw += graph->finalizers().to_throw();
  }
  const CloseReport report = runtime.close();
  const auto at_close = [](const char* what, std::uint64_t found, std::uint64_t wanted) {
    return found == wanted ? std::string{}
                           : fmt::format("at the close {}: {} are found and {} are expected", what,
                                         found, wanted);
  };
  return first_of(
      {at_close("finalizers that ran", report.finalizers_run, to_come),
       at_close("finalizers that threw", report.finalizers_failed, to_throw),
       at_close("finalizers left", report.finalizers_left, 0),
       ask_all(graphs, [](StressGraph& graph, std::size_t) { return graph.check_closed(); })});
}

}  // namespace tenure::cli
