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

/// Stacks not in use. One worker's.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();

  [[nodiscard]] char* take();
  void put_back(char* stack) { free_.push_back(stack); }

 private:
  std::vector<char*> free_;
};

/// The calling thread's own stack, to come back to.
void adopt_thread(Context& context);
void release_thread(Context& context);

/// A stack that begins with `entry` when it is first switched to. `entry` calls `arrive` first, never
/// returns, and ends with `leave`.
void prepare(Context& context, char* stack, void (*entry)());
void forget(Context& context);

/// Goes on in `to`; returns when somebody switches back to `from`.
void switch_context(Context& from, Context& to);

/// First thing on a new stack. `from` is who switched to it.
void arrive(Context& from);

/// Last thing on a stack.
[[noreturn]] void leave(Context& from, Context& to);

}  // namespace tenure::simt
