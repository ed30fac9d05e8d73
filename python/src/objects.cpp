#include "python/src/objects.hpp"

namespace tenure::python {

TypeId foreign_type() {
  static const TypeId type =
      register_type({.name = "foreign tensor", .data_bytes = sizeof(std::uint64_t)});
  return type;
}

Described describe_object(ObjectIndex object) {
  const TypeId type = detail::header_of(object).type();
  if (type == type_id<Tensor>()) {
    return {.form = Described::Form::kTensor};
  }
  if (type == foreign_type()) {
    return {.form = Described::Form::kForeign,
            .size = *reinterpret_cast<const std::uint64_t*>(detail::data_of(object))};
  }
  ObjectKind kind;
  (void)detail::find_kind(type, kind);
  return {.kind = kind.type,
          .references = kind.references,
          .size = detail::size_place(object, kind.references)};
}

}  // namespace tenure::python
