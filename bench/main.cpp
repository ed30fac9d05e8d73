// The benchmarks as a program: picks benches by name, runs them, prints a table, writes a file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/canary.hpp"
#include "bench/support/results.hpp"
#include "tools/cli/output.hpp"

extern char** environ;  // NOLINT: POSIX has it so

namespace tenure::bench {
namespace {

constexpr int kDone = 0;
constexpr int kRefused = 2;

struct Options {
  std::vector<std::string> names;
  std::string json;
  bool moment = false;
  bool list = false;
  Effort effort;
};

int refuse(const std::string& sentence) {
  fmt::print(stderr, "tenure_bench: {}\n", sentence);
  return kRefused;
}

// Those whose name begins with one of `names`; all where there are none.
Result<std::vector<Bench>> choose(const std::vector<std::string>& names) {
  std::vector<Bench> chosen;
  std::vector<bool> fits(names.size(), false);
  std::string known;
  for (const Bench& bench : kBenches) {
    known += (known.empty() ? "" : ", ") + std::string(bench.name);
    bool wanted = names.empty();
    for (std::size_t k = 0; k < names.size(); ++k) {
      const bool fit = bench.name.starts_with(names[k]);
      fits[k] = fits[k] || fit;
      wanted = wanted || fit;
    }
    if (wanted) {
      chosen.push_back(bench);
    }
  }
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (!fits[k]) {
      return Error{ErrorCode::kBadArgument,
                   "no bench's name begins with \"" + names[k] + "\"; there are " + known};
    }
  }
  return chosen;
}

std::string command_line(int count, const char* const* arguments) {
  std::string line = "tenure_bench";  // where it lies says nothing about a figure
  for (int k = 1; k < count; ++k) {
    line += " " + std::string(arguments[k]);
  }
  return line;
}

// The variables that change what a runtime does.
std::vector<std::string> own_environment() {
  std::vector<std::string> found;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with("TENURE_")) {
      found.emplace_back(*variable);
    }
  }
  return found;
}

void print_head(std::FILE* out, const Circumstances& c) {
  fmt::print(out, "{}, {} cores, {}; {}\nflags {}\nrivals: malloc of {}; {}\n", c.machine.processor,
             c.machine.cores, to_string(c.machine.memory), c.compiler, c.flags, c.malloc,
             c.mimalloc);
  for (const std::string& variable : c.environment) {
    fmt::print(out, "with {}\n", variable);
  }
  fmt::print(out,
             "{} rounds of {} ms a side; +- is the distance of the quartiles; a ratio below 1 is "
             "better than the rival\n\n",
             c.effort.rounds, c.effort.round_ns / 1'000'000);
}

void print_tail(std::FILE* out, const Circumstances& c, const Session& session) {
  int targets = 0;
  int held = 0;
  for (const Row& row : session.rows()) {
    targets += row.holds() ? 1 : 0;
    held += row.holds().value_or(false) ? 1 : 0;
  }
  for (const std::string& note : session.notes()) {
    fmt::print(out, "{}\n", note);
  }
  fmt::print(out, "{} of {} targets hold. Canary: {:.1f} ms before, {:.1f} ms after.\n", held,
             targets, static_cast<double>(c.canary.before_ns) / 1e6,
             static_cast<double>(c.canary.after_ns) / 1e6);
  if (const std::string warning = caution(c); !warning.empty()) {
    fmt::print(out, "{}\n", warning);
  }
}

int measure_all(const Options& options, Circumstances circumstances) {
  const Result<std::vector<Bench>> chosen = choose(options.names);
  if (!chosen) {
    return refuse(chosen.failure().message);
  }
  const Result<Mimalloc> mimalloc = Mimalloc::load();
  if (!mimalloc) {
    return refuse(mimalloc.failure().message);
  }
  circumstances.mimalloc = mimalloc->described;
  circumstances.effort = options.effort;
  circumstances.moment = options.moment;
  // A file on the standard output stands there alone.
  std::FILE* const out = options.json == "-" ? stderr : stdout;
  print_head(out, circumstances);

  circumstances.canary.before_ns = canary_ns();
  Session session(options.effort, options.moment, *mimalloc);
  for (const Bench& bench : *chosen) {
    const std::size_t first = session.rows().size();
    session.begin(bench.name);
    bench.run(session);
    const auto from = session.rows().begin() + static_cast<std::ptrdiff_t>(first);
    fmt::print(out, "{}\n", to_table({from, session.rows().end()}));
    std::fflush(out);
  }
  circumstances.canary.after_ns = canary_ns();
  print_tail(out, circumstances, session);
  if (!options.json.empty()) {
    const Result<void> written =
        cli::write_whole(options.json, to_json(circumstances, session.rows()));
    if (!written) {
      return refuse(written.failure().message);
    }
  }
  return kDone;
}

int run(int count, const char* const* arguments) {
  Options options;
  CLI::App app{"Measures Tenure beside its rivals: each case by turns, in one run.",
               "tenure_bench"};
  app.add_option("name", options.names, "benches whose name begins so; all if there is none");
  app.add_option("--json", options.json, "write the results to this file; - is the output");
  app.add_flag("--moment", options.moment, "everything small and once, to see that it runs");
  app.add_flag("--list", options.list, "say which benches there are");
  app.add_option("--rounds", options.effort.rounds, "rounds a case (9)")
      ->check(CLI::Range(1, 1000));
  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return refuse(std::string(error.what()) + " (see tenure_bench --help)");
  }
  if (options.list) {
    for (const Bench& bench : kBenches) {
      fmt::print("{:<10}{}\n", bench.name, bench.about);
    }
    return kDone;
  }
  if (options.moment) {
    options.effort = {.rounds = 1, .round_ns = 5'000'000};
  }
  Circumstances circumstances;
  circumstances.machine = inspect_machine();
  circumstances.compiler = circumstances.machine.compiler;
  circumstances.flags = TENURE_BENCH_FLAGS;
  circumstances.version = TENURE_BENCH_VERSION;
  circumstances.command = command_line(count, arguments);
  circumstances.environment = own_environment();
  circumstances.malloc = describe_malloc();
  return measure_all(options, std::move(circumstances));
}

}  // namespace
}  // namespace tenure::bench

int main(int count, char** arguments) {
  try {
    return tenure::bench::run(count, arguments);
  } catch (const std::exception& error) {
    return tenure::bench::refuse(error.what());
  }
}
