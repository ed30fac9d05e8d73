// tenure stress: the command line of random graph operations against an oracle.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "tenure/runtime.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/settings.hpp"
#include "tools/cli/stress_run.hpp"

namespace tenure::cli {

namespace {

struct Options {
  std::string seeds = "1";
  std::string operations = "1000000";
  std::string mode;         // empty: as configured
  std::string generations;  // likewise
  std::string threads = "1";
  std::string settings;
};

struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// Why not left to the command line's library: it takes -1 for the largest number there is.
bool read_number(const std::string& from, std::uint64_t& to) {
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), to);
  return error == std::errc{} && end == from.data() + from.size() && !from.empty();
}

// "7" or "1..20".
Result<Range> parse_range(const char* option, const std::string& text, std::uint64_t least,
                          std::uint64_t most) {
  const std::size_t dots = text.find("..");
  const std::string first = text.substr(0, dots);
  const std::string last = dots == std::string::npos ? first : text.substr(dots + 2);
  Range range;
  if (!read_number(first, range.first) || !read_number(last, range.last) ||
      range.first > range.last || range.first < least || range.last > most) {
    return Error{ErrorCode::kBadArgument,
                 fmt::format("{} takes a number or a range, as in 7 or 1..20, of {} to {}, not "
                             "\"{}\"",
                             option, least, most, text)};
  }
  return range;
}

// The modes that the option table names: "manual, automatic or incremental".
std::vector<std::string> all_modes() {
  std::vector<std::string> modes;
  for (const ConfigRow& row : describe(Config{})) {
    if (row.name != "mode") {
      continue;
    }
    std::string word;
    for (const char character : std::string(row.range) + " ") {
      if (character != ' ' && character != ',') {
        word += character;
      } else {
        if (!word.empty() && word != "or") {
          modes.push_back(word);
        }
        word.clear();
      }
    }
  }
  return modes;
}

// A heap small enough that every collection happens, unless the user says otherwise.
Config small_config() {
  Config config;
  config.nursery = 1_MiB;
  config.old_start = 1_MiB;
  config.large_object = 8_KiB;
  config.device = "sim:8GiB";
  return config;
}

// What makes the same draws again, whatever the environment says then.
std::string command_for(const StressLoad& load, const Config& config) {
  std::string settings;
  Config small = small_config();
  small.generations = config.generations;  // lists are as long
  const std::vector<ConfigRow> usual = describe(small);
  const std::vector<ConfigRow> rows = describe(config);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (rows[k].value != usual[k].value && rows[k].name != "mode") {
      settings += "," + std::string(rows[k].name) + "=" + rows[k].value;
    }
  }
  if (!settings.empty()) {
    settings = fmt::format("generations={}", config.generations) + settings;
  }
  return fmt::format("tenure stress --seed {} --ops {} --mode {} --generations {} --threads {}{}",
                     load.seed, load.operations, to_string(config.mode), config.generations,
                     load.threads, settings.empty() ? "" : " --set '" + settings + "'");
}

// Gives an exit code.
int run_once(const StressLoad& load, const Config& config) {
  Result<Runtime> runtime = Runtime::open(config);
  if (!runtime) {
    return refuse(runtime.failure());
  }
  const StressOutcome outcome = run_stress(load, *runtime);
  if (!outcome.fault.empty()) {
    fmt::print(stderr, "tenure: seed {} {}\n", load.seed, outcome.fault);
    fmt::print(stderr, "tenure: again with: {}\n", command_for(load, config));
    if (load.threads > 1) {
      fmt::print(stderr, "tenure: each thread draws the same again; how they meet may differ\n");
    }
    return kFound;
  }
  const Statistics& statistics = outcome.statistics;
  fmt::print(
      "seed {}, {}, generations {}, threads {}: {} operations, {} young and {} full collections, "
      "{} cycles, {} compactions, {} weak references cleared, {} entries dropped, {} finalizers "
      "ran, longest pause {}: nothing lost, nothing left\n",
      load.seed, to_string(config.mode), config.generations, load.threads, grouped(load.operations),
      grouped(statistics.young_collections), grouped(statistics.full_collections),
      grouped(statistics.cycles.ended), grouped(statistics.compactions),
      grouped(statistics.weak_cleared), grouped(statistics.map_entries_dropped),
      grouped(statistics.finalizers.ran), duration(statistics.pauses.max_ns()));
  return kOk;
}

int run_modes(const StressLoad& load, const Config& base, const std::vector<std::string>& modes,
              const Range& generations) {
  for (const std::string& mode : modes) {
    for (std::uint64_t count = generations.first; count <= generations.last; ++count) {
      const Result<Config> config =
          parse_config(fmt::format("mode={},generations={}", mode, count), base);
      if (!config) {
        return refuse(config.failure());
      }
      if (const int code = run_once(load, *config); code != kOk) {
        return code;
      }
    }
  }
  return kOk;
}

int run(const Options& options) {
  constexpr std::uint64_t kMostThreads = 64;
  const Result<Range> seeds = parse_range("--seed", options.seeds, 0, ~std::uint64_t{0});
  if (!seeds) {
    return refuse(seeds.failure());
  }
  const Result<Range> threads = parse_range("--threads", options.threads, 1, kMostThreads);
  if (!threads) {
    return refuse(threads.failure());
  }
  StressLoad load;
  if (!read_number(options.operations, load.operations)) {
    return refuse(Error{ErrorCode::kBadArgument,
                        "--ops takes a number up to 2^64, not \"" + options.operations + "\""});
  }
  const Result<Config> config = take_settings(options.settings, small_config());
  if (!config) {
    return refuse(config.failure());
  }
  const Result<Range> generations =
      options.generations.empty()
          ? Result<Range>(Range{config->generations, config->generations})
          : parse_range("--generations", options.generations, 1, kMaxGenerations);
  if (!generations) {
    return refuse(generations.failure());
  }
  const std::string mode =
      options.mode.empty() ? std::string(to_string(config->mode)) : options.mode;
  const std::vector<std::string> modes = mode == "all" ? all_modes() : std::vector{mode};
  for (load.seed = seeds->first;; ++load.seed) {
    for (std::uint64_t count = threads->first; count <= threads->last; ++count) {
      load.threads = static_cast<std::uint32_t>(count);
      if (const int code = run_modes(load, *config, modes, *generations); code != kOk) {
        return code;
      }
    }
    if (load.seed == seeds->last) {  // Why here: the last may be the largest there is
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
  app.add_option("--mode", options->mode, "a mode, or all of them, one after the other: all");
  app.add_option("--generations", options->generations, "a number of generations, or 1..8");
  app.add_option("--threads", options->threads, "threads, each with a graph of its own, or 1..4")
      ->capture_default_str();
  app.add_option("--set", options->settings,
                 "runtime options, as in generations=1,collect_every=100");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
