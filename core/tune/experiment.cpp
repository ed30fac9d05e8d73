#include "core/tune/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenure {

namespace {

double median_of(std::vector<double> figures) {
  if (figures.empty()) {
    return 0;
  }
  const auto middle = figures.begin() + static_cast<std::ptrdiff_t>(figures.size() / 2);
  std::nth_element(figures.begin(), middle, figures.end());
  if (figures.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(figures.begin(), middle)) / 2;
}

Estimate mean_of(const std::vector<double>& figures) {
  if (figures.size() < 2) {
    return {};
  }
  const auto count = static_cast<double>(figures.size());
  const double mean = std::accumulate(figures.begin(), figures.end(), 0.0) / count;
  double squares = 0;
  for (const double figure : figures) {
    squares += (figure - mean) * (figure - mean);
  }
  return {mean, std::sqrt(squares / (count - 1) / count)};
}

// As part of `whole`; of nothing, nothing.
Estimate share_of(const Estimate& part, double whole) {
  return whole > 0 ? Estimate{part.middle / whole, part.error / whole} : Estimate{};
}

}  // namespace

Estimate estimate(std::vector<double> figures) {
  // A median absolute deviation times this is the deviation of a normal distribution; the median of so
  // many is off by so much more than their mean would be.
  constexpr double kDeviation = 1.4826;
  constexpr double kOfMedian = 1.2533;
  Estimate estimate;
  if (figures.empty()) {
    return estimate;
  }
  const auto count = static_cast<double>(figures.size());
  estimate.middle = median_of(figures);
  for (double& figure : figures) {
    figure = std::abs(figure - estimate.middle);
  }
  estimate.error = kOfMedian * kDeviation * median_of(std::move(figures)) / std::sqrt(count);
  return estimate;
}

double Experiment::median_cost(bool with) const {
  std::vector<double> costs;
  for (std::size_t k = 0; k < 2 * pairs(); ++k) {
    const bool was_with = k % 4 == 1 || k % 4 == 2;
    if (was_with == with) {
      costs.push_back(stretches_[k].cost);
    }
  }
  return median_of(std::move(costs));
}

// With less without, pair by pair.
std::vector<double> Experiment::differences(double TrialStretch::*figure) const {
  std::vector<double> differences;
  for (std::size_t pair = 0; pair < pairs(); ++pair) {
    const double first = stretches_[2 * pair].*figure;
    const double second = stretches_[2 * pair + 1].*figure;
    differences.push_back(pair % 2 == 0 ? second - first : first - second);
  }
  return differences;
}

Estimate Experiment::gain() const {
  const Estimate worse = estimate(differences(&TrialStretch::cost));
  return share_of({-worse.middle, worse.error}, cost_without());
}

Estimate Experiment::slowdown() const {
  std::vector<double> times;
  for (const TrialStretch& stretch : stretches_) {
    times.push_back(stretch.time);
  }
  const double usual = median_of(std::move(times));
  return share_of(mean_of(differences(&TrialStretch::time)), usual);
}

ExperimentVerdict Experiment::verdict() const {
  if (stretches_.size() % 2 != 0 || pairs() < kLeastPairs) {
    return ExperimentVerdict::kOpen;
  }
  const auto is_beyond = [](const Estimate& of, double least, double errors) {
    return of.middle >= least && of.middle > errors * of.error;
  };
  const Estimate gained = gain();
  const Estimate slower = slowdown();
  if (is_beyond(slower, kLeastSlowdown, kBeyondNoise)) {
    return ExperimentVerdict::kSlows;
  }
  if (is_beyond({-gained.middle, gained.error}, kLeastGain, kBeyondNoise)) {
    return ExperimentVerdict::kCosts;
  }
  const bool gains = is_beyond(gained, kLeastGain, kBeyondNoise);
  if (pairs() < kMostPairs) {
    const bool is_no_slower = slower.middle + slower.error <= kTolerance;
    return gains && is_no_slower ? ExperimentVerdict::kPays : ExperimentVerdict::kOpen;
  }
  if (!gains) {
    return ExperimentVerdict::kGainsNone;
  }
  return is_beyond(slower, kLeastSlowdown, kSuspicious) ? ExperimentVerdict::kSlows
                                                        : ExperimentVerdict::kPays;
}

}  // namespace tenure
