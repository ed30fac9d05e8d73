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

char* map(void* at, std::size_t bytes, int flags) {
  void* const memory = mmap(at, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
  if (memory == MAP_FAILED) {
    std::fputs("simt: no memory for a stack\n", stderr);
    std::abort();
  }
  return static_cast<char*>(memory);
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
  for (char* const stack : free_) {
    munmap(stack - kGuardBytes, kStackBytes + kGuardBytes);
  }
}

char* StackPool::take() {
  if (free_.empty()) {
    char* const memory = map(nullptr, kStackBytes + kGuardBytes, 0);
    mprotect(memory, kGuardBytes, PROT_NONE);
    return memory + kGuardBytes;
  }
  char* const stack = free_.back();
  free_.pop_back();
  if constexpr (kThreadSanitizer) {
    // A stack that served another lane must not remember that lane's writes. An order between the two
    // lanes would hide races of their blocks; memory mapped afresh makes the sanitizer forget instead.
    map(stack, kStackBytes, MAP_FIXED);
  }
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack, kStackBytes);  // as its last lane left it
#endif
  return stack;
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

void release_thread(Context& context) {
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(context.portable);
#endif
  context = {};
}

void prepare(Context& context, char* stack, void (*entry)()) {
#if defined(__x86_64__)
  auto* top = reinterpret_cast<void**>((reinterpret_cast<std::uintptr_t>(stack) + kStackBytes) &
                                       ~std::uintptr_t{15});
  *--top = nullptr;  // where `entry` would return to
  *--top = reinterpret_cast<void*>(entry);
  for (int k = 0; k < kSavedRegisters; ++k) {
    *--top = nullptr;
  }
  context.stack_pointer = top;
#else
  auto* portable = new ucontext_t;
  getcontext(portable);
  portable->uc_stack.ss_sp = stack;
  portable->uc_stack.ss_size = kStackBytes;
  portable->uc_link = nullptr;
  makecontext(portable, entry, 0);
  context.portable = portable;
#endif
#if defined(__SANITIZE_THREAD__)
  context.tsan_fiber = __tsan_create_fiber(0);
#endif
  context.asan_bottom = stack;
  context.asan_size = kStackBytes;
}

void forget(Context& context) {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(context.tsan_fiber);
#endif
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
