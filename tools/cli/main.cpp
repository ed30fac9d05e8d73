#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"

namespace tenure::cli {
namespace {

int run(int count, const char* const* arguments) {
  CLI::App app{
      "Tenure: a memory manager for tensor runtimes. Runs allocation traces through the "
      "real heap and pools, and says what a machine offers.",
      "tenure"};
  app.set_version_flag("--version", "tenure " TENURE_VERSION);
  app.require_subcommand(1);

  std::vector<std::pair<CLI::App*, Command>> commands;
  const auto add = [&](const char* name, const char* help, Command (*adder)(CLI::App&)) {
    CLI::App* const verb = app.add_subcommand(name, help);
    commands.emplace_back(verb, adder(*verb));
  };
  add("replay", "run allocation traces and measure memory and time", add_replay);
  add("plan", "lay out the blocks of allocation traces ahead of time, and say what that saves",
      add_plan);
  add("doctor", "say what this machine offers and which backend would be used", add_doctor);
  add("report", "say what a runtime did, from what it wrote of itself; as text or as a page",
      add_report);
  add("stress", "random graph operations, weak references and finalizers against an oracle",
      add_stress);
  add("top", "say what a running process's heap and pools are doing, time and again", add_top);

  const std::string_view first = count > 1 ? arguments[1] : "-";
  const bool is_verb = std::any_of(commands.begin(), commands.end(), [first](const auto& command) {
    return command.first->get_name() == first;
  });
  if (!first.starts_with('-') && !is_verb) {
    fmt::print(stderr, "tenure: there is no verb \"{}\" (see `tenure --help`)\n", first);
    return kRefused;
  }
  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "tenure: {} (see `tenure --help`)\n", error.what());
    return kRefused;
  }
  for (const auto& [verb, command] : commands) {
    if (verb->parsed()) {
      return command();
    }
  }
  return kRefused;
}

}  // namespace
}  // namespace tenure::cli

int main(int count, char** arguments) {
  // Why: past a limit of file sizes a write is to fail, so that its draft is taken away, and not end us.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return tenure::cli::end_output(tenure::cli::run(count, arguments));
  } catch (const std::exception& error) {
    fmt::print(stderr, "tenure: {}\n", error.what());
    return tenure::cli::kRefused;
  }
}
