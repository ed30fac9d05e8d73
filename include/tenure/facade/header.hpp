// What the dynamic door says of one object beside its data: a copy, as it was when it was asked for.
#pragma once

#include <cstdint>

#include "tenure/facade/objects.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Facts of an object, a bit each.
enum class GcFlags : std::uint32_t {
  kNone = 0,
  kMarked = 1u << 0,          // the last marking of the oldest generation reached it
  kRemembered = 1u << 1,      // a card of its references is in a log, or remembered
  kPinned = 1u << 2,          // it does not move
  kFinalizer = 1u << 3,       // one is set, and has not run
  kWeakRefs = 1u << 4,        // a weak reference names it
  kImmutable = 1u << 5,       // stores are refused
  kLargeObject = 1u << 6,     // its data lie in a payload, or in a run of regions of their own
  kConcurrentSafe = 1u << 7,  // markers may read it beside running mutators
};
[[nodiscard]] constexpr GcFlags operator|(GcFlags a, GcFlags b) {
  return static_cast<GcFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr bool has(GcFlags flags, GcFlags flag) {
  return (static_cast<std::uint32_t>(flags) & static_cast<std::uint32_t>(flag)) != 0;
}

/// The header of one object, read. What is stored of it is `ObjectHeader`, 8 bytes.
struct GcHeader {
  std::uint64_t size = 0;  // of the data
  TypeId type_id = TypeId::kFreeCell;
  ObjectType type = ObjectType::kScalar;
  std::uint32_t references = 0;
  std::uint32_t generation = 0;
  std::uint32_t age = 0;  // collections survived in that generation; 0 in the oldest
  GcFlags flags = GcFlags::kNone;

  [[nodiscard]] bool is_marked() const { return has(flags, GcFlags::kMarked); }
  [[nodiscard]] bool is_pinned() const { return has(flags, GcFlags::kPinned); }
  [[nodiscard]] bool has_finalizer() const { return has(flags, GcFlags::kFinalizer); }
};

}  // namespace tenure
