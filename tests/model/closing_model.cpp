#include "tests/model/closing_model.hpp"

#include <algorithm>

namespace tenure::model {

void ClosingModel::step_of_holder(State& state, std::size_t number) const {
  Holder& holder = state.holders[number];
  state.touched |= state.gone;
  switch (holder.at) {
    case At::kBegins:
      holder.at = holder.block == Block::kLeased ? At::kStores : At::kExchanges;
      return;
    case At::kStores:
      holder.at = At::kBuffered;
      if (left == Left::kLookLast) holder.saw = state.closed;
      return;
    case At::kBuffered:
      holder.block = Block::kReturned;
      holder.at = At::kAnnounces;
      return;
    case At::kAnnounces:
      holder.listed = 1;
      holder.at = holder.looks != 0 && left != Left::kLook ? At::kLooks : At::kLinks;
      return;
    case At::kLooks:
      if (left != Left::kLookLast) holder.saw = state.closed;
      if (holder.saw != 0) holder.block = Block::kInert;
      holder.at = At::kLinks;
      return;
    case At::kLinks:
      holder.linked = 1;
      holder.at = holder.saw != 0 ? At::kLetsGo : At::kDone;
      return;
    case At::kExchanges:
      holder.looks = 0;
      holder.at = holder.block == Block::kLeased ? At::kAnnounces
                  : left == Left::kRestore       ? At::kLetsGo
                                                 : At::kRestores;
      holder.block = Block::kReturned;
      return;
    case At::kRestores:
      holder.block = Block::kInert;
      holder.at = At::kLetsGo;
      return;
    case At::kLetsGo:
      let_go(state);
      holder.at = At::kDone;
      return;
    case At::kDone:
      return;
  }
}

void ClosingModel::drain(State& state) const {
  for (Holder& holder : state.holders) {
    if (holder.listed == 0 || (holder.linked == 0 && left != Left::kLink)) {
      continue;
    }
    holder.listed = 0;
    if (holder.block == Block::kInert && left != Left::kSkip) {
      continue;
    }
    holder.block = Block::kFree;
    if (state.live == 0) {
      state.twice = 1;
    } else {
      --state.live;
    }
  }
}

void ClosingModel::scan(State& state) const {
  Holder& holder = state.holders[state.next++];
  if (holder.block == Block::kLeased) {
    holder.block = Block::kInert;
  }
  if (holder.block == Block::kInert) ++state.inert;
}

const char* ClosingModel::step_of_pool(State& state) const {
  state.touched |= state.gone;
  switch (state.pool) {
    case Pool::kCounts:
      if (left != Left::kHoldersFirst) state.references += kOut;
      state.pool = Pool::kCloses;
      return "the pool counts holders";
    case Pool::kCloses:
      if (left != Left::kFlagFirst) state.closed = 1;
      state.pool = Pool::kDrains;
      return "the pool closes";
    case Pool::kDrains:
      drain(state);
      state.next = state.inert = 0;
      state.pool = Pool::kScans;
      return "the pool takes the list";
    case Pool::kScans:
      scan(state);
      if (state.next == kHolders) {
        state.pool = state.live > state.inert ? Pool::kDrains : Pool::kSettles;
      }
      return "the pool looks at a block";
    case Pool::kSettles:
      if (left == Left::kHoldersFirst) state.references += kOut;
      if (left == Left::kFlagFirst) state.closed = 1;
      state.references = static_cast<std::uint8_t>(state.references - kOut + state.inert);
      state.live = 0;
      state.pool = Pool::kDrainsLate;
      return "the pool settles with its holders";
    case Pool::kDrainsLate:  // as when it is asked for statistics
      drain(state);
      state.pool = Pool::kEnds;
      return "the pool takes the list once more";
    case Pool::kEnds:
      let_go(state);
      state.pool = Pool::kDone;
      return "the pool ends";
    case Pool::kDone:
      break;
  }
  return "";
}

// Blocks that no scan will ever find inert, with nobody left who hands back.
std::uint8_t ClosingModel::not_inert(const State& state) {
  return static_cast<std::uint8_t>(std::count_if(
      state.holders.begin(), state.holders.end(),
      [](const Holder& holder) { return holder.block == Block::kReturned && holder.listed == 0; }));
}

const char* ClosingModel::fault(const State& state) const {
  if (state.touched != 0) return "somebody touches what is gone";
  if (state.twice != 0) return "a block comes back twice";
  const bool all_done = std::all_of(state.holders.begin(), state.holders.end(),
                                    [](const Holder& holder) { return holder.at == At::kDone; });
  if (all_done && state.pool < Pool::kSettles && not_inert(state) != 0) {
    return "the pool waits for ever";
  }
  return all_done && state.pool == Pool::kDone && state.gone == 0 ? "nobody goes last" : nullptr;
}

bool ClosingModel::is_end(const State& state) const {
  return state.pool == Pool::kDone &&
         std::all_of(state.holders.begin(), state.holders.end(),
                     [](const Holder& holder) { return holder.at == At::kDone; });
}

}  // namespace tenure::model
