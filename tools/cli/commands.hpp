// The program's verbs. Each adds its options to the command line and gives what runs it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace tenure::cli {

/// Runs a verb; gives the exit code.
using Command = std::function<int()>;

[[nodiscard]] Command add_replay(CLI::App& app);
[[nodiscard]] Command add_plan(CLI::App& app);
[[nodiscard]] Command add_doctor(CLI::App& app);
[[nodiscard]] Command add_report(CLI::App& app);
[[nodiscard]] Command add_stress(CLI::App& app);
[[nodiscard]] Command add_top(CLI::App& app);

}  // namespace tenure::cli
