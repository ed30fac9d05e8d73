// Objects as Python allocates them: a kind, slots for references, and bytes that lie in the object or
// in a payload.
//
//   | header | payload slot | slot 0 | slot 1 | ... | size (8 B) | the bytes, without a payload ...
//
// A kind with so many slots is a type of its own under the kind's name, so that a census counts kinds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tenure/facade/objects.hpp"
#include "tenure/make.hpp"
#include "tenure/tensor.hpp"

namespace tenure::python {

/// What a handle keeps; no C++ type of its own.
struct AnyObject {};

/// What is known of an object beside its place.
struct Described {
  enum class Form : std::uint8_t { kObject, kTensor, kForeign };
  Form form = Form::kObject;
  ObjectType kind = ObjectType::kScalar;  // of kObject
  std::uint32_t references = 0;           // likewise
  std::uint64_t size = 0;                 // likewise; of kForeign its number
};

/// The type of a kind with so many slots. With the interpreter's lock.
///
/// references   kMostReferences at most
[[nodiscard]] TypeId type_of(ObjectType kind, std::uint32_t references);
/// The type of objects that stand for memory of others.
[[nodiscard]] TypeId foreign_type();
inline constexpr std::uint32_t kMostReferences = 65536;

/// The granules of an object with a header.
[[nodiscard]] constexpr std::uint64_t data_offset(std::uint32_t references) {
  return granules_for(sizeof(ObjectIndex) * (std::uint64_t{references} + 1)) * kGranuleBytes;
}
[[nodiscard]] constexpr std::uint64_t object_bytes(std::uint32_t references,
                                                   std::uint64_t own_bytes) {
  return data_offset(references) + sizeof(std::uint64_t) + own_bytes;
}

/// The object's places. Good until the next safepoint.
[[nodiscard]] inline ObjectIndex* slots_of(ObjectIndex object) {
  return reinterpret_cast<ObjectIndex*>(detail::data_of(object));
}
[[nodiscard]] inline std::uint64_t& size_of(ObjectIndex object, std::uint32_t references) {
  return *reinterpret_cast<std::uint64_t*>(detail::data_of(object) + data_offset(references));
}
[[nodiscard]] inline std::byte* bytes_of(ObjectIndex object, std::uint32_t references) {
  const ObjectIndex payload = slots_of(object)[0];
  return payload == ObjectIndex::kNull
             ? detail::data_of(object) + data_offset(references) + sizeof(std::uint64_t)
             : reinterpret_cast<const Tensor*>(detail::data_of(payload))->data();
}

/// From the object's header.
[[nodiscard]] Described describe_object(ObjectIndex object);

}  // namespace tenure::python
