// What Python's objects of the heap look like: the dynamic door's objects, tensors, and objects that
// stand for memory of others.
#pragma once

#include <cstdint>

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

/// The type of objects that stand for memory of others.
[[nodiscard]] TypeId foreign_type();

/// From the object's header.
[[nodiscard]] Described describe_object(ObjectIndex object);

}  // namespace tenure::python
