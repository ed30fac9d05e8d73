// The types that C programs registered: what an object of one takes, and which slots it has.
//
// Invariant: a type whose row is not empty was registered here, so that its objects are the C ABI's
// to read and write. Tensors and other types of the library are not.
#pragma once

#include <atomic>
#include <cstdint>

#include "tenure/object.hpp"
#include "tenure/type.hpp"

namespace tenure::capi {

/// A row fits one word, so that it is read whole. All zero for a type that is not the C ABI's.
struct alignas(std::uint64_t) TypeRow {
  std::uint32_t granules;    // of an object without more data, header included; kArray
  std::uint32_t references;  // 0 for arrays, whose objects know
  static constexpr std::uint32_t kArray = ~std::uint32_t{0};

  [[nodiscard]] bool is_known() const { return granules != 0; }
  [[nodiscard]] bool is_array() const { return granules == kArray; }
  [[nodiscard]] bool is_plain() const { return granules - 1 < kArray - 1; }  // known, and no array
};

/// [kTypeLimit] by the type's number, zero until it is registered. Read and written as atomics. Why
/// no std::atomic: a million of them are initialised as the library is compiled. Pages that nobody
/// touches take no memory.
inline TypeRow type_rows[kTypeLimit];

[[nodiscard]] inline TypeRow row_of(TypeId type) {
  return std::atomic_ref(type_rows[static_cast<std::uint32_t>(type)])
      .load(std::memory_order_relaxed);
}
inline void set_row(TypeId type, TypeRow row) {
  std::atomic_ref(type_rows[static_cast<std::uint32_t>(type)])
      .store(row, std::memory_order_release);
}

/// The bytes from an object's first slot to its plain data.
[[nodiscard]] inline std::uint64_t plain_offset(TypeRow row) {
  return granules_for(std::uint64_t{sizeof(ObjectIndex)} * row.references) * kGranuleBytes;
}

/// The type of arrays of references.
[[nodiscard]] TypeId array_type();

/// More than any heap has room for; larger requests are refused before they are added up.
inline constexpr std::uint64_t kMostObjectBytes = std::uint64_t{32} << 30;

}  // namespace tenure::capi
