// The steps of the marking model, each as the code takes it. Included by marking_model.hpp alone.
#pragma once

#include "tests/model/marking_model.hpp"

namespace tenure::model {

template <class Visit>
void MarkingModel::for_each_step(const State& state, Visit add) const {
  const auto visit = [&add](const char* what, State next) {
    settle(next);
    add(what, next);
  };
  if (is_end(state)) {
    return;
  }
  for (std::uint32_t mutator = 0; mutator < kMutators; ++mutator) {
    for_each_step_of(state, mutator, visit);
    if (!is_flushed(state, mutator)) {
      State next = state;
      auto& buffer = next.mutators[mutator].buffer;
      const std::uint32_t oldest = buffer[0] - 1u;
      std::copy(buffer.begin() + 1, buffer.end(), buffer.begin());
      buffer.back() = 0;
      land(next, mutator, oldest / (kNull + 1), static_cast<std::uint8_t>(oldest % (kNull + 1)));
      visit("a buffered store lands", next);
    }
  }
  for_each_step_of_marker(state, visit);
}

template <class Visit>
void MarkingModel::for_each_step_of(const State& state, std::uint32_t mutator, Visit visit) const {
  State next = state;
  Mutator& self = next.mutators[mutator];
  const bool may_lock = state.locked == 0 && is_flushed(state, mutator);
  switch (self.at) {
    case At::kRuns:
      for_each_operation(state, mutator, visit);
      break;
    case At::kReadsCard:
      self.at = load(state, mutator, kFirstCard + self.card) != 0 ? At::kRuns : At::kLogs;
      visit("mutator: reads the card byte", next);
      break;
    case At::kLogs:
      self.at = At::kRuns;
      if (removed == Removed::kCardRecord) {
        visit("mutator: logs nothing", next);
      } else if (store(next, mutator, kFirstCard + self.card, 1)) {
        self.log |= static_cast<std::uint8_t>(1u << self.card);
        visit("mutator: logs the card", next);
      }
      break;
    case At::kStops:
      if (state.wanted == 0) {
        self.at = At::kOpens;
        visit("mutator: finds the flag down", next);
      } else if (may_lock || (removed == Removed::kParkingFence && state.locked == 0)) {
        self.at = At::kParked;
        visit("mutator: parks", next);
      }
      break;
    case At::kParked:
      if (state.wanted == 0 && state.locked == 0) {
        self.at = At::kOpens;
        visit("mutator: is let go", next);
      }
      break;
    case At::kOpens:
      if (removed == Removed::kOpeningFence) {
        self.at = At::kReadsAgain;
        if (store(next, mutator, kLimit, 1)) {
          visit("mutator: opens its limit, buffered", next);
        }
      } else if (removed == Removed::kLimitFirst) {
        self.at = state.wanted != 0 ? At::kStops : At::kReadsAgain;
        visit("mutator: reads the flag too early", next);
      } else if (is_flushed(state, mutator)) {
        self.limit_open = 1;
        self.at = At::kReadsAgain;
        visit("mutator: opens its limit", next);
      }
      break;
    case At::kReadsAgain:
      self.at = At::kRuns;
      if (removed == Removed::kLimitFirst) {
        self.limit_open = 1;
        visit("mutator: opens its limit too late", next);
      } else if (state.wanted == 0) {
        visit("mutator: reads the flag again", next);
      } else if (is_flushed(state, mutator)) {
        self.limit_open = 0;
        visit("mutator: reads the flag again and closes its limit", next);
      }
      break;
    case At::kAway:
      if (state.locked == 0 && (state.wanted == 0 || removed == Removed::kWaitOnReturn)) {
        self.at = At::kRuns;
        visit("mutator: comes back", next);
      }
      break;
  }
}

// What a program may do between two safepoints, and how it comes to one.
template <class Visit>
void MarkingModel::for_each_operation(const State& state, std::uint32_t mutator,
                                      Visit visit) const {
  const Mutator& self = state.mutators[mutator];
  const auto change = [&](const char* what, auto edit) {
    State next = state;
    edit(next.mutators[mutator]);
    visit(what, next);
  };
  change("mutator: drops what it holds", [](Mutator& to) { to.held = kNull; });
  for (std::uint8_t object = 0; object < kObjects; ++object) {
    if (object != 0 && object != self.held) {
      continue;  // it can name the root and what it holds
    }
    for (std::uint32_t slot = first_slot(object); slot < end_slot(object); ++slot) {
      const std::uint8_t value = load(state, mutator, slot);
      change("mutator: loads a slot", [value](Mutator& to) { to.held = value; });
      for (const std::uint8_t stored : {self.held, kNull}) {
        State next = state;
        Mutator& to = next.mutators[mutator];
        if (self.stores_left > 0 && store(next, mutator, slot, stored)) {
          --to.stores_left;
          to.card = object;
          to.at = At::kReadsCard;
          visit(
              stored == kNull ? "mutator: stores null in a slot" : "mutator: stores what it holds",
              next);
        }
      }
    }
  }
  change(load(state, mutator, kLimit) == 0 ? "mutator: finds its limit closed"
                                           : "mutator: has used its buffer up",
         [](Mutator& to) { to.at = At::kStops; });
  if (state.locked == 0 && is_flushed(state, mutator)) {
    change("mutator: goes away", [](Mutator& to) { to.at = At::kAway; });
  }
}

template <class Visit>
void MarkingModel::for_each_step_of_marker(const State& state, Visit visit) const {
  State next = state;
  switch (state.marker) {
    case Marker::kPicks: {
      for (std::uint32_t object = 0; object < kObjects; ++object) {
        const auto bit = static_cast<std::uint8_t>(1u << object);
        // A card is read once no object waits; an object that is not marked yet is passed over.
        const bool from_queue = (state.queue & bit) != 0;
        const bool from_cards = state.queue == 0 && (state.rescan & bit) != 0;
        if (!from_queue && !from_cards) {
          continue;
        }
        next = state;
        (from_queue ? next.queue : next.rescan) &= static_cast<std::uint8_t>(~bit);
        if ((state.marks & bit) != 0) {
          next.marker = Marker::kReads;
          next.next = static_cast<std::uint8_t>(first_slot(object));
          next.until = static_cast<std::uint8_t>(end_slot(object));
        }
        visit(from_queue ? "marker: takes an object" : "marker: takes a card", next);
      }
      if (removed == Removed::kDrainsInStops) {
        next = state;
        drain(next);
        visit("marker: drains beside mutators", next);
      }
      next = state;
      next.marker = removed == Removed::kFlagFirst ? Marker::kCloses : Marker::kRaises;
      next.locked = 1;
      if (state.stops_left > 0) {
        --next.stops_left;
        visit("marker: wants a drain", next);
      }
      next.last_stop = 1;
      next.stops_left = 0;
      visit("marker: wants to end", next);
      break;
    }
    case Marker::kReads:
      ++next.next;
      next.marker = next.next < state.until ? Marker::kReads : Marker::kPicks;
      reach(next, state.slots[state.next]);
      visit("marker: reads a slot and marks what it names", next);
      break;
    default:
      step_of_stopper(state, visit);
  }
}

template <class Visit>
void MarkingModel::step_of_stopper(const State& state, Visit visit) const {
  State next = state;
  const bool limits_first = removed == Removed::kFlagFirst;
  const auto is_running = [](const Mutator& mutator) {
    return mutator.at != At::kParked && mutator.at != At::kAway;
  };
  switch (state.marker) {
    case Marker::kRaises:
      next.wanted = 1;
      next.marker = limits_first ? Marker::kWaits : Marker::kCloses;
      next.locked = limits_first ? 0 : 1;
      visit("stopper: raises the flag", next);
      break;
    case Marker::kCloses:
      for (Mutator& mutator : next.mutators) {
        mutator.limit_open = 0;
      }
      next.marker = limits_first ? Marker::kRaises : Marker::kWaits;
      next.locked = limits_first ? 1 : 0;
      visit("stopper: closes the limits", next);
      break;
    case Marker::kWaits:
      if (std::none_of(state.mutators.begin(), state.mutators.end(), is_running) ||
          removed == Removed::kWaitForMutators) {
        next.marker = Marker::kDrains;
        visit("stopper: finds that nobody runs", next);
      }
      break;
    case Marker::kDrains:
      drain(next);
      if (state.last_stop != 0) {
        end_marking(next);
        next.marker = Marker::kEnded;
        visit("stopper: drains and ends the marking", next);
      } else {
        next.marker = Marker::kGoes;
        visit("stopper: drains", next);
      }
      break;
    case Marker::kGoes:
      next.wanted = 0;
      next.marker = Marker::kPicks;
      visit("stopper: lets all go", next);
      break;
    default:
      break;
  }
}

}  // namespace tenure::model
