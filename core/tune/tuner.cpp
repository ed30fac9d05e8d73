#include "core/tune/tuner.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/check.hpp"
#include "core/tune/figures_text.hpp"

namespace tenure {

namespace {

bool is_over(const OptimizationTrial& trial) {
  return trial.state != TrialState::kWaiting && trial.state != TrialState::kRunning;
}

std::string_view reason_of(ExperimentVerdict verdict) {
  switch (verdict) {
    case ExperimentVerdict::kPays:
      return "kept: ";
    case ExperimentVerdict::kCosts:
      return "taken back, as it is worse: ";
    case ExperimentVerdict::kSlows:
      return "taken back, as the program is slower: ";
    case ExperimentVerdict::kOpen:
    case ExperimentVerdict::kGainsNone:
      break;
  }
  return "taken back, as no gain was beyond the noise: ";
}

std::string text_of(const OptimizationTrial& trial) {
  return trial.figure + " " + number_text(trial.without) + " without and " +
         number_text(trial.with) + " with it, in " + std::to_string(trial.pairs) + " pairs; gain " +
         percent_text(trial.gain) + ", give or take " + percent_text(trial.gain_error) +
         "; processor time for a byte " + (trial.slowdown < 0 ? "" : "+") +
         percent_text(trial.slowdown) + ", give or take " + percent_text(trial.slowdown_error);
}

}  // namespace

bool Tuner::has_waiting() const {
  return std::ranges::find(trials_, TrialState::kWaiting, &OptimizationTrial::state) !=
         trials_.end();
}

OptimizationTrial& Tuner::trial_of_running() {
  const auto found = std::ranges::find(trials_, TrialState::kRunning, &OptimizationTrial::state);
  check(found != trials_.end(), "the trial that runs is among all trials");
  return *found;
}

bool Tuner::propose(const Proposal& proposal) {
  const StrategyRow& strategy = *proposal.strategy;
  const bool is_under_way = std::ranges::any_of(trials_, [&](const OptimizationTrial& trial) {
    return trial.strategy == strategy.name && !is_over(trial);
  });
  if (is_under_way) {
    return false;
  }
  if (trials_.size() == kMostTrials) {
    const auto oldest = std::ranges::find_if(trials_, is_over);
    if (oldest != trials_.end()) {
      trials_.erase(oldest);
    }
  }
  trials_.push_back({.strategy = std::string(strategy.name),
                     .parameter = std::string(strategy.parameter),
                     .before = levers_.get(strategy.lever),
                     .after = proposal.value,
                     .figure = std::string(name_of(strategy.figure)),
                     .predicted = proposal.predicted,
                     .reasoning = proposal.reasoning,
                     .conclusion = {}});
  return true;
}

bool Tuner::may_retry(const Proposal& proposal, std::uint64_t collection) const {
  std::uint64_t patience = kPatience / 2;
  std::uint64_t ended = 0;
  for (const OptimizationTrial& trial : trials_) {
    if (trial.strategy != proposal.strategy->name || trial.after != proposal.value) {
      continue;
    }
    if (trial.state == TrialState::kRevoked) {
      return false;
    }
    if (trial.state == TrialState::kTakenBack) {
      patience *= 2;
      ended = trial.ended;
    }
  }
  return ended == 0 || collection >= ended + patience;
}

void Tuner::note(const ProgramCounters& now) {
  if (running_) {
    step(now);
  }
  if (!running_ && has_waiting()) {
    begin(now);
  }
}

void Tuner::begin(const ProgramCounters& now) {
  OptimizationTrial& trial =
      *std::ranges::find(trials_, TrialState::kWaiting, &OptimizationTrial::state);
  const StrategyRow* const strategy = find_strategy(trial.strategy);
  trial.before =
      levers_.get(strategy->lever);  // a trial that waited behind another of the same lever
  trial.state = TrialState::kRunning;
  trial.began = now.collections;
  double nursery = levers_.get(Lever::kNursery);
  if (strategy->lever == Lever::kNursery) {
    nursery = std::max(nursery, trial.after);
  }
  running_ = Running{.strategy = strategy,
                     .experiment = {},
                     .stretch_bytes = kStretchNurseries * nursery,
                     .settled_at = now.collections,
                     .began = {}};
  levers_.tell(strategy->lever, trial);
}

void Tuner::step(const ProgramCounters& now) {
  Running& running = *running_;
  if (!running.began) {
    if (now.collections >= running.settled_at) {
      running.began = now;
    }
    return;
  }
  const ProgramCounters& from = *running.began;
  if (static_cast<double>(now.bytes_allocated - from.bytes_allocated) < running.stretch_bytes) {
    return;
  }
  running.experiment.add(stretch_between(from, now, running.strategy->figure));
  write_figures(trial_of_running());
  const ExperimentVerdict verdict = running.experiment.verdict();
  if (verdict != ExperimentVerdict::kOpen) {
    end(verdict, now.collections);
    return;
  }
  change_side(now);
}

void Tuner::change_side(const ProgramCounters& now) {
  Running& running = *running_;
  if (running.experiment.is_with() == running.is_with) {
    running.began = now;
    return;
  }
  running.is_with = !running.is_with;
  const OptimizationTrial& trial = trial_of_running();
  levers_.set(running.strategy->lever, running.is_with ? trial.after : trial.before);
  running.began.reset();
  running.settled_at = now.collections + kSettling;
}

void Tuner::write_figures(OptimizationTrial& trial) const {
  const Experiment& experiment = running_->experiment;
  const Estimate gain = experiment.gain();
  const Estimate slowdown = experiment.slowdown();
  trial.pairs = experiment.pairs();
  trial.without = experiment.cost_without();
  trial.with = experiment.cost_with();
  trial.gain = gain.middle;
  trial.gain_error = gain.error;
  trial.slowdown = slowdown.middle;
  trial.slowdown_error = slowdown.error;
}

void Tuner::end(ExperimentVerdict verdict, std::uint64_t collection) {
  OptimizationTrial& trial = trial_of_running();
  const bool pays = verdict == ExperimentVerdict::kPays;
  const Lever lever = running_->strategy->lever;
  levers_.set(lever, pays ? trial.after : trial.before);
  trial.state = pays ? TrialState::kKept : TrialState::kTakenBack;
  trial.ended = collection;
  trial.conclusion = std::string(reason_of(verdict)) + text_of(trial);
  running_.reset();
  levers_.tell(lever, trial);
}

bool Tuner::revert(std::string_view strategy, std::uint64_t collection) {
  const auto last =
      std::find_if(trials_.rbegin(), trials_.rend(), [&](const OptimizationTrial& trial) {
        return trial.strategy == strategy && trial.state != TrialState::kTakenBack &&
               trial.state != TrialState::kRevoked;
      });
  if (last == trials_.rend()) {
    return false;
  }
  const Lever lever = find_strategy(strategy)->lever;
  const bool was_set = last->state != TrialState::kWaiting;
  if (last->state == TrialState::kRunning) {
    running_.reset();
  }
  if (was_set) {
    levers_.set(lever, last->before);
  }
  last->conclusion =
      "revoked " +
      std::string(last->state == TrialState::kKept ? "after it was kept" : "on trial") +
      (last->conclusion.empty() ? "" : "; was " + last->conclusion);
  last->state = TrialState::kRevoked;
  last->ended = collection;
  levers_.tell(lever, *last);
  return true;
}

void Tuner::forget() { std::erase_if(trials_, is_over); }

std::string_view to_string(TrialState state) {
  switch (state) {
    case TrialState::kWaiting:
      return "waiting";
    case TrialState::kRunning:
      return "running";
    case TrialState::kKept:
      return "kept";
    case TrialState::kTakenBack:
      return "taken back";
    case TrialState::kRevoked:
      break;
  }
  return "revoked";
}

std::string OptimizationReport::text() const {
  std::string text = std::string("automatic: ") + (auto_optimize ? "on" : "off") +
                     "\nleast confidence: " + number_text(min_confidence) +
                     "\nat most at a time: " + std::to_string(max_optimizations_per_cycle) + "\n";
  for (const OptimizationTrial& trial : trials) {
    text += trial.strategy + ", " + trial.parameter + " " + number_text(trial.before) + " to " +
            number_text(trial.after) + ": " + std::string(to_string(trial.state)) +
            "\n  why: " + trial.reasoning + " (predicted gain " + percent_text(trial.predicted) +
            ")\n";
    if (!trial.conclusion.empty()) {
      text += "  " + trial.conclusion + "\n";
    } else if (trial.pairs > 0) {
      text += "  so far: " + text_of(trial) + "\n";
    }
  }
  return text;
}

}  // namespace tenure
