// tenure replay: traces through the real heap and pools.
#include "tenure/replay.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tenure/report.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/policy_table.hpp"
#include "tools/cli/settings.hpp"

namespace tenure::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> traces;
  std::vector<std::string> devices;  // none: that of the runtime options
  std::vector<std::string> lifetimes{"explicit"};
  std::vector<std::string> policies{"native"};
  std::string streams = "as-recorded";
  std::string capacity;
  std::uint32_t repetitions = 1;
  std::uint32_t threads = 1;
  std::string settings;
  std::string json;
  std::string report;
  bool check = false;
};

Json json_of(const PauseHistogram& durations) {
  return {{"p50", durations.percentile_ns(50)},
          {"p99", durations.percentile_ns(99)},
          {"max", durations.max_ns()}};
}

Json json_of(const RepetitionReport& repetition) {
  return {{"seconds", repetition.seconds},
          {"peak_reserved_bytes", repetition.peak_reserved.count()},
          {"utilisation", repetition.utilisation},
          {"leases", repetition.leases},
          {"planned_leases", repetition.planned_leases}};
}

Json json_of(const ReplayReport& report) {
  Json repetitions = Json::array();
  for (const RepetitionReport& repetition : report.repetitions) {
    repetitions.push_back(json_of(repetition));
  }
  return {{"trace", report.trace},
          {"device", report.device},
          {"policy", to_string(report.policy)},
          {"repetitions", std::move(repetitions)},
          {"lifetimes", to_string(report.lifetimes)},
          {"events", report.events},
          {"seconds", report.seconds},
          {"recorded_seconds", report.recorded_seconds},
          {"events_per_second", report.events_per_second},
          {"peak_live_bytes", report.peak_live.count()},
          {"peak_leased_bytes", report.peak_leased.count()},
          {"peak_reserved_bytes", report.peak_reserved.count()},
          {"utilisation", report.utilisation},
          {"fragmentation", report.fragmentation},
          {"collections", report.collections},
          {"full_collections", report.full_collections},
          {"collection_seconds", report.collection_seconds},
          {"pause_ns", json_of(report.pauses)},
          {"threads", report.threads},
          {"lease_ns", json_of(report.leases_ns)},
          {"return_ns", json_of(report.returns_ns)},
          {"device_waits", report.device_waits},
          {"leaked_blocks", report.leaked_blocks}};
}

Json json_of(const PolicyRun& run) {
  if (!run.failure) {
    return json_of(run.report);
  }
  return {{"trace", run.report.trace},
          {"policy", to_string(run.report.policy)},
          {"failure", *run.failure}};
}

// The widths of the columns that hold names.
struct Widths {
  std::size_t trace = 5;
  std::size_t device = 6;
};

Widths widths_for(const Options& options) {
  Widths widths;
  for (const std::string& path : options.traces) {
    const std::filesystem::path name = std::filesystem::path(path).stem().stem();  // .csv.gz
    widths.trace = std::max(widths.trace, name.string().size());
  }
  for (const std::string& device : options.devices) {
    widths.device = std::max(widths.device, device.size());
  }
  return widths;
}

void print_head(const Widths& widths) {
  fmt::print("{:<{}} {:<{}} {:<9} {:>10} {:>10} {:>10} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8} {:>6}\n",
             "trace", widths.trace, "device", widths.device, "lifetimes", "events/s", "peak live",
             "reserved", "util", "frag", "colls", "p50", "p99", "max", "leaked");
}

void print_row(const ReplayReport& report, const Widths& widths) {
  const bool paused = report.pauses.count() > 0;
  const auto pause = [&](std::uint64_t nanoseconds) {
    return paused ? duration(nanoseconds) : std::string("-");
  };
  fmt::print(
      "{:<{}} {:<{}} {:<9} {:>10} {:>10} {:>10} {:>6.3f} {:>6.3f} {:>6} {:>8} {:>8} {:>8} "
      "{:>6}\n",
      report.trace, widths.trace, report.device, widths.device, to_string(report.lifetimes),
      grouped(static_cast<std::uint64_t>(report.events_per_second)), to_string(report.peak_live),
      to_string(report.peak_reserved), report.utilisation, report.fragmentation, report.collections,
      pause(report.pauses.percentile_ns(50)), pause(report.pauses.percentile_ns(99)),
      pause(report.pauses.max_ns()), report.leaked_blocks);
}

// The replay does not compute; what collecting costs a program shows against the recorded time.
std::string share_of_program(const ReplayReport& report) {
  if (report.recorded_seconds <= 0.0) {
    return {};
  }
  return fmt::format(", {:.2g} % of the {:.3g} s that it ran when it was recorded",
                     100.0 * report.collection_seconds / report.recorded_seconds,
                     report.recorded_seconds);
}

// How each time through went, where there was more than one.
void print_repetitions(const std::vector<ReplayReport>& reports) {
  for (const ReplayReport& report : reports) {
    if (report.repetitions.size() < 2) {
      continue;
    }
    const RepetitionReport& last = report.repetitions.back();
    std::string list;
    for (const RepetitionReport& repetition : report.repetitions) {
      list += fmt::format(" {:.4f}", repetition.utilisation);
    }
    fmt::print(
        "\n{} on {}, {}: utilisation by repetition{}; in the last, {} of {} leases planned.\n",
        report.trace, report.device, to_string(report.lifetimes), list,
        grouped(last.planned_leases), grouped(last.leases));
  }
}

// What a lease and a return took, where several threads did them.
void print_threads(const std::vector<ReplayReport>& reports) {
  for (const ReplayReport& report : reports) {
    if (report.threads == 1) {
      continue;
    }
    fmt::print("\n{} on {}, {} threads: {} operations a second, peak leased {};", report.trace,
               report.device, report.threads,
               grouped(static_cast<std::uint64_t>(report.events_per_second)),
               to_string(report.peak_leased));
    for (const auto& [name, taken] :
         {std::pair(" a lease", &report.leases_ns), std::pair("; a return", &report.returns_ns)}) {
      fmt::print("{} p50 {}, p99 {}, longest {}", name, duration(taken->percentile_ns(50)),
                 duration(taken->percentile_ns(99)), duration(taken->max_ns()));
    }
    fmt::print(".\n");
  }
}

// Where both lifetimes ran on one trace and device: what collecting cost against the ideal.
void print_comparison(const std::vector<ReplayReport>& reports) {
  for (const ReplayReport& collected : reports) {
    for (const ReplayReport& ideal : reports) {
      if (collected.lifetimes != Lifetimes::kCollected || ideal.lifetimes != Lifetimes::kExplicit ||
          ideal.trace != collected.trace || ideal.device != collected.device ||
          ideal.peak_reserved.is_zero()) {
        continue;
      }
      fmt::print(
          "\n{} on {}: left to the collector, the program reserves {:.2f} x what explicit "
          "frees need, for {} collections of {:.3g} ms in all{}.\n",
          collected.trace, collected.device,
          static_cast<double>(collected.peak_reserved.count()) /
              static_cast<double>(ideal.peak_reserved.count()),
          collected.collections, 1e3 * collected.collection_seconds, share_of_program(collected));
    }
  }
}

// What the call asks of every run.
struct Asked {
  ReplayOptions base;
  std::vector<Policy> policies;

  [[nodiscard]] bool compares() const {
    return policies.size() != 1 || policies[0] != Policy::kNative;
  }
};

Result<Asked> read_options(const Options& options) {
  Asked asked;
  Result<Config> config = take_settings(options.settings);
  if (!config) {
    return config.failure();
  }
  if (options.check) {
    config->check = Check::kPayload;
  }
  asked.base.config = std::move(*config);
  asked.base.repetitions = options.repetitions;
  asked.base.threads = options.threads;
  asked.base.streams = options.streams == "one" ? ReplayStreams::kOne : ReplayStreams::kAsRecorded;
  if (!options.capacity.empty()) {
    const Result<Bytes> capacity = parse_bytes(options.capacity);
    if (!capacity) {
      return capacity.failure();
    }
    asked.base.capacity = *capacity;
  }
  for (const std::string& name : options.policies) {
    const Result<Policy> policy = parse_policy(name);
    if (!policy) {
      return policy.failure();
    }
    asked.policies.push_back(*policy);
  }
  return asked;
}

Result<ReplayReport> replay_one(const Trace& trace, const ReplayOptions& asked) {
  ReplayOptions options = asked;
  ProgressBar bar(fmt::format("{} on {}, {}", trace.name(), options.config.device,
                              to_string(options.lifetimes)));
  options.progress = [&bar](std::uint64_t done, std::uint64_t of) { bar.show(done, of); };
  return replay(trace, options);
}

// Each trace with each policy. A policy that finds no room has a cell that says so.
Result<std::vector<PolicyRun>> compare(const Options& options, const Asked& asked) {
  std::vector<PolicyRun> runs;
  for (const std::string& path : options.traces) {
    const Result<Trace> trace = Trace::read(path);
    if (!trace) {
      return trace.failure();
    }
    for (const Policy policy : asked.policies) {
      ReplayOptions one = asked.base;
      one.policy = policy;
      one.config.device = options.devices.front();
      const Result<ReplayReport> report = replay_one(*trace, one);
      if (report) {
        runs.push_back({*report, {}});
      } else if (report.failure().code == ErrorCode::kOutOfMemory ||
                 report.failure().code == ErrorCode::kOverBudget) {
        PolicyRun& run = runs.emplace_back();
        run.report.trace = trace->name();
        run.report.policy = policy;
        run.report.peak_live = trace->peak_live();
        run.failure = report.failure().message;
      } else {
        return report.failure();
      }
    }
  }
  return runs;
}

// Each trace on each device with each kind of lifetime, in the runtime's own pools.
Result<std::vector<PolicyRun>> replay_all(const Options& options, const Asked& asked) {
  const Widths widths = widths_for(options);
  std::vector<ReplayReport> reports;
  for (const std::string& path : options.traces) {
    const Result<Trace> trace = Trace::read(path);
    if (!trace) {
      return trace.failure();
    }
    for (const std::string& device : options.devices) {
      for (const std::string& name : options.lifetimes) {
        ReplayOptions one = asked.base;
        one.lifetimes = name == "gc" ? Lifetimes::kCollected : Lifetimes::kExplicit;
        one.config.device = device;
        if (!options.report.empty()) {
          one.at_end = [&](Runtime& runtime) {
            return write_report(runtime, options.report, {.title = std::string(trace->name())});
          };
        }
        Result<ReplayReport> report = replay_one(*trace, one);
        if (!report) {
          return report.failure();
        }
        if (reports.empty() && options.json != "-") {
          print_head(widths);
        }
        if (options.json != "-") {
          print_row(*report, widths);
        }
        reports.push_back(std::move(*report));
      }
    }
  }
  if (options.json != "-") {
    print_comparison(reports);
    print_repetitions(reports);
    print_threads(reports);
  }
  std::vector<PolicyRun> runs;
  for (ReplayReport& report : reports) {
    runs.push_back({std::move(report), {}});
  }
  return runs;
}

int run(Options options) {
  const Result<Asked> asked = read_options(options);
  if (!asked) {
    return refuse(asked.failure());
  }
  if (Result<void> writable = may_write(options.json); !writable) {
    return refuse(writable.failure());
  }
  if (!options.report.empty() && (options.traces.size() > 1 || options.devices.size() > 1 ||
                                  options.lifetimes.size() > 1 || asked->compares())) {
    return refuse(
        {ErrorCode::kBadArgument,
         "a report is of one replay: one trace, one device, one kind of lifetime, and the "
         "native policy"});
  }
  if (options.devices.empty()) {
    options.devices.push_back(asked->base.config.device);
  }
  if (asked->compares() &&
      (options.devices.size() > 1 || options.lifetimes != std::vector<std::string>{"explicit"})) {
    return refuse({ErrorCode::kBadArgument,
                   "policies are compared on one device and with explicit lifetimes; models have "
                   "neither device nor collector"});
  }
  const Result<std::vector<PolicyRun>> runs =
      asked->compares() ? compare(options, *asked) : replay_all(options, *asked);
  if (!runs) {
    return refuse(runs.failure());
  }
  if (asked->compares() && options.json != "-") {
    fmt::print("{}", policy_table(*runs));
  }
  if (!options.json.empty()) {
    Json json = Json::array();
    for (const PolicyRun& one : *runs) {
      json.push_back(json_of(one));
    }
    const Json& whole = json.size() == 1 ? json[0] : json;
    if (Result<void> written = write_whole(options.json, whole.dump(2) + "\n"); !written) {
      return refuse(written.failure());
    }
  }
  for (const PolicyRun& one : *runs) {
    if (one.report.leaked_blocks != 0) {
      return kFound;
    }
  }
  return kOk;
}

}  // namespace

Command add_replay(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("TRACE", options->traces, "traces, gzip or plain CSV (docs/trace_format.md)")
      ->required();
  app.add_option(
         "--device", options->devices,
         "auto, host, a simulated device by its capacity, as in sim:80GiB, or cuda:0; several "
         "with commas; where none is named, that of --set or TENURE_DEVICE, or auto")
      ->delimiter(',');
  app.add_option("--lifetimes", options->lifetimes,
                 "explicit: the trace frees; gc: the collector has to find what the trace dropped; "
                 "both with a comma")
      ->delimiter(',')
      ->check(CLI::IsMember({"explicit", "gc"}))
      ->capture_default_str();
  app.add_option(
         "--policy", options->policies,
         "who places the blocks: native, or models of others, pytorch, expandable, cupy, "
         "pow2; several with commas make a table of utilisation (peak live / peak reserved)")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--streams", options->streams, "as-recorded, or one: all on the default stream")
      ->check(CLI::IsMember({"as-recorded", "one"}))
      ->capture_default_str();
  app.add_option("--capacity", options->capacity,
                 "payload memory there may be at the most, as in 8GiB; of models too");
  app.add_option("--repeat", options->repetitions,
                 "times through each trace in one and the same pools; all is dropped in between")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option(
         "--threads", options->threads,
         "threads over which the events are spread: block b is leased by thread b mod N and "
         "handed back by the next one, each with streams of its own")
      ->check(CLI::Range(1u, kMostReplayThreads))
      ->capture_default_str();
  app.add_option("--set", options->settings,
                 "runtime options, as in nursery=8MiB,mode=manual (`tenure doctor` lists them)");
  app.add_flag("--check", options->check,
               "stop at a payload's early reuse, double free, overrun or use after free, as "
               "--set check=payload does");
  app.add_option("--report", options->report,
                 "write all that is known of the runtime after the last event to FILE, for `tenure "
                 "report`; with --set profile=detailed its sites and their times too")
      ->type_name("FILE");
  app.add_option("--json", options->json,
                 "write the figures to FILE, - for the standard output: an object for one run, an "
                 "array for several")
      ->type_name("FILE");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
