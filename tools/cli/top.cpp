// tenure top: what the runtimes of a running process are doing, from outside.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/live.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/metrics_text.hpp"
#include "tools/cli/output.hpp"

namespace tenure::cli {

namespace {

constexpr double kNsPerSecond = 1e9;

struct Options {
  std::uint32_t process = 0;
  double every = 1.0;       // seconds
  std::uint32_t count = 0;  // 0: until the process ends
  bool metrics = false;
};

std::string size_of(double bytes) { return to_string(Bytes{static_cast<std::uint64_t>(bytes)}); }
std::string count_of(double number) { return grouped(static_cast<std::uint64_t>(number)); }
std::string time_of(double seconds) {
  return duration(static_cast<std::uint64_t>(seconds * kNsPerSecond));
}

// What the system calls the process: "python3".
std::string name_of(std::uint32_t process) {
  std::ifstream file(fmt::format("/proc/{}/comm", process));
  std::string name;
  std::getline(file, name);
  return name;
}

/// A runtime's figures, and those before them.
struct Seen {
  std::uint64_t written_ns = 0;
  MetricsText metrics{""};
};

/// The change of a counter in a second, between two writings; none where there is one alone.
std::string rate_of(const std::string& counter, const Seen& before, const Seen& now,
                    std::string (*text)(double)) {
  if (before.written_ns == 0 || now.written_ns <= before.written_ns) {
    return "-";
  }
  const double seconds = static_cast<double>(now.written_ns - before.written_ns) / kNsPerSecond;
  return text((now.metrics.sum(counter) - before.metrics.sum(counter)) / seconds) + "/s";
}

std::string listed(const MetricsText& metrics, const std::string& name, const char* prefix,
                   std::string (*text)(double)) {
  std::string list;
  for (const auto& [label, figure] : metrics.all(name)) {
    if (figure > 0) {
      list += fmt::format("{}{}{} {}", list.empty() ? "" : ", ", prefix, label, text(figure));
    }
  }
  return list.empty() ? "none" : list;
}

void print_heap(const Seen& before, const Seen& now) {
  const MetricsText& of = now.metrics;
  fmt::print(
      "heap        {} used, {} committed, {} the limit; fragmentation {:.3f}\n",
      size_of(of.sum("tenure_heap_used_bytes")), size_of(of.value("tenure_heap_committed_bytes")),
      size_of(of.value("tenure_heap_limit_bytes")), of.value("tenure_heap_fragmentation_ratio"));
  fmt::print("            {}\n", listed(of, "tenure_heap_used_bytes", "generation ", size_of));
  fmt::print("allocated   {}; {} so far\n",
             rate_of("tenure_heap_allocated_bytes_total", before, now, size_of),
             size_of(of.value("tenure_heap_allocated_bytes_total")));
}

void print_collections(const Seen& before, const Seen& now) {
  const MetricsText& of = now.metrics;
  fmt::print("collections {}, {} of them full; {}; by {}\n",
             count_of(of.sum("tenure_collections_total")),
             count_of(of.value("tenure_full_collections_total")),
             rate_of("tenure_collections_total", before, now, count_of),
             listed(of, "tenure_collections_total", "", count_of));
  std::string share = "-";
  if (before.written_ns != 0 && now.written_ns > before.written_ns) {
    const double stopped =
        of.value("tenure_pause_seconds_sum") - before.metrics.value("tenure_pause_seconds_sum");
    share = fmt::format(
        "{:.1f} % of the time",
        100.0 * stopped * kNsPerSecond / static_cast<double>(now.written_ns - before.written_ns));
  }
  fmt::print("pauses      p50 {}, p99 {}, longest {}; {}\n",
             time_of(of.value("tenure_pause_seconds", "0.5")),
             time_of(of.value("tenure_pause_seconds", "0.99")),
             time_of(of.value("tenure_pause_seconds", "1")), share);
}

void print_pools(const MetricsText& of) {
  for (const auto& [kind, live] : of.all("tenure_pool_live_bytes")) {
    fmt::print("{:<11} {} live, {} reserved, peak {}; {} leases, {} refusals\n", kind,
               size_of(live), size_of(of.value("tenure_pool_reserved_bytes", kind)),
               size_of(of.value("tenure_pool_peak_live_bytes", kind)),
               count_of(of.value("tenure_pool_leases_total", kind)),
               count_of(of.value("tenure_pool_refusals_total", kind)));
  }
}

int list_processes() {
  const std::vector<std::uint32_t> processes = live_processes();
  for (const std::uint32_t process : processes) {
    fmt::print("{:>8}  {}\n", process, name_of(process));
  }
  if (processes.empty()) {
    fmt::print("no process of yours publishes its figures; start one with TENURE_PUBLISH_MS=500\n");
  }
  return kOk;
}

/// Prints what a process says now; the number of its runtimes, or an error.
Result<std::size_t> look(const Options& options, std::map<std::size_t, Seen>& seen) {
  const Result<std::vector<LiveFigures>> found = live_figures(options.process);
  if (!found) {
    return found.failure();
  }
  for (std::size_t k = 0; k < found->size(); ++k) {
    const LiveFigures& figures = (*found)[k];
    if (options.metrics) {
      fmt::print("{}", figures.metrics);
      continue;
    }
    Seen now{figures.written_ns, MetricsText(figures.metrics)};
    fmt::print("{}process {} ({}), runtime {} of {}, as of {} ago\n", k == 0 ? "" : "\n",
               options.process, name_of(options.process), k + 1, found->size(),
               duration(figures.age_ns));
    print_heap(seen[k], now);
    print_collections(seen[k], now);
    print_pools(now.metrics);
    if (now.written_ns != seen[k].written_ns) {
      seen[k] = std::move(now);
    }
  }
  return found->size();
}

int run(const Options& options) {
  if (options.process == 0) {
    return list_processes();
  }
  const bool redraws = !options.metrics && isatty(STDOUT_FILENO) != 0;
  std::map<std::size_t, Seen> seen;
  for (std::uint32_t k = 0;; ++k) {
    if (redraws) {
      fmt::print("\x1b[H\x1b[2J");
    } else if (k > 0) {
      fmt::print("\n");
    }
    const Result<std::size_t> runtimes = look(options, seen);
    if (!runtimes && k > 0) {
      fmt::print("process {} ended\n", options.process);
      return kOk;
    }
    if (!runtimes) {
      return refuse(runtimes.failure());
    }
    if (*runtimes == 0 && k == 0) {
      return refuse(
          {ErrorCode::kUnsupported, fmt::format("process {} ({}) publishes nothing; start it with "
                                                "TENURE_PUBLISH_MS=500, or with Config::publish_ms",
                                                options.process, name_of(options.process))});
    }
    std::fflush(stdout);
    if (options.metrics || (options.count != 0 && k + 1 == options.count)) {
      return kOk;
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(options.every));
  }
}

}  // namespace

Command add_top(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("pid", options->process,
                 "the process; without one, those of yours that publish are listed");
  app.add_option("--every", options->every, "seconds between two looks (default 1)")
      ->check(CLI::Range(0.01, 3600.0));
  app.add_option("--count", options->count,
                 "looks before it ends (default: until the process ends)");
  app.add_flag("--metrics", options->metrics, "print the figures once, as OpenMetrics text");
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
