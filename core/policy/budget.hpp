// How much memory a model has taken from its device, and may take.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenure {

/// Bytes throughout.
struct Budget {
  std::uint64_t capacity = ~std::uint64_t{0};
  std::uint64_t reserved = 0;
  std::uint64_t peak = 0;

  /// False, and nothing changes, where there is not so much.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    if (bytes > capacity - reserved) {
      return false;
    }
    reserved += bytes;
    peak = std::max(peak, reserved);
    return true;
  }
  void give(std::uint64_t bytes) { reserved -= bytes; }
};

}  // namespace tenure
