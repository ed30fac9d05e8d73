// Objects of the dynamic door by what they are: views that know what their bytes mean.
//
//   ScalarObject pi = value_or_throw(ScalarObject::of(value_or_throw(gc.allocate(kScalar, 8))));
//   pi.set(3.14159);
#pragma once

#include <complex>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tenure/facade/objects.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

namespace detail {
/// errors   kBadArgument: the handle is null, or its object of another kind
[[nodiscard]] Result<void> require_kind(const Handle<GcObject>& object, ObjectType type,
                                        ObjectType or_type);

/// The element type of a C++ type.
template <class Element>
[[nodiscard]] constexpr ElementType element_type_of() {
  if constexpr (std::is_same_v<Element, bool>) {
    return ElementType::kBool;
  } else if constexpr (std::is_same_v<Element, float>) {
    return ElementType::kFloat32;
  } else if constexpr (std::is_same_v<Element, double>) {
    return ElementType::kFloat64;
  } else if constexpr (std::is_same_v<Element, std::complex<float>>) {
    return ElementType::kComplex64;
  } else if constexpr (std::is_same_v<Element, std::complex<double>>) {
    return ElementType::kComplex128;
  } else if constexpr (std::is_same_v<Element, std::int8_t>) {
    return ElementType::kInt8;
  } else if constexpr (std::is_same_v<Element, std::uint8_t>) {
    return ElementType::kUint8;
  } else if constexpr (std::is_same_v<Element, std::int16_t>) {
    return ElementType::kInt16;
  } else if constexpr (std::is_same_v<Element, std::int32_t>) {
    return ElementType::kInt32;
  } else {
    static_assert(std::is_same_v<Element, std::int64_t>, "no element type is this C++ type");
    return ElementType::kInt64;
  }
}
}  // namespace detail

/// What the views share: a root of their object. What they give is good until the next safepoint.
///
/// threads  as GcObject
class ObjectValue {
 public:
  [[nodiscard]] const Handle<GcObject>& handle() const { return handle_; }
  [[nodiscard]] std::uint64_t size() const { return handle_->size(); }

 protected:
  explicit ObjectValue(Handle<GcObject> handle) : handle_(std::move(handle)) {}

  template <class View>
  [[nodiscard]] static Result<View> make(Handle<GcObject> object, ObjectType type,
                                         ObjectType or_type) {
    if (Result<void> is = detail::require_kind(object, type, or_type); !is) {
      return is.failure();
    }
    return View(std::move(object));
  }
  template <class T>
  [[nodiscard]] T load() const {
    T value;
    std::memcpy(&value, handle_->bytes().data(), sizeof(T));
    return value;
  }
  template <class T>
  Result<void> store(const T& value) {
    const Result<std::span<std::byte>> place = handle_->writable_bytes();
    if (!place) {
      return place.failure();
    }
    std::memcpy(place->data(), &value, sizeof(T));
    return {};
  }

 private:
  Handle<GcObject> handle_;
};

/// An 8-byte value: a double, or an integer.
class ScalarObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or no scalar
  [[nodiscard]] static Result<ScalarObject> of(Handle<GcObject> object) {
    return make<ScalarObject>(std::move(object), ObjectType::kScalar, ObjectType::kScalar);
  }
  template <class T = double>
  [[nodiscard]] T get() const {
    static_assert(sizeof(T) == 8 && std::is_trivially_copyable_v<T>);
    return load<T>();
  }
  /// errors   kBadArgument: the object is sealed
  template <class T>
  Result<void> set(T value) {
    static_assert(sizeof(T) == 8 && std::is_trivially_copyable_v<T>);
    return store(value);
  }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

/// A 16-byte value.
class ComplexObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or no complex
  [[nodiscard]] static Result<ComplexObject> of(Handle<GcObject> object) {
    return make<ComplexObject>(std::move(object), ObjectType::kComplex, ObjectType::kComplex);
  }
  [[nodiscard]] std::complex<double> get() const { return load<std::complex<double>>(); }
  /// errors   kBadArgument: the object is sealed
  Result<void> set(std::complex<double> value) { return store(value); }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

/// UTF-8 that never changes.
class StringObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or no string
  [[nodiscard]] static Result<StringObject> of(Handle<GcObject> object) {
    return make<StringObject>(std::move(object), ObjectType::kString, ObjectType::kString);
  }
  [[nodiscard]] std::string_view text() const {
    const std::span<const std::byte> bytes = handle()->bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

/// Elements of one type, outside of what is marked and moved where they lie in a payload.
class VectorObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or no vector
  [[nodiscard]] static Result<VectorObject> of(Handle<GcObject> object) {
    return make<VectorObject>(std::move(object), ObjectType::kVector, ObjectType::kVector);
  }
  [[nodiscard]] ElementType element_type() const {
    const Tensor* const payload = handle()->payload();
    return payload == nullptr ? ElementType::kUint8 : payload->element_type();
  }
  /// errors   kBadArgument: the elements are of another type, sealed, or in a device's memory
  template <class Element>
  [[nodiscard]] Result<std::span<Element>> elements() {
    if (detail::element_type_of<Element>() != element_type()) {
      return Error{ErrorCode::kBadArgument,
                   "a vector of " + std::string(to_string(element_type())) +
                       " was looked at as one of " +
                       std::string(to_string(detail::element_type_of<Element>()))};
    }
    const Result<std::span<std::byte>> bytes = handle()->writable_bytes();
    if (!bytes) {
      return bytes.failure();
    }
    return std::span(reinterpret_cast<Element*>(bytes->data()), bytes->size() / sizeof(Element));
  }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

/// Slots for references, and plain bytes.
class ArrayObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or no array
  [[nodiscard]] static Result<ArrayObject> of(Handle<GcObject> object) {
    return make<ArrayObject>(std::move(object), ObjectType::kArray, ObjectType::kArray);
  }
  [[nodiscard]] std::uint32_t length() const { return handle()->reference_count(); }
  /// Null where the slot is empty, or there is none.
  [[nodiscard]] GcObject* operator[](std::uint32_t slot) const { return handle()->reference(slot); }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

/// Code, its name, and what a closure captured.
class FunctionObject : public ObjectValue {
 public:
  /// errors   kBadArgument: the object is null, or neither a function nor a closure
  [[nodiscard]] static Result<FunctionObject> of(Handle<GcObject> object) {
    return make<FunctionObject>(std::move(object), ObjectType::kFunction, ObjectType::kClosure);
  }
  [[nodiscard]] const void* code() const { return load<const void*>(); }
  [[nodiscard]] std::string_view name() const {
    const std::span<const std::byte> bytes = handle()->bytes();
    return {reinterpret_cast<const char*>(bytes.data()) + sizeof(void*),
            bytes.size() - sizeof(void*)};
  }
  [[nodiscard]] std::uint32_t captures() const { return handle()->reference_count(); }
  [[nodiscard]] GcObject* capture(std::uint32_t k) const { return handle()->reference(k); }

 private:
  friend class ObjectValue;
  using ObjectValue::ObjectValue;
};

}  // namespace tenure
