#include "core/tune/recommend.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "core/tune/figures_text.hpp"

namespace tenure {

namespace {

// Less is not worth a trial: of time in collections, and of bytes copied for a byte allocated.
constexpr double kWorthwhileShare = 0.01;
constexpr double kWorthwhileCopies = 0.01;

std::string bytes_text(double bytes) {
  return to_string(Bytes{static_cast<std::uint64_t>(std::max(bytes, 0.0))});
}

OptimizationRecommendation recommendation(std::string_view strategy, double value) {
  const StrategyRow& row = *find_strategy(strategy);
  OptimizationRecommendation made;
  made.strategy = describe_strategy(row);
  made.parameters.emplace(row.parameter, value);
  return made;
}

struct Rates {
  explicit Rates(const LoadFigures& load) {
    share = stretch_between(load.began, load.ended, CostFigure::kCollectionShare).cost;
    copies = stretch_between(load.began, load.ended, CostFigure::kBytesCopied).cost;
    const auto copied = static_cast<double>(load.ended.bytes_copied - load.began.bytes_copied);
    const auto promoted =
        static_cast<double>(load.ended.bytes_promoted - load.began.bytes_promoted);
    promoted_part = copied > 0 ? promoted / copied : 0;
  }
  double share = 0;
  double copies = 0;
  double promoted_part = 0;  // of what was copied
};

// Twice the nursery halves the collections. What survives one because it was young at the wrong moment is
// as much as before; what lives on is copied either way.
std::optional<OptimizationRecommendation> tune_generations(const LoadFigures& load,
                                                           const Rates& rates) {
  constexpr double kInUse =
      0.9;  // else the pause target is what holds it, and more would not be used
  const double wanted = 2 * load.nursery;
  if (load.nursery == 0 || rates.share < kWorthwhileShare || wanted > load.nursery_most ||
      load.nursery_in_use < kInUse * load.nursery) {
    return std::nullopt;
  }
  // Each promoted byte was copied once for every age it had; 1 says that all that survived stayed.
  const double stays = std::min(1.0, rates.promoted_part);
  OptimizationRecommendation made = recommendation("Generation Tuning", wanted);
  made.estimated_improvement = 0.5 * (1 - stays);
  made.confidence = 1 - 0.6 * stays;
  made.reasoning = percent_text(rates.share) + " of time went into collections of a nursery of " +
                   bytes_text(load.nursery) + "; " + number_text(rates.copies) +
                   " bytes were copied for each allocated, and " +
                   percent_text(rates.promoted_part) + " of them promoted";
  return made;
}

std::optional<OptimizationRecommendation> collect_at_boundaries(const LoadFigures& load,
                                                                const Rates& rates) {
  constexpr std::uint64_t kEnoughBatches = 8;
  constexpr double kLargestBatch =
      0.9;  // of the nursery; a larger one is collected in its midst anyway
  if (load.collects_at_boundaries || load.batches < kEnoughBatches ||
      rates.copies < kWorthwhileCopies || load.batch_bytes == 0 ||
      load.batch_bytes > kLargestBatch * load.nursery_in_use) {
    return std::nullopt;
  }
  OptimizationRecommendation made = recommendation("Batch Collection", 1);
  made.confidence = std::clamp(1 - load.batch_unevenness, 0.0, 1.0);
  made.estimated_improvement =
      1 - std::min(1.0, rates.promoted_part);  // what lives on is copied anyway
  made.reasoning = std::to_string(load.batches) + " batches of " + bytes_text(load.batch_bytes) +
                   " each, give or take " + percent_text(load.batch_unevenness) +
                   ", in a nursery of " + bytes_text(load.nursery_in_use) + "; " +
                   number_text(rates.copies) + " bytes were copied for each allocated";
  return made;
}

std::optional<OptimizationRecommendation> move_large_objects(const LoadFigures& load,
                                                             const Rates& rates) {
  if (rates.copies < kWorthwhileCopies) {
    return std::nullopt;
  }
  const Knee knee = find_knee(load.size_histogram, load.large_object_least, load.large_object);
  if (knee.size == 0) {
    return std::nullopt;
  }
  OptimizationRecommendation made = recommendation("Large Object Heap", knee.size);
  made.confidence = knee.share_of_bytes - knee.share_of_objects;
  made.estimated_improvement = knee.share_of_bytes;
  made.reasoning = percent_text(knee.share_of_objects) + " of the objects below " +
                   bytes_text(load.large_object) + " have " + percent_text(knee.share_of_bytes) +
                   " of their bytes, and at least " + bytes_text(knee.size) + " each; " +
                   number_text(rates.copies) + " bytes were copied for each allocated";
  return made;
}

// What is used together lies apart. What the program would gain is not predicted: that goes with how it walks.
std::optional<OptimizationRecommendation> lay_children_beside_parents(const LoadFigures& load,
                                                                      const Rates& rates) {
  constexpr double kEnoughAccesses = 1'024;
  if (load.copies_ahead <= 1 || load.accesses < kEnoughAccesses ||
      rates.copies < kWorthwhileCopies) {
    return std::nullopt;
  }
  OptimizationRecommendation made = recommendation("Cache-Friendly Layout", 1);
  made.confidence = 1 - load.accesses_beside;
  made.reasoning = "of " + number_text(load.accesses) + " uses " +
                   percent_text(load.accesses_beside) + " were near the last ones; " +
                   number_text(rates.copies) + " bytes were copied for each allocated";
  return made;
}

}  // namespace

Knee find_knee(const std::array<double, AllocationPatterns::kBins>& histogram, double least,
               double most) {
  constexpr double kFirstBin = 16;       // bytes, the upper end of it
  constexpr double kMiddleOfBin = 0.75;  // of its upper end
  double objects = 0;
  double bytes = 0;
  double upper = kFirstBin;
  for (const double count : histogram) {
    if (upper <= most) {
      objects += count;
      bytes += count * kMiddleOfBin * upper;
    }
    upper *= 2;
  }
  Knee knee;
  double above = 0;
  double bytes_above = 0;
  double distance = 0;
  for (std::size_t bin = histogram.size(); bin-- > 0;) {
    upper /= 2;
    if (upper > most) {
      continue;
    }
    above += histogram[bin];
    bytes_above += histogram[bin] * kMiddleOfBin * upper;
    const double lower = upper / 2;
    if (lower < least || bytes == 0 || histogram[bin] == 0) {
      continue;
    }
    const double now = bytes_above / bytes - above / objects;
    if (now > distance) {
      distance = now;
      knee = {lower, bytes_above / bytes, above / objects};
    }
  }
  return knee;
}

std::vector<OptimizationRecommendation> recommend(const LoadFigures& load,
                                                  const OptimizationParameters& parameters) {
  constexpr std::uint64_t kEnoughCollections = 16;
  std::vector<OptimizationRecommendation> all;
  if (load.ended.collections - load.began.collections < kEnoughCollections) {
    return all;
  }
  const Rates rates(load);
  for (auto& made :
       {move_large_objects(load, rates), tune_generations(load, rates),
        collect_at_boundaries(load, rates), lay_children_beside_parents(load, rates)}) {
    if (made && made->confidence >= parameters.min_confidence) {
      all.push_back(*made);
    }
  }
  std::ranges::stable_sort(all, std::greater{}, [](const OptimizationRecommendation& of) {
    return std::pair(of.strategy.priority, of.confidence * of.estimated_improvement);
  });
  all.resize(std::min<std::size_t>(all.size(), parameters.max_optimizations_per_cycle));
  return all;
}

}  // namespace tenure
