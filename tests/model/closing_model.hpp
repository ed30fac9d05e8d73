// A model of the end of a pool beside holders who hand blocks back, small enough to look at every order
// of its steps. It follows the code step by step where threads can meet:
//
//   holder  core/payload/lease.cpp: hand_back, hand_back_rare
//   list    core/payload/remote_free_list.hpp: announce, link, take_all
//   pool    core/payload/pool.cpp: close, make_inert; at last the pool's own destructor
//
// Two holders with a block each, and the pool's thread. The store of a block's state waits in its
// thread's buffer, as on x86, until it leaves it at any time, or the locked instruction that puts the
// block in the list waits for it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tenure::model {

/// A step that the code takes and the model leaves out, to see that it is needed.
enum class Left : std::uint8_t {
  kNothing,
  kLook,          // a holder does not look whether the pool closed
  kLookLast,      // or looks before its block is in the list
  kRestore,       // who finds its block inert does not say so again
  kSkip,          // the pool takes inert blocks back
  kLink,          // the pool takes blocks whose link is not known
  kHoldersFirst,  // the pool counts holders when it has seen which blocks are inert
  kFlagFirst,     // the pool says that it closed when it has seen them
};

struct ClosingModel {
  static constexpr std::size_t kHolders = 2;

  enum class Block : std::uint8_t { kLeased, kReturned, kInert, kFree };
  enum class At : std::uint8_t {  // where a holder stands
    kBegins,
    kStores,     // its block was leased
    kBuffered,   // the store waits
    kAnnounces,  // the block is marked returned
    kLooks,
    kLinks,
    kExchanges,  // the rare way
    kRestores,
    kLetsGo,
    kDone,
  };
  enum class Pool : std::uint8_t {
    kCounts,
    kCloses,
    kDrains,
    kScans,
    kSettles,
    kDrainsLate,
    kEnds,
    kDone
  };

  struct Holder {
    At at = At::kBegins;
    Block block = Block::kLeased;
    std::uint8_t looks = 1;  // on this way it does
    std::uint8_t saw = 0;    // that the pool closed
    std::uint8_t listed = 0;
    std::uint8_t linked = 0;
  };
  struct State {
    std::array<Holder, kHolders> holders{};
    Pool pool = Pool::kCounts;
    std::uint8_t closed = 0;
    std::uint8_t live = kHolders;  // blocks that did not come back
    std::uint8_t inert = 0;        // of the scan under way
    std::uint8_t next = 0;         // block of the scan
    std::uint8_t references = 1;   // to what outlives the pool
    std::uint8_t gone = 0;         // it does no more
    std::uint8_t touched = 0;      // after that
    std::uint8_t twice = 0;        // a block came back that was none of the live ones
  };

  Left left = Left::kNothing;
  std::size_t rare = 0;  // holders that go the rare way from the first

  [[nodiscard]] std::vector<State> initial() const;
  template <class Visit>
  void for_each_step(const State& state, Visit visit) const;
  [[nodiscard]] const char* fault(const State& state) const;
  [[nodiscard]] bool is_end(const State& state) const;

 private:
  static constexpr std::uint8_t kOut = kHolders;

  static void let_go(State& state) {
    if (--state.references == 0) state.gone = 1;
  }
  void drain(State& state) const;
  void scan(State& state) const;
  void step_of_holder(State& state, std::size_t number) const;
  [[nodiscard]] const char* step_of_pool(State& state) const;
  [[nodiscard]] static std::uint8_t not_inert(const State& state);
};

inline std::vector<ClosingModel::State> ClosingModel::initial() const {
  State state;
  for (std::size_t k = 0; k < rare; ++k) {
    state.holders[k].at = At::kExchanges;
  }
  return {state};
}

template <class Visit>
void ClosingModel::for_each_step(const State& state, Visit visit) const {
  static constexpr std::array<const char*, kHolders> kNames = {"the first holder goes on",
                                                               "the second holder goes on"};
  for (std::size_t k = 0; k < kHolders; ++k) {
    if (state.holders[k].at == At::kDone) continue;
    State next = state;
    step_of_holder(next, k);
    visit(kNames[k], next);
  }
  if (state.pool != Pool::kDone) {
    State next = state;
    const char* const what = step_of_pool(next);
    visit(what, next);
  }
}

}  // namespace tenure::model
