// Objects of the dynamic door: a kind, a size, and bytes that lie in the object or in a payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tenure/ref.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

/// What an object is.
enum class ObjectType : std::uint8_t {
  kScalar,   // 8 bytes, in the object
  kComplex,  // 16 bytes, in the object
  kString,   // UTF-8
  kVector,   // elements, in one dimension
  kMatrix,   // in two
  kTensor,   // in any number
  kArray,    // plain bytes
  kStruct,   // fields
};
inline constexpr std::size_t kObjectTypes = 8;

/// "scalar", "array", as statistics name them.
[[nodiscard]] std::string_view to_string(ObjectType type);

/// One object. It moves; the bytes of its payload, where it has one, do not.
class GcObject {
 public:
  GcObject(const GcObject&) = delete;
  GcObject& operator=(const GcObject&) = delete;

  [[nodiscard]] ObjectType type() const { return type_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Whether the data keep their address.
  [[nodiscard]] bool has_payload() const { return static_cast<bool>(payload_); }
  /// [size] The data; where they lie in the object, good until the next safepoint.
  [[nodiscard]] std::span<std::byte> bytes() {
    std::byte* const own = reinterpret_cast<std::byte*>(this) + sizeof(GcObject);
    return {payload_ ? payload_->data() : own, size_};
  }

 private:
  friend class GcObjectMaker;  // core/facade
  GcObject() = default;

  Ref<Tensor> payload_;
  ObjectType type_ = ObjectType::kScalar;
  std::uint64_t size_ = 0;  // then, without a payload, the data
};

}  // namespace tenure
