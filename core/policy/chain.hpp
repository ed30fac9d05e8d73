// Stretches of a modelled device's addresses, each linked with its neighbours.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

namespace tenure {

enum class StretchState : std::uint8_t { kUsed, kFree, kUnmapped };

struct Stretch {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  Stretch* before = nullptr;  // null at the ends of its segment
  Stretch* after = nullptr;
  StretchState state = StretchState::kFree;

  [[nodiscard]] bool is(StretchState wanted) const { return state == wanted; }
};

/// Smallest first; of equals the lowest.
struct BySize {
  bool operator()(const Stretch* a, const Stretch* b) const {
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->address < b->address;
  }
};
struct ByAddress {
  bool operator()(const Stretch* a, const Stretch* b) const { return a->address < b->address; }
};

/// Makes, cuts and joins stretches. Which of them are listed as free its users see to.
class Chain {
 public:
  [[nodiscard]] Stretch* make(std::uint64_t address, std::uint64_t bytes, StretchState state) {
    Stretch* stretch = nullptr;
    if (spare_.empty()) {
      stretch = &all_.emplace_back();
    } else {
      stretch = spare_.back();
      spare_.pop_back();
    }
    *stretch = {.address = address, .bytes = bytes, .state = state};
    return stretch;
  }
  void drop(Stretch* stretch) { spare_.push_back(stretch); }

  /// Cuts what lies above `lower` bytes off; gives that, in the same state.
  Stretch* split(Stretch* stretch, std::uint64_t lower) {
    Stretch* const upper = make(stretch->address + lower, stretch->bytes - lower, stretch->state);
    upper->before = stretch;
    upper->after = stretch->after;
    if (upper->after != nullptr) {
      upper->after->before = upper;
    }
    stretch->after = upper;
    stretch->bytes = lower;
    return upper;
  }
  /// Makes a stretch swallow the one after it.
  void join_with_after(Stretch* stretch) {
    Stretch* const swallowed = stretch->after;
    stretch->bytes += swallowed->bytes;
    stretch->after = swallowed->after;
    if (stretch->after != nullptr) {
      stretch->after->before = stretch;
    }
    drop(swallowed);
  }

 private:
  std::deque<Stretch> all_;
  std::vector<Stretch*> spare_;
};

}  // namespace tenure
