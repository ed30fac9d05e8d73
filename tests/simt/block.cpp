#include "tests/simt/block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>

#include "tests/simt/engine.hpp"

namespace tenure::simt {

namespace {

// What a shuffle from a lane that does not take part gives: CUDA leaves it undefined.
constexpr std::uint64_t kUndefined = 0xDEADDEADDEADDEAD;

/// Calls `visit(lane number)` for each bit.
template <class Visit>
void for_each_bit(unsigned bits, Visit visit) {
  for (; bits != 0; bits &= bits - 1) {
    visit(static_cast<unsigned>(std::countr_zero(bits)));
  }
}

std::uint64_t fold(Collective operation, std::uint64_t left, std::uint64_t right) {
  switch (operation) {
    case Collective::kSum:
      return left + right;
    case Collective::kMinimum:
      return std::min(left, right);
    case Collective::kMaximum:
      return std::max(left, right);
    case Collective::kOr:
      return left | right;
    default:
      return left;
  }
}

}  // namespace

const char* name_of(Collective operation) {
  constexpr std::array kNames{"syncwarp",  "ballot",     "all",        "any",        "shfl",
                              "match_any", "reduce_add", "reduce_min", "reduce_max", "reduce_or"};
  return kNames[static_cast<std::size_t>(operation)];
}

Block::Block(unsigned index, unsigned threads, StackPool& stacks, void (*entry)())
    : index_(index),
      stacks_(stacks),
      lanes_(threads),
      warps_((threads + kWarpLanes - 1) / kWarpLanes),
      alive_(threads) {
  for (unsigned number = 0; number < threads; ++number) {
    Lane& lane = lanes_[number];
    lane.block = this;
    lane.number = number;
    lane.stack = stacks_.take();
    prepare(lane.context, lane.stack, entry);
    warp_of(lane).ready |= 1u << lane.lane();
    warp_of(lane).live |= 1u << lane.lane();
  }
}

Block::~Block() {
  for (Lane& lane : lanes_) {
    forget(lane.context);
    stacks_.put_back(lane.stack);
  }
}

void* Block::shared(const void* name, std::size_t bytes, std::size_t alignment) {
  const auto same_name = [&](const Variable& variable) { return variable.name == name; };
  const auto known = std::find_if(variables_.begin(), variables_.end(), same_name);
  if (known != variables_.end()) {
    return known->aligned;
  }
  shared_bytes_ += bytes;
  if (shared_bytes_ > kSharedBytes) {
    die("shared memory of " + std::to_string(shared_bytes_) + " bytes, " +
        std::to_string(kSharedBytes) + " at most");
  }
  std::size_t room = bytes + alignment;
  auto memory = std::make_unique<unsigned char[]>(room);
  std::memset(memory.get(), kPoison, room);
  void* aligned = memory.get();
  std::align(alignment, bytes, aligned, room);
  variables_.push_back({name, std::move(memory), aligned});
  return aligned;
}

void Block::wake(Lane& lane) {
  lane.state = LaneState::kReady;
  Warp& warp = warp_of(lane);
  warp.ready |= 1u << lane.lane();
  warp.waiting &= ~(1u << lane.lane());
}

bool Block::join_warp(Lane& lane) {
  Warp& warp = warp_of(lane);
  lane.state = LaneState::kInWarp;
  warp.waiting |= 1u << lane.lane();
  if (!complete_collective(lane.number / kWarpLanes, lane.operation, lane.mask)) {
    return false;
  }
  warp.ready &= ~(1u << lane.lane());  // it runs on, and need not be called
  return true;
}

// Lanes that have ended do not count, as on the devices that schedule lanes independently.
bool Block::complete_collective(unsigned warp, Collective operation, unsigned mask) {
  const unsigned needed = mask & warps_[warp].live;
  if (needed == 0 || (warps_[warp].waiting & needed) != needed) {
    return false;
  }
  const auto at = [&](unsigned number) -> Lane& { return lane(warp, number); };
  bool all_here = true;
  unsigned ballot = 0;
  for_each_bit(needed, [&](unsigned number) {
    const Lane& member = at(number);
    all_here &= member.operation == operation && member.mask == mask;
    ballot |= member.value != 0 ? 1u << number : 0;
  });
  if (!all_here) {
    return false;
  }
  std::uint64_t folded = at(static_cast<unsigned>(std::countr_zero(needed))).value;
  for_each_bit(needed & (needed - 1),
               [&](unsigned number) { folded = fold(operation, folded, at(number).value); });
  for_each_bit(needed, [&](unsigned number) {
    Lane& member = at(number);
    switch (operation) {
      case Collective::kSync:
        break;
      case Collective::kBallot:
        member.result = ballot;
        break;
      case Collective::kAll:
        member.result = ballot == needed ? 1 : 0;
        break;
      case Collective::kAny:
        member.result = ballot != 0 ? 1 : 0;
        break;
      case Collective::kShuffle:
        member.result = (needed >> member.source & 1) != 0 ? at(member.source).value
                        : member.source == number          ? member.value
                                                           : kUndefined;
        break;
      case Collective::kMatchAny:
        member.result = 0;
        for_each_bit(needed, [&](unsigned other) {
          member.result |= at(other).value == member.value ? 1u << other : 0;
        });
        break;
      default:
        member.result = folded;
    }
  });
  for_each_bit(needed, [&](unsigned number) { wake(at(number)); });
  return true;
}

bool Block::join_barrier(Lane& lane, bool predicate) {
  arriving_.count += predicate ? 1 : 0;
  arriving_.all &= predicate;
  lane.state = LaneState::kAtBarrier;
  if (++at_barrier_ < alive_) {
    return false;
  }
  finish_barrier();
  warp_of(lane).ready &= ~(1u << lane.lane());
  return true;
}

void Block::finish_barrier() {
  at_barrier_ = 0;
  barrier_result_ = arriving_;
  arriving_ = {};
  for (Lane& lane : lanes_) {
    if (lane.state == LaneState::kAtBarrier) {
      wake(lane);
    }
  }
}

void Block::join_grid_barrier(Lane& lane) {
  lane.state = LaneState::kAtGridBarrier;
  ++at_grid_;
}

void Block::wake_grid() {
  at_grid_ = 0;
  for (Lane& lane : lanes_) {
    if (lane.state == LaneState::kAtGridBarrier) {
      wake(lane);
    }
  }
}

void Block::end(Lane& lane) {
  lane.state = LaneState::kDone;
  Warp& warp = warp_of(lane);
  warp.live &= ~(1u << lane.lane());
  --alive_;
  if (alive_ > 0 && at_barrier_ == alive_) {
    finish_barrier();
  }
  // Those that waited for it alone go on.
  const unsigned number = lane.number / kWarpLanes;
  for_each_bit(warp.waiting, [&](unsigned other) {
    const Lane& waiting = this->lane(number, other);
    if (waiting.state == LaneState::kInWarp) {
      static_cast<void>(complete_collective(number, waiting.operation, waiting.mask));
    }
  });
}

std::string Block::describe() const {
  constexpr std::size_t kLongest = 1500;
  std::string text = "block " + std::to_string(index_) + ":";
  for (const Lane& lane : lanes_) {
    if (text.size() > kLongest) {
      return text + " ...";
    }
    text += lane.state == LaneState::kDone ? "" : " [" + std::to_string(lane.number);
    switch (lane.state) {
      case LaneState::kAtBarrier:
        text += " syncthreads]";
        break;
      case LaneState::kAtGridBarrier:
        text += " grid barrier]";
        break;
      case LaneState::kInWarp: {
        std::array<char, 16> mask{};
        std::snprintf(mask.data(), mask.size(), " %08x]", lane.mask);
        text += std::string(" ") + name_of(lane.operation) + mask.data();
        break;
      }
      case LaneState::kReady:
        text += " ready]";
        break;
      case LaneState::kDone:
        break;
    }
  }
  return text;
}

}  // namespace tenure::simt
