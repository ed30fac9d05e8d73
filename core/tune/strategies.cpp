#include "core/tune/strategies.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace tenure {

namespace {

using enum OptimizationHint;

constexpr std::array<StrategyRow, 4> kRows{{
    {.name = "Large Object Heap",
     .description =
         "objects from the knee of the size histogram on are born old, and never copied; "
         "measured by bytes copied for a byte allocated",
     .lever = Lever::kLargeObject,
     .parameter = "large_object_bytes",
     .figure = CostFigure::kBytesCopied,
     .priority = 4},
    {.name = "Generation Tuning",
     .description =
         "another size of the nursery, so that more dies in it; measured by the share of time "
         "in collections",
     .lever = Lever::kNursery,
     .parameter = "nursery_bytes",
     .figure = CostFigure::kCollectionShare,
     .priority = 2},
    {.name = "Batch Collection",
     .description =
         "the nursery is collected where a batch ends, not in the midst of one; measured by "
         "bytes copied for a byte allocated",
     .lever = Lever::kBatchCollection,
     .parameter = "at_batch_boundaries",
     .figure = CostFigure::kBytesCopied,
     .priority = 2},
    {.name = "Cache-Friendly Layout",
     .description = "survivors are copied in the order in which they are reached, children beside "
                    "their parents, and "
                    "not so that copying is fastest; measured by the program's processor time for "
                    "a byte allocated",
     .lever = Lever::kCopiesAhead,
     .parameter = "copies_ahead",
     .figure = CostFigure::kProcessorTime,
     .priority = 2},
}};

std::vector<OptimizationHint> hints_of(Lever lever) {
  switch (lever) {
    case Lever::kLargeObject:
      return {kLargeAllocations, kLongLived};
    case Lever::kNursery:
      return {kShortLived, kFrequentAllocations, kStreamingData};
    case Lever::kBatchCollection:
      return {kBatchProcessing};
    case Lever::kCopiesAhead:
      break;
  }
  return {kSpatialLocality, kTemporalLocality, kRandomAccess};
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::span<const StrategyRow> strategy_rows() { return kRows; }

const StrategyRow* find_strategy(std::string_view name) {
  const auto* const found = std::ranges::find(kRows, name, &StrategyRow::name);
  return found == kRows.end() ? nullptr : found;
}

OptimizationStrategy describe_strategy(const StrategyRow& row) {
  return {.name = std::string(row.name),
          .description = std::string(row.description),
          .applicable_hints = hints_of(row.lever),
          .priority = row.priority};
}

std::vector<OptimizationStrategy> optimization_strategies() {
  std::vector<OptimizationStrategy> all;
  for (const StrategyRow& row : kRows) {
    all.push_back(describe_strategy(row));
  }
  return all;
}

std::string_view name_of(CostFigure figure) {
  switch (figure) {
    case CostFigure::kCollectionShare:
      return "share of time in collections";
    case CostFigure::kBytesCopied:
      return "bytes copied for a byte allocated";
    case CostFigure::kProcessorTime:
      break;
  }
  return "processor time for a byte allocated, ns";
}

TrialStretch stretch_between(const ProgramCounters& from, const ProgramCounters& to,
                             CostFigure figure) {
  const std::uint64_t allocated = to.bytes_allocated - from.bytes_allocated;
  const double time = ratio(to.processor_ns - from.processor_ns, allocated);
  switch (figure) {
    case CostFigure::kCollectionShare:
      return {.cost = ratio(to.paused_ns - from.paused_ns, to.now_ns - from.now_ns), .time = time};
    case CostFigure::kBytesCopied:
      return {.cost = ratio(to.bytes_copied - from.bytes_copied, allocated), .time = time};
    case CostFigure::kProcessorTime:
      break;
  }
  return {.cost = time, .time = time};
}

}  // namespace tenure
