// Objects of the dynamic door: a kind, slots for references, a size, and bytes that lie in the object or
// in a payload.
//
//   payload (4 B) | slot 0 | slot 1 | ... | pad to 8 | size (8 B) | the bytes, without a payload ...
//
// A kind with so many slots is a row of the type table, under the kind's name: so a census counts kinds,
// and an object's header says its kind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tenure/object.hpp"
#include "tenure/ref.hpp"
#include "tenure/result.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

/// What an object is.
enum class ObjectType : std::uint8_t {
  kScalar,     // 8 bytes, in the object
  kComplex,    // 16 bytes, in the object
  kString,     // UTF-8; never written to once it is made
  kVector,     // elements, in one dimension
  kMatrix,     // in two
  kTensor,     // in any number
  kArray,      // plain bytes
  kStruct,     // fields
  kUnitValue,  // nothing: one object for all, that no figure counts
  kFunction,   // the address of code, and a name
  kClosure,    // likewise, with references to what it captured
};
inline constexpr std::size_t kObjectTypes = 11;

/// "scalar", "unit_value", as statistics name them.
[[nodiscard]] std::string_view to_string(ObjectType type);

/// A kind with its slots.
struct ObjectKind {
  ObjectType type = ObjectType::kScalar;
  std::uint32_t references = 0;
  friend bool operator==(const ObjectKind&, const ObjectKind&) = default;
};
inline constexpr std::uint32_t kMostReferences = 65536;  // of one object

namespace detail {

/// The type of a kind, registered when it is first asked for; 65536 slots at the most.
///
/// cost     a lock
/// threads  anyone
[[nodiscard]] TypeId type_of_kind(const ObjectKind& kind);

/// Another type of a kind, whose references have names of their own.
///
/// names    [kind.references] empty where there is none
[[nodiscard]] TypeId make_kind(const ObjectKind& kind, std::span<const std::string> names);

/// The other way. False: the type is no kind's.
///
/// cost     two loads
/// threads  anyone
[[nodiscard]] bool find_kind(TypeId type, ObjectKind& kind);

/// Bytes from the start of an object's data to its size, and of all that is no payload.
[[nodiscard]] constexpr std::uint64_t size_offset(std::uint32_t references) {
  return granules_for(sizeof(ObjectIndex) * (std::uint64_t{references} + 1)) * kGranuleBytes;
}
[[nodiscard]] constexpr std::uint64_t dynamic_bytes(std::uint32_t references,
                                                    std::uint64_t own_bytes) {
  return size_offset(references) + sizeof(std::uint64_t) + own_bytes;
}

/// The places of an object by its number of slots; good until the next safepoint. Place 0 is the
/// payload's.
[[nodiscard]] inline ObjectIndex* places_of(ObjectIndex object) {
  return reinterpret_cast<ObjectIndex*>(data_of(object));
}
[[nodiscard]] inline std::uint64_t& size_place(ObjectIndex object, std::uint32_t references) {
  return *reinterpret_cast<std::uint64_t*>(data_of(object) + size_offset(references));
}
[[nodiscard]] inline std::byte* bytes_place(ObjectIndex object, std::uint32_t references) {
  const ObjectIndex payload = places_of(object)[0];
  return payload == ObjectIndex::kNull
             ? data_of(object) + size_offset(references) + sizeof(std::uint64_t)
             : reinterpret_cast<const Tensor*>(data_of(payload))->data();
}

}  // namespace detail

/// One object. It moves; the bytes of its payload, where it has one, do not. What it gives is good until
/// the next safepoint.
///
/// threads  one at a time, with the collector's mutator in use or nobody collecting
class GcObject {
 public:
  GcObject() = delete;
  GcObject(const GcObject&) = delete;
  GcObject& operator=(const GcObject&) = delete;

  [[nodiscard]] ObjectType type() const { return kind().type; }
  [[nodiscard]] std::uint32_t reference_count() const { return kind().references; }
  [[nodiscard]] std::uint64_t size() const {
    return detail::size_place(index(), reference_count());
  }
  /// Whether the data keep their address.
  [[nodiscard]] bool has_payload() const {
    return detail::places_of(index())[0] != ObjectIndex::kNull;
  }
  /// Element type, shape and memory of the data; null where they lie in the object.
  [[nodiscard]] const Tensor* payload() const;
  /// Whether stores are refused: of strings, of unit values, and of what was sealed.
  [[nodiscard]] bool is_sealed() const {
    return detail::header_of(index()).has(ObjectFlag::kSealed);
  }

  /// [size] The data. Of a device's memory, or once they were handed back, none.
  [[nodiscard]] std::span<const std::byte> bytes() const;
  /// The same to be written.
  ///
  /// errors   kBadArgument: the object is sealed, or there is nothing that the host can write
  [[nodiscard]] Result<std::span<std::byte>> writable_bytes();

  /// The object in a slot; null where it is empty or there is no such slot.
  [[nodiscard]] GcObject* reference(std::uint32_t slot) const;

  [[nodiscard]] ObjectIndex index() const { return detail::object_at(this); }

 private:
  [[nodiscard]] ObjectKind kind() const;
};

}  // namespace tenure
