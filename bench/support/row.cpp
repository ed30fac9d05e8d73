#include "bench/support/row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tenure::bench {

namespace {

constexpr std::size_t kColumns = 11;
using Line = std::array<std::string, kColumns>;

double cost_ratio(Better better, double ours, double rival) {
  return better == Better::kLower ? ours / rival : rival / ours;
}

// Three digits that count, and no exponent where a person would not write one.
std::string figure(std::optional<double> value) {
  if (!value) {
    return "-";
  }
  const double size = std::abs(*value);
  if (size >= 100 || size == 0) {
    return fmt::format("{:.0f}", *value);
  }
  return size >= 10 ? fmt::format("{:.1f}", *value) : fmt::format("{:.2f}", *value);
}

// The spread beside its figure.
std::string share(std::optional<double> spread, std::optional<double> of) {
  constexpr double kPercent = 100;
  return spread && of && *of != 0 ? fmt::format("{:.0f}%", kPercent * *spread / *of) : "-";
}

std::string verdict(std::optional<bool> holds) { return !holds ? "-" : *holds ? "yes" : "NO"; }

Line line_of(const Row& row) {
  return {row.bench,
          row.name,
          figure(row.value),
          share(row.spread, row.value),
          row.unit,
          row.rival.value_or("-"),
          figure(row.rival_value),
          share(row.rival_spread, row.rival_value),
          figure(row.ratio),
          figure(row.target),
          verdict(row.holds())};
}

}  // namespace

std::vector<Row> rows_of(const std::string& bench, const Case& of, const Measured& measured) {
  const Summary ours = summarize(measured.ours);
  const Row alone{.bench = bench,
                  .name = of.name,
                  .value = ours.median,
                  .spread = ours.spread,
                  .unit = of.unit};
  std::vector<Row> rows;
  for (std::size_t k = 0; k < of.rivals.size(); ++k) {
    const Summary rival = summarize(measured.rivals[k]);
    Row& row = rows.emplace_back(alone);
    row.rival = of.rivals[k].name;
    row.rival_value = rival.median;
    row.rival_spread = rival.spread;
    row.ratio = cost_ratio(of.better, ours.median, rival.median);
    row.target = of.rivals[k].target;
  }
  if (of.limit) {
    Row& row = rows.emplace_back(alone);
    row.rival = "limit";
    row.rival_value = of.limit;
    row.ratio = cost_ratio(of.better, ours.median, *of.limit);
    row.target = 1.0;
  }
  return rows.empty() ? std::vector{alone} : rows;
}

std::string to_table(const std::vector<Row>& rows) {
  std::vector<Line> lines{{"bench", "case", "value", "+-", "unit", "rival", "its value", "+-",
                           "ratio", "target", "holds"}};
  for (const Row& row : rows) {
    lines.push_back(line_of(row));
  }
  std::array<std::size_t, kColumns> width{};
  for (const Line& line : lines) {
    for (std::size_t k = 0; k < kColumns; ++k) {
      width[k] = std::max(width[k], line[k].size());
    }
  }
  // Words stand at the left of their columns, figures at the right.
  constexpr std::string_view kAlign = "<<>><<>>>>>";
  std::string table;
  for (const Line& line : lines) {
    std::string text;
    for (std::size_t k = 0; k < kColumns; ++k) {
      text += kAlign[k] == '<' ? fmt::format("{:<{}}  ", line[k], width[k])
                               : fmt::format("{:>{}}  ", line[k], width[k]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    table += text + "\n";
  }
  return table;
}

}  // namespace tenure::bench
