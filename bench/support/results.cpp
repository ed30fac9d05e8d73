#include "bench/support/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tenure::bench {

namespace {

// Why ordered: a file is read by people too, and two of them are compared line by line.
using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json row_of(const Row& row) {
  return {{"bench", row.bench},
          {"case", row.name},
          {"value", row.value},
          {"unit", row.unit},
          {"rival", or_null(row.rival)},
          {"rival_value", or_null(row.rival_value)},
          {"ratio", or_null(row.ratio)},
          {"target", or_null(row.target)},
          {"holds", or_null(row.holds())},
          {"spread", row.spread},
          {"rival_spread", or_null(row.rival_spread)}};
}

}  // namespace

double CanaryReadings::change() const {
  const auto [fast, slow] = std::minmax(before_ns, after_ns);
  return fast == 0 ? 0.0 : static_cast<double>(slow - fast) / static_cast<double>(fast);
}

bool CanaryReadings::is_disturbed() const {
  // Measured: on a quiet 2-core x86-64 machine two readings lie within 3 %.
  constexpr double kQuiet = 0.1;
  return change() > kQuiet;
}

std::string to_json(const Circumstances& circumstances, const std::vector<Row>& rows) {
  const Circumstances& c = circumstances;
  Json document{{"machine",
                 {{"processor", c.machine.processor},
                  {"cores", c.machine.cores},
                  {"memory_bytes", c.machine.memory.count()},
                  {"huge_pages", c.machine.huge_pages}}},
                {"compiler", c.compiler},
                {"flags", c.flags},
                {"command", c.command},
                {"version", c.version},
                {"environment", c.environment},
                {"malloc", c.malloc},
                {"mimalloc", c.mimalloc},
                {"moment", c.moment},
                {"rounds", c.effort.rounds},
                {"round_ns", c.effort.round_ns},
                {"canary",
                 {{"before_ns", c.canary.before_ns},
                  {"after_ns", c.canary.after_ns},
                  {"change", c.canary.change()},
                  {"disturbed", c.canary.is_disturbed()}}},
                {"rows", Json::array()}};
  for (const Row& row : rows) {
    document["rows"].push_back(row_of(row));
  }
  constexpr int kIndent = 1;
  return document.dump(kIndent) + "\n";
}

std::string caution(const Circumstances& circumstances) {
  if (circumstances.moment) {
    return "Everything ran for a moment only: these figures mean nothing.";
  }
  if (circumstances.canary.is_disturbed()) {
    constexpr double kPercent = 100;
    return fmt::format(
        "The machine was disturbed: a fixed piece of work took {:.1f} ms before and {:.1f} ms "
        "after, {:.0f} % apart. Believe ratios before values, and measure again.",
        static_cast<double>(circumstances.canary.before_ns) / 1e6,
        static_cast<double>(circumstances.canary.after_ns) / 1e6,
        kPercent * circumstances.canary.change());
  }
  return {};
}

}  // namespace tenure::bench
