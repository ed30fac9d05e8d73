// What a case came to, one row for each rival: the unit of every table and every file of results.
//
// Invariant: whatever the unit, a ratio is a cost: ours by the rival's where small figures are good,
// the rival's by ours where large ones are. Below 1 we are better, and a target holds exactly if the
// ratio does not pass it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/support/measure.hpp"

namespace tenure::bench {

/// A limit is a rival too: one called "limit", whose figure is the limit and whose target is 1.
struct Row {
  std::string bench;
  std::string name;  // of the case
  double value = 0;  // median of the rounds
  double spread = 0;
  std::string unit;
  std::optional<std::string> rival{};
  std::optional<double> rival_value{};
  std::optional<double> rival_spread{};
  std::optional<double> ratio{};
  std::optional<double> target{};

  /// Nothing where there is no target.
  [[nodiscard]] std::optional<bool> holds() const {
    return target && ratio ? std::optional(*ratio <= *target) : std::nullopt;
  }
};

/// The rows of a case: one for each rival, then one for its limit; one alone where it has neither.
[[nodiscard]] std::vector<Row> rows_of(const std::string& bench, const Case& of,
                                       const Measured& measured);

/// The rows as a table with a line of headings, columns as wide as they must be.
[[nodiscard]] std::string to_table(const std::vector<Row>& rows);

}  // namespace tenure::bench
