// Objects as words: how the collector, with the world stopped, reads and writes them.
#pragma once

#include <cstdint>

#include "core/model/heap_view.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/type_table.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"

namespace tenure {

[[nodiscard]] constexpr std::uint32_t granule_of(ObjectIndex object) {
  return static_cast<std::uint32_t>(object);
}
[[nodiscard]] constexpr ObjectIndex object_on(std::uint32_t granule) {
  return static_cast<ObjectIndex>(granule);
}

/// The k-th slot, to be rewritten.
[[nodiscard]] inline ObjectIndex* slots_of(ObjectIndex object) {
  return reinterpret_cast<ObjectIndex*>(detail::data_of(object));
}

[[nodiscard]] inline std::uint32_t slot_count(ObjectIndex object) {
  const ObjectHeader header = detail::header_of(object);
  return reference_count(TypeTable::instance().row(header.type()), header.size);
}

/// Makes a dead stretch walkable. Its bytes beyond the header stay as they are.
inline void write_filler(std::uint32_t granule, std::uint32_t granules) {
  if (granules > 0) {
    detail::header_of(object_on(granule)) =
        ObjectHeader{static_cast<std::uint32_t>(TypeId::kFiller), granules};
  }
}

}  // namespace tenure
