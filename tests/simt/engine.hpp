// Runs kernels on the CPU as a device would: real lanes, warps, barriers and grid barriers, in an order
// that a seed draws.
//
// A worker, a thread of the system, runs whole blocks and switches between their lanes. Lanes that can
// never go on (a barrier that not all reach, a mask that names lanes elsewhere) stop the program with
// the place where each waits. Nothing of time, of caches or of weak memory is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/simt/block.hpp"

namespace tenure::simt {

/// How the launches that follow are run.
struct Options {
  unsigned workers = 1;  // threads of the system that run blocks
  /// Blocks that one worker holds at a time in a plain launch; a cooperative one holds them all.
  unsigned resident = 2;
  std::uint64_t seed = 0;  // 0: lanes in order; else in an order drawn from it
  unsigned preempt = 0;    // one in so many atomics gives way to another lane; 0: none
  /// Called before each atomic, fence, and access past the first cache: what the host sees then.
  std::function<void()> observer = {};
};
[[nodiscard]] Options& options();

enum class Cooperation : std::uint8_t { kNone, kWholeGrid };

/// Runs `blocks` blocks of `threads` threads to their end.
void run(unsigned blocks, unsigned threads, Cooperation cooperation,
         const std::function<void()>& kernel);

/// Says what is wrong, and stops the program.
[[noreturn]] void die(const std::string& sentence);

// What a kernel may ask, of the lane that runs.
[[nodiscard]] unsigned thread_index();
[[nodiscard]] unsigned block_index();
[[nodiscard]] unsigned block_threads();
[[nodiscard]] unsigned grid_blocks();
[[nodiscard]] std::uint64_t collective(Collective operation, unsigned mask, std::uint64_t value,
                                       unsigned source);
Block::BarrierResult block_barrier(bool predicate);
void grid_barrier();
[[nodiscard]] void* shared(const void* name, std::size_t bytes, std::size_t alignment);

/// Another lane may run here.
void preempt_point();
/// Another lane runs here.
void give_way();

}  // namespace tenure::simt
