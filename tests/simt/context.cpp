#include "tests/simt/context.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace tenure::simt {

namespace {

constexpr std::size_t kGuardBytes = 4096;

LaneStack make_stack() {
  void* const memory = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::fputs("simt: no memory for a stack\n", stderr);
    std::abort();
  }
  mprotect(memory, kGuardBytes, PROT_NONE);
  LaneStack stack{.memory = static_cast<char*>(memory) + kGuardBytes};
#if defined(__SANITIZE_THREAD__)
  stack.tsan_fiber = __tsan_create_fiber(0);
#endif
  return stack;
}

void unmake(const LaneStack& stack) {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(stack.tsan_fiber);
#endif
  munmap(stack.memory - kGuardBytes, kStackBytes + kGuardBytes);
}

#if defined(__x86_64__)
// Saves what a callee has to keep, changes stacks, and goes on where `load` was saved.
__attribute__((naked, noinline)) void swap_stacks(void** /*save*/, void* /*load*/) {
  __asm__(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
      "popq %rcx\n jmp *%rcx\n");
}
constexpr int kSavedRegisters = 6;
#endif

}  // namespace

StackPool::~StackPool() {
  for (const LaneStack& stack : free_) {
    unmake(stack);
  }
}

LaneStack StackPool::take() {
  if (free_.empty()) {
    return make_stack();
  }
  const LaneStack stack = free_.back();
  free_.pop_back();
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack.memory, kStackBytes);  // as its last lane left it
#endif
  return stack;
}

void StackPool::put_back(const LaneStack& stack) {
  std::vector<LaneStack>& kept = kThreadSanitizer ? spent_ : free_;
  if (free_.size() + spent_.size() < kMostKept) {
    kept.push_back(stack);
  } else {
    unmake(stack);
  }
}

void StackPool::end_launch() {
  free_.insert(free_.end(), spent_.begin(), spent_.end());
  spent_.clear();
}

void adopt_thread(Context& context) {
#if defined(__SANITIZE_THREAD__)
  context.tsan_fiber = __tsan_get_current_fiber();
#endif
#if !defined(__x86_64__)
  context.portable = new ucontext_t;
#endif
  static_cast<void>(context);
}

void prepare(Context& context, const LaneStack& stack, void (*entry)()) {
#if defined(__x86_64__)
  auto* top = reinterpret_cast<void**>(
      (reinterpret_cast<std::uintptr_t>(stack.memory) + kStackBytes) & ~std::uintptr_t{15});
  *--top = nullptr;  // where `entry` would return to
  *--top = reinterpret_cast<void*>(entry);
  for (int k = 0; k < kSavedRegisters; ++k) {
    *--top = nullptr;
  }
  context.stack_pointer = top;
#else
  auto* portable = new ucontext_t;
  getcontext(portable);
  portable->uc_stack.ss_sp = stack.memory;
  portable->uc_stack.ss_size = kStackBytes;
  portable->uc_link = nullptr;
  makecontext(portable, entry, 0);
  context.portable = portable;
#endif
  context.tsan_fiber = stack.tsan_fiber;
  context.asan_bottom = stack.memory;
  context.asan_size = kStackBytes;
}

void forget(Context& context) {
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(context.portable);
#endif
  context = {};
}

// Why not watched: the thread sanitizer would see it entered on one stack and left on another.
__attribute__((no_sanitize("thread"), noinline)) void switch_context(Context& from, Context& to) {
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.asan_fake_stack, to.asan_bottom, to.asan_size);
#endif
#if defined(__x86_64__)
  swap_stacks(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(static_cast<ucontext_t*>(from.portable), static_cast<ucontext_t*>(to.portable));
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.asan_fake_stack, nullptr, nullptr);
#endif
}

void arrive(Context& from) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &from.asan_bottom, &from.asan_size);
#endif
  static_cast<void>(from);
}

__attribute__((no_sanitize("thread"), noinline)) void leave(Context& from, Context& to) {
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, to.asan_bottom, to.asan_size);
#endif
#if defined(__x86_64__)
  swap_stacks(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(static_cast<ucontext_t*>(from.portable), static_cast<ucontext_t*>(to.portable));
#endif
  std::fputs("simt: a finished thread was resumed\n", stderr);
  std::abort();
}

}  // namespace tenure::simt
