// Stacks that a thread can leave in the middle and come back to: one for each CUDA thread, and one for
// the worker that runs them.
#pragma once

#include <cstddef>
#include <vector>

#include "tests/simt/sanitizers.hpp"

namespace tenure::simt {

inline constexpr std::size_t kStackBytes = 64 * 1024;  // a page below each is closed

/// Where a stack was left. Not copied while somebody may come back to it.
struct Context {
  void* stack_pointer = nullptr;
  void* portable = nullptr;  // a ucontext_t, where there is no assembly for the machine
  void* tsan_fiber = nullptr;
  void* asan_fake_stack = nullptr;
  const void* asan_bottom = nullptr;
  std::size_t asan_size = 0;
};

/// What one lane runs on.
struct LaneStack {
  char* memory = nullptr;      // [kStackBytes]
  void* tsan_fiber = nullptr;  // whom the thread sanitizer takes it for
};

/// Lane stacks not in use. One worker's at a time, from launch to launch: making them is most of what a
/// small launch costs.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();

  [[nodiscard]] LaneStack take();
  void put_back(const LaneStack& stack);
  /// The launch is over: all that its lanes did comes before what follows.
  void end_launch();

 private:
  static constexpr std::size_t kMostKept = 2048;  // the thread sanitizer has room for 8,000

  std::vector<LaneStack> free_;
  // Under the thread sanitizer, those of lanes that ended in this launch. Why not free: it would take
  // the next lane for the one that ended, and miss races of their blocks.
  std::vector<LaneStack> spent_;
};

/// The calling thread's own stack, to come back to.
void adopt_thread(Context& context);

/// A stack that begins with `entry` when it is first switched to. `entry` calls `arrive` first, never
/// returns, and ends with `leave`.
void prepare(Context& context, const LaneStack& stack, void (*entry)());
/// Nobody comes back to it.
void forget(Context& context);

/// Goes on in `to`; returns when somebody switches back to `from`.
void switch_context(Context& from, Context& to);

/// First thing on a new stack. `from` is who switched to it.
void arrive(Context& from);

/// Last thing on a stack.
[[noreturn]] void leave(Context& from, Context& to);

}  // namespace tenure::simt
