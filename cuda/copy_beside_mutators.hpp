// Reading a heap that others write.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tenure {

/// Copies whole words of eight bytes that mutators may be writing. A word that changes meanwhile comes as
/// it was or as it is, or half of each: whoever reads the copy has been told by then that its card was
/// written, and has it again. Relaxed loads are what the machine does for a plain one.
///
/// Why not watched by the thread sanitizer: what a program keeps beside its references it writes as it
/// likes, and no copy of that is ever read.
[[gnu::no_sanitize("thread"), gnu::noinline]] inline void copy_beside_mutators(
    std::byte* to, const std::byte* from, std::size_t bytes) {
  const auto* const source = reinterpret_cast<const std::uint64_t*>(from);
  auto* const target = reinterpret_cast<std::uint64_t*>(to);
  for (std::size_t word = 0; word < bytes / sizeof(std::uint64_t); ++word) {
    target[word] = __atomic_load_n(&source[word], __ATOMIC_RELAXED);
  }
}

}  // namespace tenure
