// The rival mimalloc, beside plain malloc and not in its place.
//
// Why it is opened at run time: whoever links libmimalloc gets its malloc for everything, ours and
// the rival's. Opened with its names kept local, it answers only where it is called by name.
#pragma once

#include <cstddef>
#include <string>

#include "tenure/result.hpp"

namespace tenure::bench {

/// The calls of mimalloc that benches use. Loaded once, never unloaded.
struct Mimalloc {
  void* (*allocate)(std::size_t size) = nullptr;  // mi_malloc
  void (*free)(void* block) = nullptr;            // mi_free
  std::string described;                          // "mimalloc 2.0 (/usr/lib/.../libmimalloc.so.2)"

  /// errors   kUnsupported: the library is not there, or is not what it should be
  [[nodiscard]] static Result<Mimalloc> load();
};

/// Whose plain `malloc` is: "glibc 2.36 (/lib/x86_64-linux-gnu/libc.so.6)", or the file that stands
/// in its place.
[[nodiscard]] std::string describe_malloc();

}  // namespace tenure::bench
