// The strategies there are: what each changes, what it is measured by, and what a program may ask of it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/tune/experiment.hpp"
#include "core/tune/program_counters.hpp"
#include "tenure/bytes.hpp"
#include "tenure/optimizer.hpp"

namespace tenure {

/// What may be changed in a running program, each by one number.
enum class Lever : std::uint8_t {
  kNursery,          // bytes: the most that is used of it
  kLargeObject,      // bytes: objects at least this big are born old
  kBatchCollection,  // 1: the nursery is collected at batch boundaries
  kCopiesAhead,      // that wait to be read: the order in which survivors are laid down
};

/// What a strategy is to lower.
enum class CostFigure : std::uint8_t {
  kCollectionShare,  // time in stops / time
  kBytesCopied,      // bytes copied / byte allocated
  kProcessorTime,    // of the whole program / byte allocated
};

struct StrategyRow {
  std::string_view name;
  std::string_view description;
  Lever lever;
  std::string_view parameter;  // what the lever's number is called
  CostFigure figure;
  std::uint32_t priority;
};

/// By priority, and then in the order of their descriptions in design.md.
[[nodiscard]] std::span<const StrategyRow> strategy_rows();
/// Null where there is none.
[[nodiscard]] const StrategyRow* find_strategy(std::string_view name);
[[nodiscard]] OptimizationStrategy describe_strategy(const StrategyRow& row);

[[nodiscard]] std::string_view name_of(CostFigure figure);

/// The program between two moments, as a strategy is measured.
[[nodiscard]] TrialStretch stretch_between(const ProgramCounters& from, const ProgramCounters& to,
                                           CostFigure figure);

}  // namespace tenure
