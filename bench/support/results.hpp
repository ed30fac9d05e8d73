// A run's results as a file: the rows, and under which circumstances they came about, so that two
// files can be compared by who was not there. No date: the same run twice differs in figures alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/measure.hpp"
#include "bench/support/row.hpp"
#include "tenure/machine.hpp"

namespace tenure::bench {

/// What a fixed piece of work took before and after the benches.
struct CanaryReadings {
  std::uint64_t before_ns = 0;
  std::uint64_t after_ns = 0;

  /// How much the slower one took longer: 0.1 is a tenth.
  [[nodiscard]] double change() const;
  /// Whether the machine was so unlike itself that the figures say little.
  [[nodiscard]] bool is_disturbed() const;
};

struct Circumstances {
  MachineReport machine;
  std::string compiler;
  std::string flags;
  std::string command;
  std::string version;
  std::vector<std::string> environment;  // "TENURE_NURSERY=8MiB": it changes what is measured
  std::string malloc;                    // whose it is
  std::string mimalloc;
  Effort effort;
  bool moment = false;  // everything ran once, and no figure means anything
  CanaryReadings canary;
};

/// {"machine": {...}, ..., "rows": [{"bench", "case", "value", "unit", "rival", "rival_value",
/// "ratio", "target", "holds", "spread", "rival_spread"}, ...]}; null stands for what is not there.
[[nodiscard]] std::string to_json(const Circumstances& circumstances, const std::vector<Row>& rows);

/// One sentence or two on what a reader must know before he believes the figures.
[[nodiscard]] std::string caution(const Circumstances& circumstances);

}  // namespace tenure::bench
