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

/// A row fits one word, so that it is read whole.
struct alignas(std::uint64_t) TypeRow {
  std::uint32_t granules;             // of an object without more data, header included; 0: none
  std::uint32_t references_plus_one;  // kFills where all of it is references
  static constexpr std::uint32_t kFills = ~std::uint32_t{0};

  [[nodiscard]] bool is_known() const { return references_plus_one != 0; }
  [[nodiscard]] bool is_array() const { return references_plus_one == kFills; }
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
  return granules_for(std::uint64_t{sizeof(ObjectIndex)} * (row.references_plus_one - 1)) *
         kGranuleBytes;
}

/// The type of arrays of references.
[[nodiscard]] TypeId array_type();

/// More than any heap has room for; larger requests are refused before they are added up.
inline constexpr std::uint64_t kMostObjectBytes = std::uint64_t{32} << 30;

}  // namespace tenure::capi
