#include "core/facade/object_maker.hpp"

#include <array>
#include <cstring>
#include <string>

#include "core/base/check.hpp"
#include "tenure/make.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

constexpr std::array<std::string_view, kObjectTypes> kNames{
    "scalar", "complex", "string", "vector", "matrix", "tensor", "array", "struct"};

// One row of the type table a kind, so that a census counts them apart.
TypeId type_of(ObjectType type) {
  static const std::array<TypeId, kObjectTypes> ids = [] {
    constexpr std::uint32_t kPayloadSlot = 0;
    std::array<TypeId, kObjectTypes> made{};
    for (std::size_t k = 0; k < kObjectTypes; ++k) {
      made[k] = register_type({.name = kNames[k], .offsets = &kPayloadSlot, .reference_count = 1});
    }
    return made;
  }();
  return ids[static_cast<std::size_t>(type)];
}

// What a kind's data must be, if it is not free.
std::uint64_t fixed_size(ObjectType type) {
  switch (type) {
    case ObjectType::kScalar:
      return 8;
    case ObjectType::kComplex:
      return 16;
    default:
      return 0;
  }
}

}  // namespace

std::string_view to_string(ObjectType type) {
  const auto k = static_cast<std::size_t>(type);
  check(k < kObjectTypes, "an object type that does not exist");
  return kNames[k];
}

Result<Handle<GcObject>> GcObjectMaker::make(Mutator& mutator, ObjectType type, std::uint64_t size,
                                             Bytes threshold) {
  const std::uint64_t fixed = fixed_size(type);
  if (fixed != 0 && size != fixed) {
    return Error{ErrorCode::kBadArgument, "a " + std::string(to_string(type)) + " has " +
                                              std::to_string(fixed) + " bytes, not " +
                                              std::to_string(size)};
  }
  const bool has_payload = Bytes{size} >= threshold;
  Local<Tensor> payload(mutator);
  if (has_payload) {
    const Result<Local<Tensor>> made =
        make_tensor(mutator, {static_cast<std::int64_t>(size)},
                    {.element = ElementType::kUint8, .kind = MemoryKind::kHost});
    if (!made) {
      return made.failure();
    }
    payload = *made;
    std::memset(payload->data(), 0, size);
  }
  const std::uint64_t inline_bytes = has_payload ? 0 : size;
  const Result<ObjectIndex> object =
      allocate_object(mutator, type_of(type), Bytes{sizeof(GcObject) + inline_bytes});
  if (!object) {
    return object.failure();
  }
  auto& made = *::new (detail::data_of(*object)) GcObject();
  made.payload_ = payload;
  made.type_ = type;
  made.size_ = size;
  return Handle<GcObject>(Local<GcObject>(mutator.core(), *object));
}

}  // namespace tenure
