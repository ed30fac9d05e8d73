// All that a marker may see of a heap: plain arrays, so that a copy on a device is read by the same
// code as the original.
#pragma once

#include <cstdint>

#include "core/model/region.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// What a type says of its objects. Eight bytes; the type's number is its place.
struct TypeRow {
  /// All granules but the header and the tail hold references.
  static constexpr std::uint32_t kFill = 0xFFFFFFFF;

  std::uint32_t references = 0;  // that stand first, or kFill
  std::uint32_t tail = 0;        // granules at the end without references; kFill only
};
static_assert(sizeof(TypeRow) == 8);

/// One heap as a marker sees it. Nothing here is owned.
struct HeapView {
  const std::uint32_t* words = nullptr;  // [2 * granules of the cage]
  const TypeRow* types = nullptr;        // [types registered]
  const RegionRow* regions = nullptr;    // [regions of the cage]
  const BlockRow* blocks = nullptr;      // [blocks of the cage]
  std::uint32_t* marks = nullptr;        // [granules of the cage / 64] one bit for two granules
  HeapId heap = HeapId::kNone;           // whose objects are to be marked
};

}  // namespace tenure
