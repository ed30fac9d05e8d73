// Copies and fills as backends of this computer do them.
#pragma once

#include <cstddef>
#include <cstring>

#include "tenure/bytes.hpp"

namespace tenure {

/// The two stretches may overlap. Of nothing, either may be null.
inline void copy_bytes(std::byte* to, const std::byte* from, Bytes size) {
  if (!size.is_zero()) {
    std::memmove(to, from, size.count());
  }
}

inline void fill_bytes(std::byte* to, std::byte value, Bytes size) {
  if (!size.is_zero()) {
    std::memset(to, std::to_integer<int>(value), size.count());
  }
}

}  // namespace tenure
