// How a copying worker reads and claims the header of an object that moves: by plain words while it
// is alone, by one atomic word of eight bytes beside others. A header says at any time what became of
// its object, so that one exchange decides who moves it, or that it stays.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

#include "core/heap/object_access.hpp"
#include "tenure/object.hpp"

namespace tenure {

// Why by shifts: g++ 12 sends a bit_cast of two words through a vector register.
[[nodiscard]] constexpr ObjectHeader header_of(std::uint64_t word) {
  static_assert(std::endian::native == std::endian::little);
  constexpr int kWordBits = 32;
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> kWordBits)};
}

/// One worker, nobody beside it.
struct Alone {
  static constexpr bool kShared = false;

  // Why as one word: two loads of a header that just arrived wait twice.
  [[nodiscard]] static ObjectHeader load(ObjectIndex object) {
    std::uint64_t word = 0;
    std::memcpy(&word, detail::address_of(object), sizeof(word));
    return header_of(word);
  }

  /// Puts `after` in the place of `before`. Nobody can be faster.
  static bool claim(ObjectIndex object, ObjectHeader, ObjectHeader after) {
    detail::header_of(object) = after;
    return true;
  }
};

/// One of several workers.
struct Together {
  static constexpr bool kShared = true;

  // Why acquire: who follows a forwarded header reads the row of the region it names.
  [[nodiscard]] static ObjectHeader load(ObjectIndex object) {
    return header_of(word_of(object).load(std::memory_order_acquire));
  }

  /// Puts `after` in the place of `before`. False where another worker was faster.
  static bool claim(ObjectIndex object, ObjectHeader before, ObjectHeader after) {
    auto expected = std::bit_cast<std::uint64_t>(before);
    return word_of(object).compare_exchange_strong(expected, std::bit_cast<std::uint64_t>(after),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_relaxed);
  }

 private:
  // A granule is eight bytes at a multiple of eight, so that the two words of a header are one.
  [[nodiscard]] static std::atomic_ref<std::uint64_t> word_of(ObjectIndex object) {
    return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(detail::address_of(object)));
  }
};

}  // namespace tenure
