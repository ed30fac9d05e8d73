#include "tests/model/marking_model.hpp"

#include <cstring>
#include <utility>

namespace tenure::model {

std::vector<MarkingModel::State> MarkingModel::initial() const {
  // A chain: all that a marking can lose is at its end, and stores make other graphs of it.
  State state;
  state.slots = {1, kNull, 2, kNull};
  for (std::uint32_t mutator = 0; mutator < kMutators; ++mutator) {
    state.mutators[mutator].stores_left = stores[mutator];
  }
  state.stops_left = stops;
  reach(state, 0);
  return {state};
}

const char* MarkingModel::fault(const State& state) const {
  const bool stopped = state.marker == Marker::kDrains || state.marker == Marker::kGoes ||
                       (state.marker == Marker::kEnded);
  for (std::uint32_t mutator = 0; mutator < kMutators; ++mutator) {
    const Mutator& self = state.mutators[mutator];
    if (stopped && self.at != At::kParked && self.at != At::kAway) {
      return "a mutator runs in a stop";
    }
    const bool is_in_program =
        self.at == At::kRuns || self.at == At::kReadsCard || self.at == At::kLogs;
    if (state.marker == Marker::kWaits && is_in_program && load(state, mutator, kLimit) != 0) {
      return "a mutator does not know that it is to stop";
    }
  }
  return state.lost != 0 ? "a reachable object is not marked" : nullptr;
}

// A thread reads what it wrote last, landed or not.
std::uint8_t MarkingModel::load(const State& state, std::uint32_t mutator, std::uint32_t place) {
  const Mutator& self = state.mutators[mutator];
  for (std::size_t k = kMostBuffered; k-- > 0;) {
    if (self.buffer[k] != 0 && (self.buffer[k] - 1u) / (kNull + 1) == place) {
      return static_cast<std::uint8_t>((self.buffer[k] - 1u) % (kNull + 1));
    }
  }
  if (place == kLimit) {
    return self.limit_open;
  }
  if (place < kFirstCard) {
    return state.slots[place];
  }
  return static_cast<std::uint8_t>(state.card_bytes >> (place - kFirstCard) & 1);
}

void MarkingModel::land(State& state, std::uint32_t mutator, std::uint32_t place,
                        std::uint8_t value) {
  if (place == kLimit) {
    state.mutators[mutator].limit_open = value;
  } else if (place < kFirstCard) {
    state.slots[place] = value;
  } else {
    state.card_bytes |= static_cast<std::uint8_t>(value << (place - kFirstCard));
  }
}

// False where the buffer is full: one of its stores has to land first.
bool MarkingModel::store(State& state, std::uint32_t mutator, std::uint32_t place,
                         std::uint8_t value) const {
  if (buffered == 0) {
    land(state, mutator, place, value);
    return true;
  }
  auto& buffer = state.mutators[mutator].buffer;
  for (std::uint32_t k = 0; k < buffered; ++k) {
    if (buffer[k] == 0) {
      buffer[k] = static_cast<std::uint8_t>(1 + place * (kNull + 1) + value);
      return true;
    }
  }
  return false;
}

// Marks an object, and has it read.
void MarkingModel::reach(State& state, std::uint8_t object) {
  const auto bit = static_cast<std::uint8_t>(object == kNull ? 0 : 1u << object);
  state.queue |= static_cast<std::uint8_t>(bit & ~state.marks);
  state.marks |= bit;
}

void MarkingModel::settle(State& state) {
  if (std::memcmp(&state.mutators[0], &state.mutators[1], sizeof(Mutator)) > 0) {
    std::swap(state.mutators[0], state.mutators[1]);
  }
}

std::uint8_t MarkingModel::reachable(const State& state) {
  State whole = state;
  whole.marks = 0;
  whole.queue = 0;
  reach(whole, 0);
  for (const Mutator& mutator : state.mutators) {
    reach(whole, mutator.held);
  }
  while (whole.queue != 0) {
    const auto object = static_cast<std::uint32_t>(__builtin_ctz(whole.queue));
    whole.queue &= static_cast<std::uint8_t>(whole.queue - 1);
    for (std::uint32_t slot = first_slot(object); slot < end_slot(object); ++slot) {
      reach(whole, whole.slots[slot]);
    }
  }
  return whole.marks;
}

void MarkingModel::drain(State& state) {
  for (Mutator& mutator : state.mutators) {
    state.card_bytes &= static_cast<std::uint8_t>(~mutator.log);
    state.rescan |= mutator.log;
    mutator.log = 0;
  }
}

// What the last stop does once logs are drained. Nobody else moves, so that it is one step.
void MarkingModel::end_marking(State& state) const {
  if (removed != Removed::kLastRoots) {
    for (const Mutator& mutator : state.mutators) {
      reach(state, mutator.held);
    }
  }
  if (removed != Removed::kRescan) {
    state.queue |= static_cast<std::uint8_t>(state.rescan & state.marks);
  }
  state.rescan = 0;
  while (state.queue != 0) {
    const auto object = static_cast<std::uint32_t>(__builtin_ctz(state.queue));
    state.queue &= static_cast<std::uint8_t>(state.queue - 1);
    for (std::uint32_t slot = first_slot(object); slot < end_slot(object); ++slot) {
      reach(state, state.slots[slot]);
    }
  }
  // Stores that have not landed are the program's all the same: they land before it is judged.
  State landed = state;
  for (std::uint32_t mutator = 0; mutator < kMutators; ++mutator) {
    for (const std::uint8_t entry : landed.mutators[mutator].buffer) {
      if (entry != 0) {
        land(landed, mutator, (entry - 1u) / (kNull + 1),
             static_cast<std::uint8_t>((entry - 1u) % (kNull + 1)));
      }
    }
  }
  state.lost = static_cast<std::uint8_t>(reachable(landed) & ~state.marks);
}

}  // namespace tenure::model
