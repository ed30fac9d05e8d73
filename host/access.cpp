#include "core/backend/access.hpp"

// Why asked twice: g++ says it by a macro of its own, clang by a feature.
#if defined(__SANITIZE_ADDRESS__)
#define TENURE_WATCHES_ACCESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENURE_WATCHES_ACCESS 1
#endif
#endif
#ifndef TENURE_WATCHES_ACCESS
#define TENURE_WATCHES_ACCESS 0
#endif

#if TENURE_WATCHES_ACCESS
#include <sanitizer/asan_interface.h>
#endif

namespace tenure {

bool is_access_watched() { return TENURE_WATCHES_ACCESS != 0; }

#if TENURE_WATCHES_ACCESS
void forbid_access(const std::byte* at, Bytes size) {
  __asan_poison_memory_region(at, size.count());
}
void allow_access(const std::byte* at, Bytes size) {
  __asan_unpoison_memory_region(at, size.count());
}
#else
void forbid_access(const std::byte*, Bytes) {}
void allow_access(const std::byte*, Bytes) {}
#endif

}  // namespace tenure
