// One block of threads in the emulator: its lanes, the warps they form, its shared memory, and the
// rendezvous at which lanes wait for each other.
//
// Invariant: one worker runs a block, one lane at a time; so nothing in here is atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/simt/context.hpp"

namespace tenure::simt {

inline constexpr unsigned kWarpLanes = 32;

/// A warp's collective operations.
enum class Collective : std::uint8_t {
  kSync,
  kBallot,
  kAll,
  kAny,
  kShuffle,
  kMatchAny,
  kSum,
  kMinimum,
  kMaximum,
  kOr,
};
[[nodiscard]] const char* name_of(Collective operation);

enum class LaneState : std::uint8_t { kReady, kInWarp, kAtBarrier, kAtGridBarrier, kDone };

class Block;

/// One CUDA thread. The last five: what it brings to a collective, and what it takes away.
struct Lane {
  Context context;
  LaneStack stack;
  Block* block = nullptr;
  unsigned number = 0;  // threadIdx.x
  LaneState state = LaneState::kReady;

  Collective operation = Collective::kSync;
  unsigned mask = 0;
  unsigned source = 0;  // of a shuffle
  std::uint64_t value = 0;
  std::uint64_t result = 0;

  [[nodiscard]] unsigned lane() const { return number % kWarpLanes; }
};

/// Which lanes of a warp can run, wait in a collective, have not ended; one bit a lane.
struct Warp {
  unsigned ready = 0;
  unsigned waiting = 0;
  unsigned live = 0;
};

class Block {
 public:
  Block(unsigned index, unsigned threads, StackPool& stacks, void (*entry)());
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block();

  /// Memory of the block, the same for all its lanes, filled with kPoison at first.
  void* shared(const void* name, std::size_t bytes, std::size_t alignment);

  /// The lane comes to a collective. True when it was the last and all results are there; else it has
  /// to wait until it is made ready.
  [[nodiscard]] bool join_warp(Lane& lane);
  /// The lane comes to the block's barrier. As above.
  [[nodiscard]] bool join_barrier(Lane& lane, bool predicate);
  void join_grid_barrier(Lane& lane);

  void wake(Lane& lane);
  void wake_grid();

  /// The lane has ended: nobody waits for it any longer.
  void end(Lane& lane);

  [[nodiscard]] bool is_done() const { return alive_ == 0; }
  [[nodiscard]] bool waits_for_grid() const { return alive_ > 0 && at_grid_ == alive_; }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] unsigned threads() const { return static_cast<unsigned>(lanes_.size()); }
  [[nodiscard]] std::vector<Warp>& warps() { return warps_; }
  [[nodiscard]] Lane& lane(unsigned warp, unsigned lane) {
    return lanes_[warp * kWarpLanes + lane];
  }
  [[nodiscard]] Warp& warp_of(const Lane& lane) { return warps_[lane.number / kWarpLanes]; }

  struct BarrierResult {
    int count = 0;  // lanes whose predicate was true
    bool all = true;
  };
  [[nodiscard]] const BarrierResult& barrier_result() const { return barrier_result_; }
  /// What the thread sanitizer knows the block's barrier by.
  [[nodiscard]] const void* barrier_place() const { return &at_barrier_; }

  /// Where each lane waits, for a report.
  [[nodiscard]] std::string describe() const;

  static constexpr unsigned char kPoison = 0xA5;
  // Source: CUDA C++ Programming Guide, technical specifications: 48 KiB without opting in.
  static constexpr std::size_t kSharedBytes = 48 * 1024;

 private:
  struct Variable {
    const void* name;
    std::unique_ptr<unsigned char[]> memory;
    void* aligned;
  };

  [[nodiscard]] bool complete_collective(unsigned warp, Collective operation, unsigned mask);
  void finish_barrier();

  unsigned index_;
  StackPool& stacks_;
  std::vector<Lane> lanes_;
  std::vector<Warp> warps_;
  unsigned alive_;
  unsigned at_barrier_ = 0;
  unsigned at_grid_ = 0;
  BarrierResult arriving_;
  BarrierResult barrier_result_;
  std::vector<Variable> variables_;
  std::size_t shared_bytes_ = 0;
};

}  // namespace tenure::simt
