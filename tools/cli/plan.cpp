// tenure plan: where each block of a trace would lie if all lives were known, and what that saves.
#include "tenure/plan.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tenure/replay.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"

namespace tenure::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> traces;
  std::string device = "sim:80GiB";
  std::uint64_t rows = 8;
  std::string json;
};

// A plan beside what the pools reserve without one.
struct Row {
  TracePlan plan;
  Bytes reserved{};
};

Result<Row> row_of(const std::string& path, const Options& options) {
  const Result<Trace> trace = Trace::read(path);
  if (!trace) {
    return trace.failure();
  }
  Result<TracePlan> plan = plan_trace(*trace);
  if (!plan) {
    return plan.failure();
  }
  ReplayOptions unplanned;
  unplanned.config.device = options.device;
  const Result<ReplayReport> report = replay(*trace, unplanned);
  if (!report) {
    return report.failure();
  }
  return Row{std::move(*plan), report->peak_reserved};
}

double ratio(Bytes part, Bytes whole) {
  return whole.is_zero() ? 1.0
                         : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

void print_table(const std::vector<Row>& rows) {
  std::size_t name = 5;
  for (const Row& row : rows) {
    name = std::max(name, row.plan.trace.size());
  }
  fmt::print("{:<{}} {:>8} {:>10} {:>10} {:>6} {:>10} {:>6} {:>10} {:>8}\n", "trace", name,
             "blocks", "peak live", "unplanned", "util", "planned", "util", "saves", "solved");
  for (const auto& [plan, reserved] : rows) {
    const bool saves = plan.height < reserved;
    fmt::print("{:<{}} {:>8} {:>10} {:>10} {:>6.3f} {:>10} {:>6.3f} {:>10} {:>8}\n", plan.trace,
               name, grouped(plan.blocks.size()), to_string(plan.peak_live), to_string(reserved),
               ratio(plan.peak_live, reserved), to_string(plan.height),
               ratio(plan.peak_live, plan.height),
               saves ? to_string(reserved - plan.height) : "nothing",
               duration(static_cast<std::uint64_t>(1e9 * plan.seconds)));
  }
}

void print_largest(const TracePlan& plan, std::uint64_t rows) {
  std::vector<PlannedBlock> blocks = plan.blocks;
  const auto count = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(rows, blocks.size()));
  std::partial_sort(blocks.begin(), blocks.begin() + count, blocks.end(),
                    [](const PlannedBlock& a, const PlannedBlock& b) {
                      return a.bytes != b.bytes ? a.bytes > b.bytes : a.begin < b.begin;
                    });
  blocks.resize(static_cast<std::size_t>(count));
  fmt::print("\n{}: the largest blocks in their places; alive between two numbers of events\n",
             plan.trace);
  fmt::print("{:>12} {:>16} {:>16} {:>6}\n", "bytes", "offset", "alive", "site");
  for (const PlannedBlock& block : blocks) {
    fmt::print("{:>12} {:>16} {:>16} {:>6}\n", to_string(block.bytes),
               grouped(block.offset.count()), fmt::format("{}-{}", block.begin, block.end),
               static_cast<std::uint32_t>(block.site));
  }
}

Json json_of(const Row& row) {
  Json blocks = Json::array();
  for (const PlannedBlock& block : row.plan.blocks) {
    blocks.push_back({{"begin", block.begin},
                      {"end", block.end},
                      {"bytes", block.bytes.count()},
                      {"offset", block.offset.count()},
                      {"site", static_cast<std::uint32_t>(block.site)}});
  }
  return {{"trace", row.plan.trace},
          {"peak_live_bytes", row.plan.peak_live.count()},
          {"bound_bytes", row.plan.bound.count()},
          {"planned_bytes", row.plan.height.count()},
          {"unplanned_reserved_bytes", row.reserved.count()},
          {"solve_seconds", row.plan.seconds},
          {"blocks", std::move(blocks)}};
}

int run(const Options& options) {
  if (Result<void> writable = may_write(options.json); !writable) {
    return refuse(writable.failure());
  }
  std::vector<Row> rows;
  for (const std::string& path : options.traces) {
    Result<Row> row = row_of(path, options);
    if (!row) {
      return refuse(row.failure());
    }
    rows.push_back(std::move(*row));
  }
  if (options.json != "-") {
    print_table(rows);
    for (const Row& row : rows) {
      if (options.rows != 0) print_largest(row.plan, options.rows);
    }
  }
  if (!options.json.empty()) {
    Json json = Json::array();
    for (const Row& row : rows) {
      json.push_back(json_of(row));
    }
    const Json& whole = json.size() == 1 ? json[0] : json;
    if (Result<void> written = write_whole(options.json, whole.dump(2) + "\n"); !written) {
      return refuse(written.failure());
    }
  }
  return kOk;
}

}  // namespace

Command add_plan(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("TRACE", options->traces, "traces, gzip or plain CSV (docs/trace_format.md)")
      ->required();
  app.add_option("--device", options->device, "where the trace is replayed without a plan")
      ->capture_default_str();
  app.add_option("--rows", options->rows, "of each plan, so many of the largest blocks are shown")
      ->capture_default_str();
  app.add_option("--json", options->json,
                 "write the plans, every block with its offset, to FILE; - for the standard output")
      ->type_name("FILE");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
