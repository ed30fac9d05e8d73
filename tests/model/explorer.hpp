// Explores a model: all states that any order of its steps can reach, breadth first, so that the
// first fault found is one with the fewest steps to it.
//
// A model gives `initial()`, a list of states; `for_each_step(state, visit)`, which calls
// `visit(what, next)` for each step that may come next; and `fault(state)`, a sentence or null. A
// state without a step is a fault too, unless the model says `is_end(state)`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace tenure::model {

struct Exploration {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::string fault{};               // empty: no state has one
  std::vector<std::string> trace{};  // the steps that lead to it
};

/// The fault and the way to it, in words.
[[nodiscard]] inline std::string story(const Exploration& result) {
  std::string text = result.fault + ", after " + std::to_string(result.trace.size()) + " steps:\n";
  for (const std::string& step : result.trace) {
    text += "  " + step + "\n";
  }
  return text;
}

/// The states met, each once, by number.
template <class State>
class StateTable {
 public:
  static_assert(std::has_unique_object_representations_v<State>);

  struct Entry {
    State state;
    std::uint32_t from;  // the state that it was first reached from; itself for an initial one
    const char* step;
  };

  /// Adds a state unless it is there.
  void add(const State& state, std::uint32_t from, const char* step) {
    if (2 * entries_.size() >= places_.size()) {
      grow();
    }
    std::uint32_t& place = places_[find(state)];
    if (place == kFree) {
      place = static_cast<std::uint32_t>(entries_.size());
      entries_.push_back({state, from, step});
    }
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Entry& operator[](std::size_t number) const { return entries_[number]; }

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};

  static std::uint64_t hash(const State& state) {
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < sizeof(State); at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, reinterpret_cast<const unsigned char*>(&state) + at,
                  std::min(sizeof(word), sizeof(State) - at));
      sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
      sum ^= sum >> 29;
    }
    return sum;
  }
  // Where the state stands, or where it would.
  [[nodiscard]] std::size_t find(const State& state) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t at = hash(state) & mask;
    while (places_[at] != kFree &&
           std::memcmp(&entries_[places_[at]].state, &state, sizeof(State)) != 0) {
      at = (at + 1) & mask;
    }
    return at;
  }
  void grow() {
    places_.assign(std::max<std::size_t>(2 * places_.size(), 1024), kFree);
    for (std::size_t number = 0; number < entries_.size(); ++number) {
      places_[find(entries_[number].state)] = static_cast<std::uint32_t>(number);
    }
  }

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> places_;  // [a power of two]
};

/// Explores until a fault is found or every state was seen.
template <class Model>
[[nodiscard]] Exploration explore(const Model& model) {
  using State = typename Model::State;
  StateTable<State> table;
  for (const State& state : model.initial()) {
    table.add(state, static_cast<std::uint32_t>(table.size()), "");
  }
  Exploration result;
  for (std::uint32_t number = 0; number < table.size() && result.fault.empty(); ++number) {
    const State state = table[number].state;
    bool moves = false;
    const char* fault = model.fault(state);
    if (fault == nullptr) {
      model.for_each_step(state, [&](const char* what, const State& next) {
        moves = true;
        ++result.steps;
        table.add(next, number, what);
      });
      if (!moves && !model.is_end(state)) {
        fault = "nobody can go on";
      }
    }
    if (fault != nullptr) {
      result.fault = fault;
      for (std::uint32_t at = number; table[at].from != at; at = table[at].from) {
        result.trace.emplace_back(table[at].step);
      }
      std::reverse(result.trace.begin(), result.trace.end());
    }
  }
  result.states = table.size();
  return result;
}

}  // namespace tenure::model
