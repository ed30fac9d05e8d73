#include "core/facade/object_maker.hpp"

#include <cstring>
#include <string>

#include "core/facade/utf8.hpp"
#include "tenure/make.hpp"
#include "tenure/object_facts.hpp"
#include "tenure/permanent.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

Error bad(std::string message) { return {ErrorCode::kBadArgument, std::move(message)}; }

// What a kind's data must be, if it is not free.
constexpr std::uint64_t kAnySize = ~std::uint64_t{0};
std::uint64_t fixed_size(ObjectType type) {
  switch (type) {
    case ObjectType::kScalar:
      return 8;
    case ObjectType::kComplex:
      return 16;
    case ObjectType::kUnitValue:
      return 0;
    default:
      return kAnySize;
  }
}

bool has_elements(ObjectType type) {
  return type == ObjectType::kVector || type == ObjectType::kMatrix ||
         type == ObjectType::kTensor || type == ObjectType::kArray;
}

// 0: any number.
std::uint32_t rank_of(ObjectType type) {
  return type == ObjectType::kVector ? 1 : type == ObjectType::kMatrix ? 2 : 0;
}

Result<void> check_request(ObjectType type, std::uint64_t size, const AllocateOptions& options) {
  const std::string name(to_string(type));
  if (const std::uint64_t fixed = fixed_size(type); fixed != kAnySize && size != fixed) {
    return bad("a " + name + " has " + std::to_string(fixed) + " bytes, not " +
               std::to_string(size));
  }
  if (options.references > kMostReferences) {
    return bad("an object has 65536 references at most, not " + std::to_string(options.references));
  }
  if (options.references > 0 && (type == ObjectType::kString || type == ObjectType::kUnitValue)) {
    return bad("a " + name + " has no references");
  }
  const bool is_typed = options.element != ElementType::kUint8 || options.shape.rank() > 0;
  if (is_typed && !has_elements(type)) {
    return bad("a " + name +
               " has no elements; element type and shape are of vectors, matrices, "
               "tensors and arrays");
  }
  if (options.shape.rank() == 0) {
    if (size % bytes_of(options.element) != 0) {
      return bad(std::to_string(size) + " bytes are no whole number of " +
                 std::string(to_string(options.element)));
    }
    return {};
  }
  if (const std::uint32_t rank = rank_of(type); rank != 0 && options.shape.rank() != rank) {
    return bad("a " + name + " has " + std::to_string(rank) + " extents, not " +
               std::to_string(options.shape.rank()));
  }
  std::uint64_t bytes = bytes_of(options.element);
  for (const std::int64_t extent : options.shape.extents()) {
    if (!options.shape.is_valid() || extent < 0 ||
        __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      return bad("a shape of a " + name + " is negative, has more than 8 extents, or is too large");
    }
  }
  if (bytes != size) {
    return bad("a shape of " + std::to_string(bytes) + " bytes was asked for in " +
               std::to_string(size));
  }
  return {};
}

bool wants_payload(std::uint64_t size, const AllocateOptions& options, Bytes threshold) {
  const bool is_typed = options.element != ElementType::kUint8 || options.shape.rank() > 0 ||
                        options.memory != MemoryKind::kHost;
  return size > 0 && (is_typed || Bytes{size} >= threshold);
}

}  // namespace

Result<Handle<GcObject>> GcObjectMaker::make(Mutator& mutator, ObjectType type, std::uint64_t size,
                                             const AllocateOptions& options, Bytes threshold) {
  if (Result<void> sound = check_request(type, size, options); !sound) {
    return sound.failure();
  }
  return make_of(mutator, detail::type_of_kind({type, options.references}), type, size, options,
                 threshold);
}

Result<Handle<GcObject>> GcObjectMaker::make_of(Mutator& mutator, TypeId row, ObjectType type,
                                                std::uint64_t size, const AllocateOptions& options,
                                                Bytes threshold) {
  const bool has_payload = wants_payload(size, options, threshold);
  Local<Tensor> payload(mutator);
  if (has_payload) {
    const auto elements = static_cast<std::int64_t>(size / bytes_of(options.element));
    const Result<Local<Tensor>> made =
        make_tensor(mutator, options.shape.rank() > 0 ? options.shape : Shape{elements},
                    {.element = options.element, .kind = options.memory, .zeroed = true});
    if (!made) {
      return made.failure();
    }
    payload = *made;
  }
  const std::uint64_t own = has_payload ? 0 : size;
  const Result<ObjectIndex> object = (options.permanent ? allocate_permanent : allocate_object)(
      mutator, row, Bytes{detail::dynamic_bytes(options.references, own)});
  if (!object) {
    return object.failure();
  }
  detail::size_place(*object, options.references) = size;
  detail::write_reference(mutator.core(), detail::places_of(*object)[0], payload.index());
  if (type == ObjectType::kString || type == ObjectType::kUnitValue) {
    seal(mutator, *object);
  }
  return Handle<GcObject>(Local<GcObject>(mutator.core(), *object));
}

Result<Handle<GcObject>> GcObjectMaker::make_string(Mutator& mutator, std::string_view text,
                                                    Bytes threshold) {
  if (!is_utf8(text)) {
    return bad("a string was to be made of bytes that are no UTF-8");
  }
  Result<Handle<GcObject>> made = make(mutator, ObjectType::kString, text.size(), {}, threshold);
  if (made) {  // the seal is for those who have the object
    std::memcpy(detail::bytes_place(made->index(), 0), text.data(), text.size());
  }
  return made;
}

Result<Handle<GcObject>> GcObjectMaker::make_function(Mutator& mutator, ObjectType type,
                                                      const void* code, std::string_view name,
                                                      std::span<const Handle<GcObject>> captures) {
  if (code == nullptr) {
    return bad("a function was to be made without code");
  }
  if (captures.size() > kMostReferences) {
    return bad("a closure captures 65536 objects at most, not " + std::to_string(captures.size()));
  }
  const auto references = static_cast<std::uint32_t>(captures.size());
  // In the object whatever its length: code may be looked up by who must not follow a payload.
  Result<Handle<GcObject>> made =
      make(mutator, type, sizeof(code) + name.size(), {.references = references}, kUnlimited);
  if (!made) {
    return made;
  }
  const ObjectIndex object = made->index();
  std::byte* const data = detail::bytes_place(object, references);
  std::memcpy(data, &code, sizeof(code));
  std::memcpy(data + sizeof(code), name.data(), name.size());
  for (std::uint32_t k = 0; k < references; ++k) {
    detail::write_reference(mutator.core(), detail::places_of(object)[k + 1], captures[k].index());
  }
  seal(mutator, object);
  return made;
}

}  // namespace tenure
