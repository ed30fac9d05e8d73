#include "python/src/objects.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tenure::python {

namespace {

struct Types {
  std::mutex mutex;
  std::map<std::pair<ObjectType, std::uint32_t>, TypeId> ids;
  std::map<TypeId, std::pair<ObjectType, std::uint32_t>> kinds;
};

Types& types() {
  static Types& made = *new Types();  // objects may be looked at while the interpreter ends
  return made;
}

}  // namespace

TypeId type_of(ObjectType kind, std::uint32_t references) {
  const std::scoped_lock lock(types().mutex);
  const std::pair key(kind, references);
  if (const auto found = types().ids.find(key); found != types().ids.end()) {
    return found->second;
  }
  std::vector<std::uint32_t> offsets(references + std::size_t{1});
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    offsets[k] = static_cast<std::uint32_t>(k * sizeof(ObjectIndex));
  }
  const TypeId made = register_type(
      {.name = to_string(kind), .offsets = offsets.data(), .reference_count = references + 1});
  types().ids.emplace(key, made);
  types().kinds.emplace(made, key);
  return made;
}

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
  const std::scoped_lock lock(types().mutex);
  const auto [kind, references] = types().kinds.at(type);
  return {.kind = kind, .references = references, .size = size_of(object, references)};
}

}  // namespace tenure::python
