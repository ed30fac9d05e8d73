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

#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/settings.hpp"

namespace tenure::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> traces;
  std::vector<std::string> devices;  // none: that of the runtime options
  std::vector<std::string> lifetimes{"explicit"};
  std::string settings;
  std::string json;
  bool check = false;
};

Json json_of(const ReplayReport& report) {
  return {{"trace", report.trace},
          {"device", report.device},
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
          {"pause_ns",
           {{"p50", report.pauses.percentile_ns(50)},
            {"p99", report.pauses.percentile_ns(99)},
            {"max", report.pauses.max_ns()}}},
          {"device_waits", report.device_waits},
          {"leaked_blocks", report.leaked_blocks}};
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

Result<ReplayReport> replay_one(const Trace& trace, const std::string& device, Lifetimes lifetimes,
                                const Config& base) {
  ReplayOptions options;
  options.lifetimes = lifetimes;
  options.config = base;
  options.config.device = device;
  ProgressBar bar(fmt::format("{} on {}, {}", trace.name(), device, to_string(lifetimes)));
  options.progress = [&bar](std::uint64_t done, std::uint64_t of) { bar.show(done, of); };
  return replay(trace, options);
}

int run(Options options) {
  Result<Config> config = take_settings(options.settings);
  if (!config) {
    return refuse(config.failure());
  }
  if (options.check) {
    config->check = Check::kPayload;
  }
  if (Result<void> writable = may_write(options.json); !writable) {
    return refuse(writable.failure());
  }
  if (options.devices.empty()) {
    options.devices.push_back(config->device);
  }
  const Widths widths = widths_for(options);
  std::vector<ReplayReport> reports;
  for (const std::string& path : options.traces) {
    const Result<Trace> trace = Trace::read(path);
    if (!trace) {
      return refuse(trace.failure());
    }
    for (const std::string& device : options.devices) {
      for (const std::string& name : options.lifetimes) {
        const Lifetimes lifetimes = name == "gc" ? Lifetimes::kCollected : Lifetimes::kExplicit;
        Result<ReplayReport> report = replay_one(*trace, device, lifetimes, *config);
        if (!report) {
          return refuse(report.failure());
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
  }
  if (!options.json.empty()) {
    Json json = Json::array();
    for (const ReplayReport& report : reports) {
      json.push_back(json_of(report));
    }
    const Json& whole = json.size() == 1 ? json[0] : json;
    if (Result<void> written = write_whole(options.json, whole.dump(2) + "\n"); !written) {
      return refuse(written.failure());
    }
  }
  for (const ReplayReport& report : reports) {
    if (report.leaked_blocks != 0) {
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
  app.add_option("--set", options->settings,
                 "runtime options, as in nursery=8MiB,mode=manual (`tenure doctor` lists them)");
  app.add_flag("--check", options->check,
               "stop at a payload's early reuse, double free, overrun or use after free, as "
               "--set check=payload does");
  app.add_option("--json", options->json,
                 "write the figures to FILE, - for the standard output: an object for one run, an "
                 "array for several")
      ->type_name("FILE");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
