#include "tools/cli/policy_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace tenure::cli {

namespace {

constexpr std::size_t kCell = 10;

std::span<const PolicyRun> group_at(const std::vector<PolicyRun>& runs, std::size_t first) {
  std::size_t last = first + 1;
  while (last < runs.size() && runs[last].report.trace == runs[first].report.trace &&
         runs[last].report.policy != runs[first].report.policy) {
    ++last;
  }
  return std::span(runs).subspan(first, last - first);
}

double first_run(const PolicyRun& run) { return run.report.repetitions.front().utilisation; }

// The worst of all runs but the first.
double later_runs(const PolicyRun& run) {
  double worst = 1.0;
  for (std::size_t k = 1; k < run.report.repetitions.size(); ++k) {
    worst = std::min(worst, run.report.repetitions[k].utilisation);
  }
  return worst;
}

std::string cell(const PolicyRun& run, double utilisation) {
  return fmt::format(" {:>{}}", run.failure ? "none" : fmt::format("{:.4f}", utilisation), kCell);
}

bool is_native(const PolicyRun& run) { return run.report.policy == Policy::kNative; }

class Table {
 public:
  explicit Table(const std::vector<PolicyRun>& runs) : runs_(runs) {
    for (const PolicyRun& run : runs) {
      name_ = std::max(name_, run.report.trace.size());
      repeats_ = repeats_ || run.report.repetitions.size() > 1;
    }
  }

  [[nodiscard]] std::string text() const {
    std::string text = head(group_at(runs_, 0));
    for (std::size_t k = 0; k < runs_.size();) {
      const std::span<const PolicyRun> group = group_at(runs_, k);
      text += row(group);
      k += group.size();
    }
    return text;
  }

 private:
  [[nodiscard]] std::string head(std::span<const PolicyRun> group) const {
    std::string line = fmt::format("{:<{}} {:>{}}", "trace", name_, "peak live", kCell);
    for (const PolicyRun& run : group) {
      line += fmt::format(" {:>{}}", to_string(run.report.policy), kCell);
      if (repeats_ && is_native(run)) line += fmt::format(" {:>{}}", "again", kCell);
    }
    return line + fmt::format(" {:>{}}", "ratio", kCell) + "  best rival\n";
  }

  [[nodiscard]] std::string row(std::span<const PolicyRun> group) const {
    const PolicyRun* native = nullptr;
    const PolicyRun* best = nullptr;
    std::string line = fmt::format("{:<{}} {:>{}}", group[0].report.trace, name_,
                                   to_string(group[0].report.peak_live), kCell);
    for (const PolicyRun& run : group) {
      line += cell(run, run.failure ? 0.0 : first_run(run));
      if (repeats_ && is_native(run)) line += cell(run, run.failure ? 0.0 : later_runs(run));
      if (run.failure) {
        continue;
      }
      if (is_native(run)) {
        native = &run;
      } else if (best == nullptr || first_run(run) > first_run(*best)) {
        best = &run;
      }
    }
    const bool compared = native != nullptr && best != nullptr;
    line += fmt::format(
        " {:>{}}", compared ? fmt::format("{:.4f}", first_run(*native) / first_run(*best)) : "-",
        kCell);
    return line + "  " + (best == nullptr ? "-" : std::string(to_string(best->report.policy))) +
           "\n";
  }

  const std::vector<PolicyRun>& runs_;
  std::size_t name_ = 5;
  bool repeats_ = false;
};

}  // namespace

std::string policy_table(const std::vector<PolicyRun>& runs) {
  return runs.empty() ? std::string() : Table(runs).text();
}

}  // namespace tenure::cli
