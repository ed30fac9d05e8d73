// A small collector of the dynamic door, and objects with references in it.
#pragma once

#include <cstdint>

#include "tenure/facade/garbage_collector.hpp"

namespace tenure {

inline GarbageCollector open(const GcConfiguration& configuration = {.young_gen_size_mb = 1}) {
  return value_or_throw(GarbageCollector::open(configuration));
}

inline Handle<GcObject> make(GarbageCollector& gc, std::uint32_t references,
                             std::uint64_t size = 8) {
  return value_or_throw(gc.allocate(ObjectType::kArray, size, {.references = references}));
}

inline void link(GarbageCollector& gc, const Handle<GcObject>& from, std::uint32_t slot,
                 const Handle<GcObject>& to) {
  value_or_throw(gc.reference_tracker().add_reference(from, slot, to));
}

}  // namespace tenure
