// tenure report: what a runtime wrote of itself, as text, and as a page by the Python package.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tenure/bytes.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"

namespace tenure::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

struct Options {
  std::string file;
  std::string page;
  std::size_t rows = 10;
};

std::string size_of(const Json& bytes) { return to_string(Bytes{bytes.get<std::uint64_t>()}); }

std::uint64_t held_by(const Json& held) {
  auto sum = held.at("heap").get<std::uint64_t>();
  for (const Json& bytes : held.at("payloads")) {
    sum += bytes.get<std::uint64_t>();
  }
  return sum;
}

// "tenure::cli::run(int)" as "tenure::cli::run"; a namespace without a name goes too.
std::string without_parameters(std::string function) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (std::size_t at = function.find(kAnonymous); at != std::string::npos;
       at = function.find(kAnonymous)) {
    function.erase(at, kAnonymous.size());
  }
  constexpr std::string_view kCall = "operator()";
  const std::size_t call = function.find(kCall);
  const std::size_t from = call == std::string::npos ? 0 : call + kCall.size();
  return function.substr(0, function.find('(', from));
}

std::string name_of(const Json& frame) {
  const auto function = frame.at("function").get<std::string>();
  if (!function.empty()) {
    return without_parameters(function);
  }
  const auto module = frame.at("module").get<std::string>();
  return fmt::format("{}+{:#x}", module.substr(module.rfind('/') + 1),
                     frame.at("offset").get<std::uint64_t>());
}

void print_summary(const Json& report) {
  const Json& heap = report.at("heap_use");
  const Json& collections = report.at("collections");
  const Json& pauses = collections.at("pauses");
  const auto title = report.at("title").get<std::string>();
  fmt::print("{}\n\nheap        {} used, {} committed, {} the limit; {} allocated\n",
             title.empty() ? "a runtime's report" : title, size_of(heap.at("used")),
             size_of(heap.at("committed")), size_of(heap.at("limit")),
             size_of(heap.at("allocated")));
  fmt::print("collections {} of which {} full; pauses p50 {}, p99 {}, longest {}, {} in all\n",
             grouped(collections.at("all")), grouped(collections.at("full")),
             duration(pauses.at("p50_ns")), duration(pauses.at("p99_ns")),
             duration(pauses.at("max_ns")), duration(pauses.at("total_ns")));
  for (const Json& pool : report.at("pools")) {
    fmt::print(
        "{:<11} {} live, {} reserved on {}; peaks {} and {}; fragmentation {:.3f}; {} leases\n",
        pool.at("kind").get<std::string>(), size_of(pool.at("live")), size_of(pool.at("reserved")),
        pool.at("backend").get<std::string>(), size_of(pool.at("peak_live")),
        size_of(pool.at("peak_reserved")), pool.at("fragmentation").get<double>(),
        grouped(pool.at("leases")));
  }
}

void print_sites(const Json& sites, std::string_view heading, std::size_t most) {
  if (sites.empty()) {
    return;
  }
  fmt::print("\n{}\n{:>10} {:>10} {:>12}  what, and where\n", heading, "live", "allocated",
             "allocations");
  for (std::size_t k = 0; k < std::min(most, sites.size()); ++k) {
    const Json& site = sites[k];
    std::string where;
    for (std::size_t depth = 0; depth < std::min<std::size_t>(4, site.at("stack").size());
         ++depth) {
      where += (depth == 0 ? "" : " < ") + name_of(site.at("stack")[depth]);
    }
    fmt::print("{:>10} {:>10} {:>12.0f}  {}: {}\n", size_of(site.at("live_bytes")),
               size_of(site.at("total_bytes")), site.at("total_allocations").get<double>(),
               site.at("what").get<std::string>(), where);
  }
}

void print_heap(const Json& heap, std::size_t most) {
  fmt::print(
      "\nwhat lives: {} objects, {}; {} are dead and not collected yet\n{:>10} {:>10} {:>12}  "
      "type\n",
      grouped(heap.at("total").at("objects")), to_string(Bytes{held_by(heap.at("total"))}),
      to_string(Bytes{held_by(heap.at("floating"))}), "retained", "held", "objects");
  const Json& types = heap.at("types");
  for (std::size_t k = 0; k < std::min(most, types.size()); ++k) {
    fmt::print("{:>10} {:>10} {:>12}  {}\n", to_string(Bytes{held_by(types[k].at("retained"))}),
               to_string(Bytes{held_by(types[k].at("held"))}),
               grouped(types[k].at("held").at("objects")), types[k].at("type").get<std::string>());
  }
  fmt::print("\nwho holds most\n");
  const Json& holders = heap.at("holders");
  for (std::size_t k = 0; k < std::min(most, holders.size()); ++k) {
    fmt::print("{:>10}  {}\n", to_string(Bytes{held_by(holders[k].at("retained"))}),
               holders[k].at("path").get<std::string>());
  }
}

void print_decisions(const Json& decisions, std::size_t most) {
  if (decisions.empty()) {
    return;
  }
  fmt::print("\nwhat was adapted, {} times; the last\n", decisions.size());
  for (std::size_t k = decisions.size() - std::min(most, decisions.size()); k < decisions.size();
       ++k) {
    const Json& one = decisions[k];
    const auto parameter = one.at("parameter").get<std::string>();
    const bool is_size = parameter == "nursery" || parameter == "old_limit" ||
                         parameter == "nursery_limit" || parameter == "large_object";
    const auto value = [&](const char* key) {
      const auto number = one.at(key).get<double>();
      return is_size ? to_string(Bytes{static_cast<std::uint64_t>(number)})
                     : fmt::format("{:g}", number);
    };
    fmt::print("after {:>6}  {}: {} to {}; {}\n", grouped(one.at("collection")), parameter,
               value("before"), value("after"), one.at("reason").get<std::string>());
  }
}

Result<Json> read(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return Error{ErrorCode::kFile, path + ": cannot be read"};
  }
  Json report = Json::parse(file, nullptr, false);
  if (!report.is_object() || report.value("format", "") != "tenure report") {
    return Error{ErrorCode::kFile, path + ": is no report; tenure::write_report makes them"};
  }
  if (const int version = report.value("version", 0); version != kVersion) {
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("{}: a report of version {}; this program reads {}", path, version, kVersion)};
  }
  return report;
}

// By the Python package, which has the plots.
bool write_page(const Options& options) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execlp("python3", "python3", "-m", "tenure.report", options.file.c_str(), "-o",
           options.page.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

int run(const Options& options) {
  const Result<Json> report = read(options.file);
  if (!report) {
    return refuse(report.failure());
  }
  try {
    print_summary(*report);
    if (report->contains("profile")) {
      const Json& profile = report->at("profile");
      print_sites(profile.at("sites"), "allocation sites, by live bytes (estimates)", options.rows);
      print_sites(profile.at("growing"), "sites that grow from collection to collection",
                  options.rows);
    }
    print_decisions(report->at("decisions"), options.rows);
    if (report->contains("heap")) {
      print_heap(report->at("heap"), options.rows);
    }
  } catch (const Json::exception& error) {
    return refuse({ErrorCode::kFile, options.file + ": is no whole report: " + error.what()});
  }
  if (options.page.empty()) {
    fmt::print("\nwith --html PAGE this becomes a page with plots\n");
    return kOk;
  }
  return write_page(options)
             ? kOk
             : refuse({ErrorCode::kUnsupported,
                       "no page was made: the plots are the Python package's; pip install "
                       "'tenure[report]' for the python3 that PATH leads to"});
}

}  // namespace

Command add_report(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "what write_report wrote, or `tenure replay --report`")
      ->required();
  app.add_option("--html", options->page, "write a page with plots, that needs no network")
      ->type_name("PAGE");
  app.add_option("--rows", options->rows, "of each table, so many rows are shown")
      ->capture_default_str();
  return [options] { return run(*options); };
}

}  // namespace tenure::cli
