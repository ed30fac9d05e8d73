// tenure stress: random graph operations against an oracle.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <string>

#include "tenure/runtime.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/settings.hpp"
#include "tools/cli/stress_graph.hpp"

namespace tenure::cli {

namespace {

struct Options {
  std::string seeds = "1";
  std::string operations = "1000000";
  std::string settings;
};

struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// Why not left to the command line's library: it takes -1 for the largest number there is.
bool read_number(const std::string& from, std::uint64_t& to) {
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), to);
  return error == std::errc{} && end == from.data() + from.size() && !from.empty();
}

// "7" or "1..20".
Result<SeedRange> parse_seeds(const std::string& text) {
  const std::size_t dots = text.find("..");
  const std::string first = text.substr(0, dots);
  const std::string last = dots == std::string::npos ? first : text.substr(dots + 2);
  SeedRange range;
  if (!read_number(first, range.first) || !read_number(last, range.last) ||
      range.first > range.last) {
    return Error{ErrorCode::kBadArgument,
                 "--seed takes a number or a range, as in 7 or 1..20, not \"" + text + "\""};
  }
  return range;
}

// A heap small enough that every collection happens, unless the user says otherwise.
Config small_config() {
  Config config;
  config.nursery = 1_MiB;
  config.old_start = 4_MiB;
  config.large_object = 8_KiB;
  config.device = "sim:8GiB";
  return config;
}

// Gives what is wrong, or nothing.
std::string run_seed(std::uint64_t seed, std::uint64_t operations, Runtime& runtime) {
  Mutator mutator(runtime);
  StressGraph graph(runtime, mutator, seed);
  ProgressBar bar(fmt::format("seed {}", seed));
  for (std::uint64_t done = 0; done < operations; ++done) {
    if (std::string fault = graph.step(); !fault.empty()) {
      return fault;
    }
    constexpr std::uint64_t kShowEvery = 4096;
    if (done % kShowEvery == 0) {
      bar.show(done, operations);
    }
  }
  if (std::string fault = graph.compare_all(); !fault.empty()) {
    return fault;
  }
  graph.drop_all();
  if (std::string fault = graph.compare_all(); !fault.empty()) {
    return fault;
  }
  const Statistics statistics = runtime.statistics();
  fmt::print(
      "seed {}: {} operations, {} young and {} full collections, longest pause {}: nothing "
      "lost, nothing left\n",
      seed, grouped(operations), grouped(statistics.young_collections),
      grouped(statistics.full_collections), duration(statistics.pauses.max_ns()));
  return {};
}

int run(const Options& options) {
  const Result<SeedRange> seeds = parse_seeds(options.seeds);
  if (!seeds) {
    return refuse(seeds.failure());
  }
  std::uint64_t operations = 0;
  if (!read_number(options.operations, operations)) {
    return refuse(Error{ErrorCode::kBadArgument,
                        "--ops takes a number up to 2^64, not \"" + options.operations + "\""});
  }
  const Result<Config> config = take_settings(options.settings, small_config());
  if (!config) {
    return refuse(config.failure());
  }
  for (std::uint64_t seed = seeds->first;; ++seed) {
    Result<Runtime> runtime = Runtime::open(*config);
    if (!runtime) {
      return refuse(runtime.failure());
    }
    if (const std::string fault = run_seed(seed, operations, *runtime); !fault.empty()) {
      fmt::print(stderr, "tenure: seed {} {}\n", seed, fault);
      fmt::print(stderr, "tenure: again with: tenure stress --seed {} --ops {}{}\n", seed,
                 operations, options.settings.empty() ? "" : " --set " + options.settings);
      return kFound;
    }
    if (seed == seeds->last) {  // Why not in the loop's head: the last may be the largest there is
      return kOk;
    }
  }
}

}  // namespace

Command add_stress(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--seed", options->seeds, "a seed, or a range of them, as in 1..20")
      ->capture_default_str();
  app.add_option("--ops", options->operations, "operations for each seed")->capture_default_str();
  app.add_option("--set", options->settings,
                 "runtime options, as in generations=1,collect_every=100");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
