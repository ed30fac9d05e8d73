#include <algorithm>

#include "core/base/check.hpp"
#include "tenure/payload.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

std::uint32_t bytes_of(ElementType type) {
  switch (type) {
    case ElementType::kBool:
    case ElementType::kInt8:
    case ElementType::kUint8:
      return 1;
    case ElementType::kInt16:
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      return 2;
    case ElementType::kInt32:
    case ElementType::kFloat32:
      return 4;
    case ElementType::kInt64:
    case ElementType::kFloat64:
    case ElementType::kComplex64:
      return 8;
    case ElementType::kComplex128:
      return 16;
  }
  fail("an element type that does not exist");
}

std::string_view to_string(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return "bool";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt16:
      return "int16";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kBfloat16:
      return "bfloat16";
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat64:
      return "float64";
    case ElementType::kComplex64:
      return "complex64";
    case ElementType::kComplex128:
      return "complex128";
  }
  fail("an element type that does not exist");
}

Shape::Shape(std::span<const std::int64_t> extents)
    : rank_(static_cast<std::uint32_t>(std::min<std::size_t>(extents.size(), kMaxRank))),
      valid_(extents.size() <= kMaxRank) {
  std::copy_n(extents.begin(), rank_, extents_.begin());
}

std::int64_t Tensor::element_count() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape()) {
    count *= extent;
  }
  return count;
}

Bytes Tensor::size() const {
  return Bytes{static_cast<std::uint64_t>(element_count()) * bytes_of(element_)};
}

bool Tensor::is_contiguous() const {
  std::int64_t expected = 1;
  for (std::uint32_t axis = rank_; axis-- > 0;) {
    if (extent(axis) != 1 && stride(axis) != expected) {
      return false;
    }
    if (__builtin_mul_overflow(expected, extent(axis), &expected)) {
      return false;
    }
  }
  return true;
}

}  // namespace tenure
