// Structures of the dynamic door whose slots and fields have names: declared once, checked as they are
// declared.
//
//   const StructLayout point = value_or_throw(StructLayout::declare(
//       "Point", {.size = 16, .references = 1},
//       {{"next", 0}}, {{"x", ElementType::kFloat64, 0}, {"y", ElementType::kFloat64, 8}}));
//   Handle<GcObject> origin = value_or_throw(gc.allocate_struct(point));
//   value_or_throw(point.set(origin, "x", 1.5));
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/facade/objects.hpp"
#include "tenure/facade/values.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

/// How much there is of a structure.
struct StructSize {
  std::uint64_t size = 0;        // bytes of plain data, below any threshold for payloads
  std::uint32_t references = 0;  // slots, 65536 at the most
};

/// A reference slot, by its number from 0.
struct StructSlot {
  std::string name;
  std::uint32_t slot = 0;
};

/// Plain data, by its place in bytes.
struct StructField {
  std::string name;
  ElementType element = ElementType::kFloat64;
  std::uint64_t offset = 0;
  std::uint64_t count = 1;  // elements, one behind the other
};

/// A layout, and the type of the objects that have it. A value; copies are the same layout.
class StructLayout {
 public:
  /// errors   kBadArgument: a slot or a field lies outside, overlaps another, is not aligned to its
  ///          element, or has no name or another's
  [[nodiscard]] static Result<StructLayout> declare(std::string name, StructSize size,
                                                    std::vector<StructSlot> slots,
                                                    std::vector<StructField> fields);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t size() const { return size_.size; }
  [[nodiscard]] std::uint32_t references() const { return size_.references; }
  [[nodiscard]] TypeId type() const { return type_; }

  /// The number of a reference slot.
  ///
  /// errors   kBadArgument: none is called so
  [[nodiscard]] Result<std::uint32_t> slot(std::string_view name) const;
  /// errors   kBadArgument: none is called so
  [[nodiscard]] Result<StructField> field(std::string_view name) const;

  /// The first element of a field.
  ///
  /// errors   kBadArgument: there is no such field, it is of another type, or the object of another layout
  /// threads  as GcObject
  template <class Element>
  [[nodiscard]] Result<Element> get(const Handle<GcObject>& object, std::string_view name) const {
    const Result<std::uint64_t> place = place_of(object, name, detail::element_type_of<Element>());
    if (!place) {
      return place.failure();
    }
    Element value;
    std::memcpy(&value, object->bytes().data() + *place, sizeof(Element));
    return value;
  }
  /// errors   likewise, and the object is sealed
  template <class Element>
  Result<void> set(const Handle<GcObject>& object, std::string_view name, Element value) const {
    const Result<std::uint64_t> place = place_of(object, name, detail::element_type_of<Element>());
    if (!place) {
      return place.failure();
    }
    const Result<std::span<std::byte>> bytes = object->writable_bytes();
    if (!bytes) {
      return bytes.failure();
    }
    std::memcpy(bytes->data() + *place, &value, sizeof(Element));
    return {};
  }

 private:
  StructLayout() = default;
  [[nodiscard]] Result<std::uint64_t> place_of(const Handle<GcObject>& object,
                                               std::string_view name, ElementType element) const;

  std::string name_;
  StructSize size_;
  std::vector<StructSlot> slots_;
  std::vector<StructField> fields_;
  TypeId type_ = TypeId::kFreeCell;
};

}  // namespace tenure
