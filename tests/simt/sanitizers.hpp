// What the emulator tells the sanitizers. To the thread sanitizer every CUDA thread is a thread of its
// own; the emulator's own accesses are not looked at, and only what CUDA orders makes an order. So it
// works as a race detector for kernels.
//
// Why conditionals: a sanitizer's functions exist only where it is on.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_acquire(void* place);
void __tsan_release(void* place);
}
#endif

namespace tenure::simt {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;

/// While one is in scope, accesses of this CUDA thread are the emulator's.
class Quiet {
 public:
  Quiet() {
    AnnotateIgnoreReadsBegin("", 0);
    AnnotateIgnoreWritesBegin("", 0);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() {
    AnnotateIgnoreReadsEnd("", 0);
    AnnotateIgnoreWritesEnd("", 0);
  }
};

/// What came before it at `place` comes before what follows the next `acquire_at`.
inline void release_at(const void* place) { __tsan_release(const_cast<void*>(place)); }
inline void acquire_at(const void* place) { __tsan_acquire(const_cast<void*>(place)); }
#else
inline constexpr bool kThreadSanitizer = false;

class Quiet {
 public:
  Quiet() {}
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
};
inline void release_at(const void* /*place*/) {}
inline void acquire_at(const void* /*place*/) {}
#endif

}  // namespace tenure::simt
