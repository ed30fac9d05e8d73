// A model of a marking beside mutators, small enough to look at every order of its steps: the
// barrier, the card log and its drain, the safepoint, and how the marking ends. It follows the code
// step by step where threads can meet:
//
//   barrier    include/tenure/detail/fast_path.hpp: store the slot; read the card byte; log
//   safepoint  core/runtime/safepoint.cpp and allocate.cpp: flag, then limits; limit, then flag
//   drain      core/runtime/conductor.cpp, in a stop: card bytes cleared, cards to be read again
//   marking    core/gc/cycle.cpp: objects; cards; then, in a stop, roots and cards and the rest
//
// Two mutators with one register each, one marker who also stops the world, three objects: the
// first, always rooted, has two slots, the others have one, and each lies on a card of its own. All
// are of the oldest generation. The marking has just begun, on a chain of the three.
//
// Stores go through a store buffer, as on x86: its own thread reads them at once, others when they
// have left it, in order, at any time. A store that is seq_cst, and a mutex, wait until it is empty.
// How many stores each mutator makes, and how many stops come before the last, is bounded; loads and
// polls are not.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace tenure::model {

/// A step that the code takes and the model leaves out, to see that it is needed.
enum class Removed : std::uint8_t {
  kNothing,
  kCardRecord,       // the barrier logs no card
  kRescan,           // the last stop does not read the cards again
  kLastRoots,        // the last stop does not read the roots again
  kDrainsInStops,    // the marker empties logs while mutators run
  kFlagFirst,        // the stopper closes the limits, and then raises the flag
  kLimitFirst,       // a mutator reads the flag, and then opens its limit
  kOpeningFence,     // a mutator's opening store may wait in its buffer
  kParkingFence,     // a mutator's stores may wait in its buffer while it is parked
  kWaitForMutators,  // the stopper goes on before all stand still
  kWaitOnReturn,     // a mutator that was away comes back in a stop
};

struct MarkingModel {
  static constexpr std::uint32_t kMutators = 2;
  static constexpr std::uint32_t kObjects = 3;
  static constexpr std::uint32_t kSlots = 4;
  static constexpr std::uint32_t kMostBuffered = 2;
  static constexpr std::uint8_t kNull = kObjects;

  enum class At : std::uint8_t {  // where a mutator stands
    kRuns,
    kReadsCard,  // the slot is stored
    kLogs,       // the card was clean
    kStops,      // its limit was closed: Safepoint::park
    kParked,
    kOpens,       // MutatorState::take_from_buffer
    kReadsAgain,  // the flag, once its limit is open
    kAway,
  };
  enum class Marker : std::uint8_t {
    kPicks,   // what to do next
    kReads,   // slot `next` of those of an object or a card
    kRaises,  // the flag: Safepoint::stop
    kCloses,  // the limits; which of them first, no mutator can tell
    kWaits,   // until nobody runs
    kDrains,  // in the stop
    kGoes,    // on: Safepoint::go
    kEnded,
  };

  struct Mutator {
    At at = At::kRuns;
    std::uint8_t held = kNull;  // its register: an object or null
    std::uint8_t card = 0;      // of the store under way
    std::uint8_t stores_left = 0;
    std::uint8_t limit_open = 1;                       // shared with the stopper
    std::uint8_t log = 0;                              // bits, one a card
    std::array<std::uint8_t, kMostBuffered> buffer{};  // the oldest first; 0: none
  };
  struct State {
    std::array<std::uint8_t, kSlots> slots{};
    std::array<Mutator, kMutators> mutators{};
    std::uint8_t card_bytes = 0;  // bits, one a card
    std::uint8_t rescan = 0;      // likewise
    std::uint8_t marks = 0;       // bits, one an object
    std::uint8_t queue = 0;       // marked and not read yet
    Marker marker = Marker::kPicks;
    std::uint8_t next = 0;   // slot to be read
    std::uint8_t until = 0;  // and the first that is not
    std::uint8_t stops_left = 0;
    std::uint8_t last_stop = 0;
    std::uint8_t wanted = 0;
    std::uint8_t locked = 0;  // the stopper holds the safepoint's mutex
    std::uint8_t lost = 0;    // bits: reachable and unmarked when the marking ended
  };

  Removed removed = Removed::kNothing;
  std::uint8_t buffered = kMostBuffered;  // stores that a buffer holds; 0: sequential consistency
  std::array<std::uint8_t, kMutators> stores{1, 1};  // that each mutator makes
  std::uint8_t stops = 0;                            // before the last

  [[nodiscard]] std::vector<State> initial() const;
  template <class Visit>
  void for_each_step(const State& state, Visit visit) const;
  [[nodiscard]] const char* fault(const State& state) const;
  [[nodiscard]] bool is_end(const State& state) const { return state.marker == Marker::kEnded; }

 private:
  // Where a store goes: a slot, a card byte, or the mutator's own limit.
  static constexpr std::uint32_t kFirstCard = kSlots;
  static constexpr std::uint32_t kLimit = kFirstCard + kObjects;

  static constexpr std::uint32_t first_slot(std::uint32_t object) {
    return object == 0 ? 0 : object + 1;
  }
  static constexpr std::uint32_t end_slot(std::uint32_t object) { return object + 2; }

  static std::uint8_t load(const State& state, std::uint32_t mutator, std::uint32_t place);
  static void land(State& state, std::uint32_t mutator, std::uint32_t place, std::uint8_t value);
  bool store(State& state, std::uint32_t mutator, std::uint32_t place, std::uint8_t value) const;
  static bool is_flushed(const State& state, std::uint32_t mutator) {
    return state.mutators[mutator].buffer[0] == 0;
  }
  /// Mutators differ in nothing but their number: of two states that differ in that, one stands for
  /// both.
  static void settle(State& state);
  static std::uint8_t reachable(const State& state);
  static void reach(State& state, std::uint8_t object);
  void end_marking(State& state) const;
  static void drain(State& state);

  template <class Visit>
  void for_each_step_of(const State& state, std::uint32_t mutator, Visit visit) const;
  template <class Visit>
  void for_each_operation(const State& state, std::uint32_t mutator, Visit visit) const;
  template <class Visit>
  void for_each_step_of_marker(const State& state, Visit visit) const;
  template <class Visit>
  void step_of_stopper(const State& state, Visit visit) const;
};

}  // namespace tenure::model

#include "tests/model/marking_steps.hpp"
